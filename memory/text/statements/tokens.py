"""Words of a statement in the form in which they are compared, with what they are in it."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from foxing.renderer.fading.languages import AMBIGUOUS_MONTHS, DAYS, LANGUAGES, MONTHS, language_by_script

from .wording import BY_WORDS, Kind, wording
from .words import BREAKS, ELISION, HIRAGANA, LABEL_A, QUOTES, WORD, raw_words

_CACHED_WORDS = 1 << 14  # words whose analysis is cached
_CACHED_SENTENCES = 256  # which are read word by word again if they may replace others
#: Particles and endings of a word of Korean.
_KOREAN_VERB = re.compile("(?:요|다|니다)$")
_KOREAN_COPULA = re.compile("(?:이에요|예요|입니다|였어요|였습니다|었습니다|이다|라고요|래요|이죠|이요)$")
_PARTICLE = re.compile(
    r"(?<=[가-힣])(?:까지|부터|마다|에게|한테|에|에서|의|로|으로|도|와|과|을|를|이나|이랑|랑|중입니다|중이에요|이었어요"
    r"|[되됐했하](?:었|였)?(?:습니다|어요|어|다|요)|됩니다|합니다|입니다|이?(?:에요|예요|었어요|였어요|었습니다|였습니다"
    r"|라고요|래요|고요|야|죠|지요|다|었다|였다)|요)$"
)
_KOREAN_NUMBER = re.compile("[년월일시분초원만억천백십번층살명호]+")
_JAPANESE_NUMBER = re.compile(
    "[年月日時分秒半週曜火水木金土朝昼夜円万千百十億一二三四五六七八九番号人名階歳才個件回第来先今昨明毎度]+"
)
#: Particles and endings of verbs, which say nothing by themselves.
_JAPANESE_ENDING = re.compile(
    "[ぁ-ん]{0,2}|[ぁ-ん]?(?:の|が|を|に|で|と|へ|も|や|は|から|まで|より|です|でした|だった|だ|ます|ました|ません|て|って"
    "|いて|した|して|する|します|しました|なり|なって|なった|いる|います|いました|ある|あります|よ|ね|か|んで|れ|られ|さん)+"
)
_NUMBERS = {"ja": _JAPANESE_NUMBER, "ko": _KOREAN_NUMBER}
_CODE = re.compile(r"#?[a-z0-9]+(?:[-_.,:/][a-z0-9]+)*")
#: Letters that are words; another one names a thing: “plan B”.
_WORDS_OF_ONE_LETTER = {"en": "ai", "fr": "ay"}
_POSSESSIVE = "'s"
#: Endings of a pronoun in English: “they've”.
_CONTRACTION = re.compile(r"(?<=\w)'(?:ve|re|ll|d|m)$")
#: Endings of inflected words, whose forms of a man and of a woman are one; the stemmers of the index take longer than
#: the rest of the analysis.
_INFLECTIONS = {
    "en": ((re.compile(r"(?<=\w\w)(?:ing|ed|es|s|e)$"), ""),),
    "de": ((re.compile(r"(?<=\w{4})(?:innen|in)$"), ""), (re.compile(r"(?<=\w{4})e[rnms]?$"), "")),
    "fr": ((re.compile("trice$"), "teur"), (re.compile("ière$"), "ier"), (re.compile(r"(?<=\w{3})(?:es|e|s)$"), "")),
}


class Token(NamedTuple):
    """A word of a statement."""

    #: Normalised form, which is compared.
    form: str
    kind: int


BREAK = Token("", 0)  # between two parts of a sentence
JOIN = Token("+", 0)  # “and”
CHANGE = Token("", Kind.CHANGE)  # in the place of words that announce one


def tokens_in(text: str, code: str) -> list[Token]:
    """Returns the words of a text, and breaks between its parts."""
    return [token_of(word, code) for word in words_in(text, code)]


@lru_cache(maxsize=_CACHED_SENTENCES)
def words_in(text: str, code: str) -> Sequence[str]:
    """Returns the words of a text as they are written; a capitalised word of a list within a sentence of English, as in
    the title of a book, as a quoted one: “Our Mutual Friend”."""
    raw = raw_words(text, code)
    if code != "en":
        return raw
    return [word if word[0].islower() else _in_title(before, word) for before, word in pairwise((",", *raw))]


def _in_title(before: str, word: str) -> str:
    """Returns a word, quoted if it is one of a list and part of a name. `before`: the word before it."""
    if not word.istitle() or before in BREAKS or len(word) == 1:
        return word
    kind, is_phrase = token_of(word, "en").kind, word.casefold() in wording("en").phrases
    return word if kind & Kind.QUANTITY or (kind == Kind.THING | Kind.NAME and not is_phrase) else f"“{word}”"


@lru_cache(maxsize=_CACHED_WORDS)
def token_of(word: str, code: str) -> Token:
    """Returns a word, as it is written, in its normalised form."""
    if word in BREAKS:
        return BREAK
    if word[0] in QUOTES:
        return Token(word[1:-1].casefold(), Kind.THING | Kind.NAME)
    whole = word.casefold().replace("’", "'")
    lower = _without_particle(whole, code)
    kind = _kind_of(lower, code, capital=word[0].isupper() and word[0].lower() != word[0])
    if kind == Kind.COPULA and code == "ko" and lower != whole:
        kind = Kind.THING  # a verb that is spelled as a particle once its ending is off
    if kind == Kind.QUANTITY:
        return Token(lower.lstrip("#"), kind)
    if kind == Kind.THING and code == "ko" and _KOREAN_VERB.search(whole) and not _KOREAN_COPULA.search(whole):
        kind |= Kind.VERB
    if kind & Kind.THING:
        lower = lower.removesuffix(_POSSESSIVE) if code == "en" else lower
        for ending, other in () if kind & Kind.PERSON and code != "en" else _INFLECTIONS.get(code, ()):
            lower = ending.sub(other, lower)
    return Token(lower, kind)


def _without_particle(lower: str, code: str) -> str:
    """Returns a word without a particle of Korean or a contracted verb of English, unless it is in a list."""
    ending = {"ko": _PARTICLE, "en": _CONTRACTION}.get(code)
    return lower if ending is None or lower in wording(code).kinds else ending.sub("", lower) or lower


def _kind_of(lower: str, code: str, *, capital: bool) -> int:
    """Returns what a word is. `capital`: whether it begins with one."""
    if (
        (any(map(str.isdigit, lower)) and _CODE.fullmatch(lower))
        or (capital and len(lower) == 1 and lower.isascii() and lower not in _WORDS_OF_ONE_LETTER.get(code, ""))
        or lower == LABEL_A.lower()
        or "@" in lower
        or "://" in lower
        or (lower in MONTHS and (lower not in AMBIGUOUS_MONTHS or capital))
        or lower in DAYS
    ):
        return Kind.QUANTITY
    words, language = wording(code), LANGUAGES[code]
    kind = words.kinds.get(lower)
    if kind is None and code in _NUMBERS and _NUMBERS[code].fullmatch(lower):
        return Kind.QUANTITY
    if kind is None and lower in language.function_words:
        return 0
    if kind is None:
        kind = Kind.THING
        if lower.endswith(_POSSESSIVE) and lower not in words.contractions:
            kind |= Kind.POSSESSIVE
        if code == "ja" and lower[0] in HIRAGANA and _JAPANESE_ENDING.fullmatch(lower):
            return 0
    return kind | Kind.NAME * (bool(kind & Kind.THING) and capital and not language.capital_nouns)


def kinds_of(tokens: Sequence[Token]) -> int:
    """Returns the kinds of words together."""
    kinds = 0
    for token in tokens:
        kinds |= token.kind
    return kinds


def forms_of(tokens: Sequence[Token]) -> frozenset[str]:
    """Returns the normalised forms of words."""
    return frozenset([token.form for token in tokens])


def language_of(text: str) -> str:
    """Returns the code of the language in which a text is compared."""
    code = None if text.isascii() else language_by_script(text)
    if code is not None:
        return code
    lower = text.casefold().replace("’", "'")
    if text.isascii() and _told_from_english().isdisjoint(lower.split()):
        return "en"
    counts = Counter(WORD.findall(lower))
    scores = {code: sum(counts[word] for word in counts.keys() & _common_words(code)) for code in BY_WORDS}
    scores["de"] += not text.isascii() and any(letter in lower for letter in "äöü")
    scores["fr"] += sum(map(bool, map(ELISION.match, counts)))
    scores["fr"] += not text.isascii() and any(letter in lower for letter in "éèêàçùôî")
    return max(scores, key=lambda code: scores[code])


@cache
def _told_from_english() -> frozenset[str]:
    return frozenset[str]().union(*map(_common_words, BY_WORDS)) - _common_words("en")


@cache
def _common_words(code: str) -> frozenset[str]:
    """Returns words by which a language is told from others: function words, verbs, and those that refer to
    speakers."""
    kinds = wording(code).kinds
    told = Kind.OWN | Kind.COPULA | Kind.DEFINITE | Kind.PREDICATE
    return LANGUAGES[code].function_words.union(word for word, kind in kinds.items() if kind & told)
