"""Word classes: fading is measured class by class.

Words are compared as a whole. Identifiers (URL, e-mail address, path, dotted or snake_case name) and numbers with their
separators are one word, hyphenated words are several, and in scripts without spaces a word is one character.
Punctuation, symbols and gaps are not words. The rules depend on the text alone and share nothing with the code that
decides what fades.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from foxing.encoder.contract import UNREADABLE

from .word_lists import ENGLISH, LANGUAGES, EnglishWords, LanguageWords, english_words

RARE_LETTERS = 4  # minimum letters of a rare word
COMMON_WORDS = 150  # number of common English words, by frequency
RARE_MESSAGES_SHARE = 0.0005  # maximum share of the English training messages that contain a rare word

#: Characters that join the parts of one word.
JOINERS = frozenset("'’._@:/+~-")
_UNREADABLE = chr(UNREADABLE)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
#: Han, kana, Thai, Lao, Burmese and Khmer.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_PART = rf"(?:[^\W{_HANGUL}{_UNSPACED}]|[\u0300-\u036f{_UNREADABLE}])+"
_CHUNK = re.compile(
    rf"[A-Za-z][A-Za-z0-9+]*://[^\s<>\"⋯{_HANGUL}{_UNSPACED}]+"
    rf"|{_PART}(?:(?:['’._@:/+~-]|(?<=\d),(?=\d)){_PART})*"
    rf"|(?:[{_HANGUL}]|{_UNREADABLE})+|[{_UNSPACED}]"
)
_AFTER_URL = ".,;:!?'\"’”)]}"
_PLAIN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SEPARATOR = re.compile(r"[:/+~-]")
_IDENTIFIER = re.compile(r"[_@]|://|/.*[/.]|\./")
#: Mixed letters and digits, as in a hash, a UUID or a key.
_OPAQUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w-]{7,}", re.DOTALL)
#: Number with its unit, time or numeric date.
_QUANTITY = re.compile(r"[\d.,:/+~-]+[^\W\d_]{0,4}")
_CAMEL_CASE = re.compile(r"[a-z][A-Z]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")

_NUMERIC_DATES = (
    r"(?<![\w.])(?:"
    r"(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?:19|20)\d\d[-/.]\d{1,2}(?:[-/.]\d{1,2})?"
    r"|\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|\d{1,2}/\d{1,2}/\d\d"
    r"|\d{1,2}(?::\d\d){1,2}(?:[.,]\d+)?(?:\s?[ap]\.?m\b)?"
    r"|\d{1,2}\s?[ap]\.?m\b"
    r"|(?<![$€£#,/-])(?:19|20)\d\d(?:['’]?s)?"
    r")(?![\w/]|[.,]\d)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th|er|\.)?"
_YEAR = r"(?:19|20)\d\d"
_IN_DATES = frozenset(("of", "the", "de"))  # words inside a date that carry no information

_SENTENCE_END = re.compile(r"[.!?…:。！？\n|>]|,\s*[\"“«„]")
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "prof", "st"))


class WordClass(StrEnum):
    """Class of a word. The first class that applies counts, in this order."""

    #: Not, no, never, n't, without and similar words.
    NEGATION = "negations"
    #: Dates, years from 1900 to 2099, times, months and weekdays.
    DATE = "dates"
    #: Words with a digit that are not dates.
    NUMBER = "numbers"
    #: Capitalised words inside a sentence; not used for German, where nouns are capitalised too. In Korean, Japanese
    #: and Chinese, capitalised words in Latin script.
    NAME = "names"
    #: Identifiers, and English words of at least `RARE_LETTERS` letters that occur in few training messages.
    RARE = "rare_words"
    #: The `COMMON_WORDS` most frequent English words.
    COMMON = "common_words"
    #: All other words.
    CONTENT = "content_words"


class ClassedWord(NamedTuple):
    """Word with its half-open range of characters."""

    text: str
    start: int
    stop: int


def words_of(text: str) -> list[ClassedWord]:
    """Returns the words of `text` in order."""
    return [word for chunk in _CHUNK.finditer(text) for word in _words_of_chunk(chunk[0], chunk.start())]


def is_plain(word: str) -> bool:
    """Returns whether a word consists of letters and inner apostrophes, and is not camelCase."""
    return _PLAIN.fullmatch(word) is not None and not _CAMEL_CASE.search(word)


def is_identifier(word: str) -> bool:
    """Returns whether a word is a URL, an address, a path, a dotted, snake_case or camelCase name, or mixes letters and
    digits, like a hash or a UUID. Numbers with units and numeric dates are not identifiers."""
    if _QUANTITY.fullmatch(word):
        return False
    return _is_named_identifier(word) or _OPAQUE.fullmatch(word) is not None


def lower_case(word: str) -> str:
    """Returns a word in the form of the word lists: in lower case, with ' as the apostrophe."""
    return word.lower().replace("’", "'")


def classify(
    text: str, words: Sequence[ClassedWord], language: str, lists: EnglishWords | None = None
) -> list[WordClass]:
    """Returns the class of each of `words`, the words of `text`. `language`: key of `LANGUAGES`; `lists`: English word
    lists, by default those of the package."""
    words_of_language = LANGUAGES.get(language, LanguageWords())
    english = (lists or english_words()) if language == ENGLISH else None
    dated = _marked(text, _dates(language))
    negated = _marked(text, words_of_language.negation_pattern)
    inside = _inside_sentences(text, words)
    classes = []
    for word, is_inside in zip(words, inside, strict=True):
        listed = lower_case(word.text)
        if _is_negation(listed, words_of_language) or 1 in negated[word.start : word.stop]:
            word_class = WordClass.NEGATION
        elif (2 * sum(dated[word.start : word.stop]) >= len(word.text) and listed not in _IN_DATES) or (
            is_inside and listed in words_of_language.capitalised_months and word.text[0].isupper()
        ):
            word_class = WordClass.DATE
        elif any(character.isdigit() for character in word.text):
            word_class = WordClass.NUMBER
        elif _is_name(word.text, is_inside, words_of_language, english):
            word_class = WordClass.NAME
        else:
            word_class = _by_frequency(word.text, listed, english)
        classes.append(word_class)
    return classes


def _words_of_chunk(chunk: str, start: int) -> Iterator[ClassedWord]:
    """Yields the words of a chunk without blanks. Plain words joined by punctuation are separate words."""
    if "://" in chunk:
        chunk = chunk.rstrip(_AFTER_URL)
    if _IDENTIFIER.search(chunk) or any(character.isdigit() for character in chunk):
        yield from _readable(chunk, start)
        return
    position = 0
    for part in _SEPARATOR.split(chunk):
        at = start + position
        pieces = part.split(".")
        dotted = all(piece[:1].islower() for piece in pieces[1:]) or all(len(piece) == 1 for piece in pieces)
        for piece in [part] if dotted else pieces:
            yield from _readable(piece, at)
            at += len(piece) + 1
        position += len(part) + 1


def _readable(word: str, start: int) -> Iterator[ClassedWord]:
    """Yields the word, unless all of its letters and digits are unreadable."""
    if word.strip(f"_{_UNREADABLE}"):
        yield ClassedWord(word, start, start + len(word))


@lru_cache
def _dates(language: str) -> str:
    """Returns the pattern of dates in a language."""
    words_of_language = LANGUAGES.get(language, LanguageWords())
    patterns = [_NUMERIC_DATES, words_of_language.date_pattern]
    always = "|".join((*words_of_language.months, *words_of_language.weekdays))
    if words_of_language.months:
        month = rf"(?:{'|'.join((*words_of_language.months, *words_of_language.months_beside_numbers))})\b\.?"
        before = rf"\b{_DAY}\s(?:of\s|de\s)?{month}(?:,?\s(?:de\s)?{_YEAR}\b)?"
        after = rf"\b{month}\s(?:the\s)?(?:{_YEAR}|{_DAY}(?:,?\s{_YEAR})?)\b"
        patterns = [before, after, rf"\b(?:{always})s?\b", *patterns]
    return "|".join(pattern for pattern in patterns if pattern)


def _marked(text: str, pattern: str) -> bytearray:
    """Returns, for each character of `text`, 1 if `pattern` matches it, ignoring case, else 0."""
    marks = bytearray(len(text))
    if pattern:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            marks[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    return marks


def _inside_sentences(text: str, words: Sequence[ClassedWord]) -> list[bool]:
    """Returns, for each word, whether another word of its sentence precedes it."""
    inside = []
    before: ClassedWord | None = None
    for word in words:
        if before is None:
            inside.append(False)
        else:
            between = text[before.stop : word.start]
            abbreviated = between.startswith(".") and (
                lower_case(before.text) in _TITLES or (len(before.text) == 1 and before.text.isupper())
            )
            inside.append(_SENTENCE_END.search(between[1:] if abbreviated else between) is None)
        before = word
    return inside


def _is_negation(listed: str, words_of_language: LanguageWords) -> bool:
    return (
        listed in words_of_language.negations
        or (listed.endswith(words_of_language.negative_endings) if words_of_language.negative_endings else False)
        or (
            listed.startswith(words_of_language.negative_beginnings) if words_of_language.negative_beginnings else False
        )
    )


def _is_name(word: str, inside: bool, words_of_language: LanguageWords, english: EnglishWords | None) -> bool:
    if words_of_language.names == "none" or not word[0].isupper() or _IDENTIFIER.search(word):
        return False
    if words_of_language.names == "latin":
        return _LATIN.match(word) is not None
    listed = lower_case(word)
    return inside and not (english is not None and (listed.split("'")[0] == "i" or listed in english.common))


def _by_frequency(word: str, listed: str, english: EnglishWords | None) -> WordClass:
    """Returns the class of a word to which no other rule applies."""
    if _is_named_identifier(word):
        return WordClass.RARE
    if english is None:
        return WordClass.CONTENT
    if listed in english.common:
        return WordClass.COMMON
    letters = sum(character.isalpha() for character in word)
    return WordClass.RARE if letters >= RARE_LETTERS and listed not in english.frequent else WordClass.CONTENT


def _is_named_identifier(word: str) -> bool:
    dotted = "." in word and any(len(piece) > 1 for piece in word.split("."))
    return dotted or _IDENTIFIER.search(word) is not None or _CAMEL_CASE.search(word) is not None
