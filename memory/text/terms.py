"""Index terms: the normalized words of texts and queries.

Terms are case-folded, stripped of accents and, in English, stemmed. Identifiers are indexed whole and by their parts,
and scripts without spaces as character bigrams, with ideographs that stand alone; a numeral that numbers a thing also
in digits. The most frequent English function words are not indexed: they would make up a third of the index without
improving the ranking.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from threading import Lock
from typing import NamedTuple

import snowballstemmer

from .numerals import HAN_ORDINAL, han_number, roman_number

LONGEST_TERM = 64  # characters; longer words are truncated
#: Maximum length and number of the chunks whose terms are cached: at most 40 MB. Longer chunks rarely recur.
_CACHED_CHARS, _CACHED_CHUNKS = 16, 1 << 14


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_NOT_INDEXED = _words(
    "a an and are as at be been but by for from had has have he her his i i'm in is it it's its me my of on or "
    "our she so that the their them they this to was we were with you your"
)
_STOP_WORDS = _NOT_INDEXED | _words(
    "about after all am any before being can could did didn't do does doesn't doing don't each few further here "
    "him how if into just mine more most myself no nor not off once only other ours out over own same should "
    "some such tell than then there these those through too under until up us very what what's when where which "
    "while who whom whose why will would yours"
)
_KOREAN_STOP_WORDS = _words(
    "그 이 저 것 수 등 및 좀 더 또 왜 뭐 뭘 뭐가 뭐라고 무엇 무엇을 무엇이 무슨 어떤 어떻게 어디 어디서 어디에 "
    "언제 누가 누구 누구와 얼마나 나 나는 내 내가 나의 너 너는 네 네가 우리 우리가 우리는 우리의 그리고 그래서 "
    "그런데 하지만 대해 대해서 대한 관해 관한 했지 했어 했나 했나요 했는지 있어 있지 있나 있는 있었지 있었어 "
    "하는 한 할 해 줘 알려줘 말해줘"
)

#: Ranges of a character class: Hangul.
HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
#: Han, kana and the South-East Asian scripts without spaces, with their vowel signs and marks.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
#: Combining marks, and the Indic scripts, whose vowel signs `\w` does not match.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
)
_LETTER = rf"(?:[^\W_{HANGUL}{UNSPACED}]|[{_MARKS}])"
#: A word, or a run of a script without spaces.
CHUNK = re.compile(
    rf"(?P<word>(?:(?<!_)_+)?[A-Za-z0-9]+(?:['’_.\-/:@+,]+[A-Za-z0-9]+)*(?!{_LETTER})|{_LETTER}+(?:['’_.\-/:@+]{_LETTER}+)*)"
    rf"|[{HANGUL}]+|[{UNSPACED}]+"
)
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff"
#: An ideograph between other characters, or a syllable of Hangul with a particle: a word of its own.
_ALONE = re.compile(
    rf"(?<![{_HAN}])[{_HAN}](?![{_HAN}])|^[가-힣](?=(?:[은는이가을를도의에로과와]|에는|에서|에게|이랑|랑)$)"
)
_PLAIN = re.compile(r"[A-Za-z]+")
_PART = re.compile(r"[^\W_]+['’](?:s|t|m|d|re|ve|ll|S|T|M|D|RE|VE|LL)(?![^\W_])|(?:[^\W_]|[" + _MARKS + "])+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IDENTIFIER = re.compile(r"[_.@:/]|[a-z][A-Z]")
_DIGIT = re.compile(r"\d")
_ACCENTED_LATIN = re.compile("([A-Za-z])[\u0300-\u036f]+")

_WHOLE: Callable[[re.Match[str]], str] = itemgetter(0)

_Run = tuple[str, int, int]  # the fields of a `TermRun`, which takes longer to make

_stemmer = snowballstemmer.stemmer("english")
_stemmer_lock = Lock()  # the stemmer keeps the current word in its own state


class TermRun(NamedTuple):
    """A term and its half-open range of characters."""

    term: str
    start: int
    stop: int


def term_runs(text: str) -> list[TermRun]:
    """Returns the terms of `text` in order, each with its range of characters."""
    runs: list[TermRun] = []
    for match in CHUNK.finditer(text):
        offset = match.start()
        runs += [TermRun(term, offset + start, offset + stop) for term, start, stop in _terms_of(match[0])]
    return runs


def is_unspaced(character: str) -> bool:
    """Returns True if the character belongs to a script without spaces, such as Han or Thai."""
    return _UNSPACED_CHARACTER.match(character) is not None


def terms(text: str) -> Counter[str]:
    """Returns term → number of occurrences in `text`."""
    [counts] = terms_of_each([text])
    return counts


def terms_of_each(texts: Iterable[str]) -> list[Counter[str]]:
    """Returns term → number of occurrences in each of the texts, which share most of their words."""
    terms_of_chunk: dict[str, list[str]] = {}
    counted = []
    for text in texts:
        counts: dict[str, int] = {}
        for chunk, count in Counter(map(_WHOLE, CHUNK.finditer(text))).items():
            if chunk not in terms_of_chunk:
                terms_of_chunk[chunk] = [term for term, _, _ in _terms_of(chunk)]
            for term in terms_of_chunk[chunk]:
                counts[term] = counts.get(term, 0) + count
        counted.append(Counter(counts))
    return counted


def query_terms(query: str) -> Counter[str]:
    """Returns term → number of occurrences in `query`, without English and Korean stop words unless it has no other
    words."""
    counts: Counter[str] = Counter()
    for match in CHUNK.finditer(query):
        word = match[0].casefold().replace("’", "'")
        if word not in _STOP_WORDS and word not in _KOREAN_STOP_WORDS:
            counts.update(term for term, _, _ in _terms_of(match[0]))
    return counts or terms(query)


def _terms_of(chunk: str) -> tuple[_Run, ...]:
    """Returns the terms of a chunk, with ranges relative to its start."""
    return _cached_terms_of(chunk) if len(chunk) <= _CACHED_CHARS else _uncached_terms_of(chunk)


def _uncached_terms_of(chunk: str) -> tuple[_Run, ...]:
    if _PLAIN.fullmatch(chunk) and not _CAMEL.search(chunk):
        word = chunk.lower()
        number = roman_number(chunk)
        if number is not None:
            return ((_stem(word), 0, len(chunk)), (number, 0, len(chunk)))
        return () if word in _NOT_INDEXED else ((_stem(word), 0, len(chunk)),)
    if re.match(f"[{HANGUL}{UNSPACED}]", chunk):
        return _pairs(chunk)
    return tuple(_word_terms(chunk))


_cached_terms_of = lru_cache(maxsize=_CACHED_CHUNKS)(_uncached_terms_of)


def _pairs(chunk: str) -> tuple[_Run, ...]:
    """Returns the character bigrams of a chunk, or its only character."""
    text = unicodedata.normalize("NFKC", chunk).casefold()
    if len(text) < 2:
        return ((text, 0, len(chunk)),)
    aligned = len(text) == len(chunk)  # otherwise offsets are unknown, and each term spans the chunk
    runs = [(text[i : i + 2], i, i + 2) for i in range(len(text) - 1)]
    runs += [(match[0], match.start(), match.end()) for match in _ALONE.finditer(text)]
    for match in HAN_ORDINAL.finditer(text):
        if number := han_number(match[0]):
            runs.append((number, match.start(), match.end()))
    runs.sort(key=lambda run: run[1])
    return tuple(runs if aligned else [(term, 0, len(chunk)) for term, _, _ in runs])


def _word_terms(chunk: str) -> list[_Run]:
    """Returns the parts of a word, preceded by the whole word if it is an identifier."""
    parts_of: dict[str, list[_Run]] = {}  # a long word, such as a list without spaces, often repeats its parts
    runs: list[_Run] = []
    count = 0
    for match in _PART.finditer(chunk):
        word = match[0]
        offset = match.start()
        parts = parts_of.get(word)
        if parts is None:
            parts = parts_of[word] = _camel_parts(word)
        count += len(parts)
        runs += [(term, offset + start, offset + stop) for term, start, stop in parts if term]
    if count > 1 and (_IDENTIFIER.search(chunk) or _DIGIT.search(chunk)):
        runs.insert(0, (_normalize(chunk.replace(",", "").lstrip("_")), 0, len(chunk)))
    return runs


def _camel_parts(word: str) -> list[_Run]:
    """Returns the parts of a camelCase word, those that are not indexed with an empty term."""
    runs: list[_Run] = []
    for start, stop in pairwise([0, *(match.start() for match in _CAMEL.finditer(word)), len(word)]):
        part = word[start:stop]
        term = _cached_term(part) if len(part) <= _CACHED_CHARS else _term(part)
        runs.append((term, start, stop))
    return runs


def _term(part: str) -> str:
    """Returns the term of a part of a word, empty if it is not indexed."""
    word = _normalize(part)
    if word in _NOT_INDEXED:
        return ""
    return _stem(word) if word.isascii() and not word.isdigit() else word


_cached_term = lru_cache(maxsize=_CACHED_CHUNKS)(_term)


def _normalize(word: str) -> str:
    """Returns the word case-folded, without Latin accents and in compatibility form, truncated to `LONGEST_TERM`."""
    word = word[: 4 * LONGEST_TERM]
    if not word.isascii():
        word = _ACCENTED_LATIN.sub(r"\1", unicodedata.normalize("NFKD", word.replace("’", "'")))
        word = unicodedata.normalize("NFKC", word)
    return word.casefold()[:LONGEST_TERM]


def _stem(word: str) -> str:
    return _cached_stem(word[:LONGEST_TERM])


@lru_cache(maxsize=1 << 16)  # at most 20 MB
def _cached_stem(word: str) -> str:
    with _stemmer_lock:
        stem: str = _stemmer.stemWord(word)
    return stem
