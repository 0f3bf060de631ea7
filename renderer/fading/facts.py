"""Facts: words that never fade, told by a word or by the phrase to which it belongs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .languages import AMBIGUOUS_MONTHS, DAYS, MONTHS, language_by_script, languages_of
from .names import lower_case_names
from .rules import Rules, rules_of
from .words import words_of

#: Languages that are written without spaces, or whose nouns bear endings.
UNSPACED_LANGUAGES = ("ko", "ja", "zh")
#: A value of a JSON object with its key; a list of short values counts as one.
_SCALAR = r"(?:\"[^\"\\\n]{1,120}\"|-?\d[\d.eE+-]{0,30}|true|false)"
PAIR = re.compile(rf"\"[^\"\\\n]{{1,60}}\"\s?:\s?(?:{_SCALAR}|\[(?:{_SCALAR},? ?){{1,12}}\])")
#: Code that prose mentions, and a label with its number.
_QUOTED_CODE = re.compile(r"(?<![`\w])`(?=[^\s`])[^`\n]{1,80}(?<=\S)`(?!`)")
_LABELLED = re.compile(r"(?<!\w)[^\W\d_][\w-]{0,24}: {0,2}(?=[$€£¥₩]?\d)")
#: What a number is compared with, as in a requirement.
_COMPARED = re.compile(r"[^\W\d_][\w.-]{0,30}(?: [\w.-]{1,30})? ?(?:[<>]=?|[=!~]=) ?v?\d[\d.]{0,15}")
#: An item of a list up to its price, what a program says of an error or that it did with a file, and words in bold.
_PRICED = re.compile(r"(?m)^[ \t]*(?:[-*•]|\d{1,3}[.)]) [^\n]{2,100}?[$€£¥₩]\d[\d.,]*")
_ERROR = re.compile(r"(?m)^(?:\w{0,30}(?:Error|Exception)|error|fatal|E):[ \t]\S[^\n]{0,160}")
_DONE = re.compile(r"(?m)^[A-Z][a-z]{2,15}(?:ed|ing) (?=[^\n]{0,60}\w[./]\w)[^\n]{2,80}$")
_BOLD = re.compile(r"\*\*(?=[^\s*])[^*\n]{2,60}(?<=\S)\*\*")
#: Phrases of texts in any language that are not machine-readable.
MARKED = (_QUOTED_CODE, _LABELLED, _COMPARED, _PRICED, _ERROR, _DONE, _BOLD)
#: What somebody quotes.
_QUOTED = re.compile(
    r"(?<![\w=(\[{])(?:\"(?=\S)[^\"\n]{2,60}(?<=\S)\"(?!\w)|[“„«][^“”„«»\n]{2,60}[”“»]|[「『《][^」』》\n]{1,40}[」』》])"
)
#: A label with a value of few words, within a message: what begins one may be who is addressed.
_STATED = re.compile(
    r"(?<=[^\w'’])[^\W\d_][\w-]{1,24}: [^\s\W][^\s,.;:!?()\[\]{}\"]{0,24}"
    r"(?: [^\s,.;:!?()\[\]{}\"]{1,24}){0,3}(?=[,.;!?)]|\s*$|\s*\n)"
    r"|[^\W\d_]{1,10}：[^\s，。；：！？、]{1,16}(?=[，。；！？]|\s|$)"
)
#: Phrases of what people say.
SAID = (_QUOTED, _STATED)
_DAY = re.compile("曜|星期|周[一二三四五六日天]|[월화수목금토일]요일")
_TRIMMED = re.compile(r"^[\W_]+|[\W_]+$")
_FLAG = re.compile("-[A-Za-z]")
_IDENTIFIER = re.compile(
    r"://|[@_\\]|\w\.(?<![a-z]\.(?=[A-Z]))\w\w|[a-z][A-Z]|\w[-/][A-Z]|^[~.]*/|/.*[/.]|^--\w|^\$[A-Za-z_]|^#\w|="
)
#: Characters of a text by which its language is told.
_TOLD_BY = 1_000


def plain(word: str) -> str:
    """Returns a word normalised: in lower case, with ' as the apostrophe, without symbols around it."""
    return word.lower() if word.isalnum() else _TRIMMED.sub("", word).lower().replace("’", "'")


def is_exact(unit: str, word: str) -> bool:
    """Returns whether a word is a number, a date or an identifier. `word`: the plain one of `unit`."""
    if any(character.isdigit() for character in unit) or word in DAYS or _DAY.search(unit):
        return True
    if word in MONTHS:
        return word not in AMBIGUOUS_MONTHS or unit[0].isupper()
    return _FLAG.fullmatch(unit) is not None or (len(word) > 2 and _IDENTIFIER.search(unit) is not None)


def is_capitalised(unit: str, word: str) -> bool:
    """Returns whether a word is capitalised, other than "I". `word`: the plain one of `unit`."""
    return unit.lstrip("\"'([{@#-+")[:1].isupper() and word.partition("'")[0] != "i"


def rules_for(text: str, languages: list[str]) -> Rules | None:
    """Returns the rules of the language of a text; None if it has none. `languages`: the likely ones by its words."""
    code = language_by_script(text)
    if code == "zh" and "ja" in languages:
        code = "ja"
    code = code or next((language for language in languages if language not in UNSPACED_LANGUAGES), None)
    return None if code is None else rules_of(code)


@dataclass(frozen=True)
class FactFinder:
    """Finds the facts of the sentences of a text, each by itself."""

    rules: Rules | None
    function_words: frozenset[str]
    #: Names that need no capital to be recognised.
    names: frozenset[str]
    #: Whether a capital inside a sentence tells a name.
    capitals: bool

    @classmethod
    def of(cls, text: str) -> "FactFinder":
        """Returns that of the language of a text."""
        text = text[:_TOLD_BY]
        languages = languages_of(plain(text[word.start : word.stop]) for word in words_of(text))
        function_words = frozenset[str]().union(*(language.function_words for language in languages.values()))
        capitals = not next((language.capital_nouns for language in languages.values()), False)
        return cls(rules_for(text, list(languages)), function_words, lower_case_names(languages), capitals)

    def words(self, sentence: str) -> Iterator[str]:
        """Yields the numbers, dates, identifiers and names of a sentence, in order."""
        for number, unit in enumerate(sentence.split()):
            word = plain(unit)
            if not word:
                continue
            named = number > 0 and self.capitals and is_capitalised(unit, word) and word not in self.function_words
            if named or is_exact(unit, word) or word.removesuffix("'s") in self.names:
                yield unit

    def has_phrase(self, sentence: str) -> bool:
        """Returns whether a sentence has a phrase that is a fact, or a negation."""
        patterns = MARKED if self.rules is None else (*MARKED, *self.rules.facts, self.rules.negation)
        return any(pattern.search(sentence) for pattern in patterns)
