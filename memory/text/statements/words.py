"""Words of a text as they are written: codes and numbers whole, particles of Korean and Japanese apart."""

import re
from collections.abc import Iterator, Sequence

from foxing.memory.text.numerals import with_digits

_WORDS = (
    r"[A-Za-z]+(?:['’-][A-Za-z]+)*(?![^\W_]|[-_]\w)"  # most words, tried first
    r"|#?(?=[A-Za-z_.-]{0,24}\d)[A-Za-z0-9]+(?:[-_.,:/][A-Za-z0-9]+)*"  # a number, a date or a code
    r"|[\"“„«「『][^\"“”„«»「」『』\n]{1,60}[\"”»」』]"  # a title
    r"|\d+|[\u30a1-\u30fa\u30fc-\u30ff]+|[\u3041-\u309f]+"
    r"|[\u2e80-\u2fd5\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]"
    r"|[\uac00-\ud7a3]+|[^\W\d_\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]+(?:['’-][^\W\d_\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]+)*|[,;:–—(，；：、（]"
)
WORD = re.compile(_WORDS)
_WORD_OR_ADDRESS = re.compile(
    r"[A-Za-z0-9_+.-]{1,64}@[A-Za-z0-9.-]{1,64}[A-Za-z0-9]|https?://[A-Za-z0-9_.~/?#@%&=+-]{0,200}[A-Za-z0-9/]|"
    + _WORDS
)
#: An “A” that names a thing, as in “part A”, rather than the article.
LABEL_A = "#A"
QUOTES = frozenset('"“„«「『')
BREAKS = frozenset(",;:–—(，；：、（")
_KOREAN_TOPIC = re.compile("(?:에|에서|에게|까지|부터|으로|로)?(?<![하되있없])[은는이가을를]$")
#: Those of them that follow a consonant.
_AFTER_CONSONANT = frozenset("은이을")
_FINALS = 28  # syllables of Hangul with one beginning and vowel
#: Particles of Japanese that end what a sentence is about, within a run of hiragana.
_JAPANESE_TOPIC = re.compile("(?:から|まで)?[でにとの]?[はが]")
_KOREAN_SINCE = re.compile("부터(?:는|요)?$")
ELISION = re.compile("(?:[ldsntmjc]|qu)['’](?=.)", re.IGNORECASE)
_PART = re.compile(r"[^\W_]+")
_JAPANESE_HAN = re.compile(r"[\u2e80-\u2fd5\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]+")
HIRAGANA = frozenset(map(chr, range(0x3041, 0x30A0)))


def raw_words(text: str, code: str) -> Sequence[str]:
    """Returns the words of a text as they are written, and breaks between its parts. The particles of Korean and
    Japanese that end what a sentence is about, and elided words of French, are words of their own."""
    if code in ("ja", "zh"):
        text = with_digits(text)
    found: list[str] = (_WORD_OR_ADDRESS if "@" in text or "://" in text else WORD).findall(text)
    if code == "en":
        return [LABEL_A if word == "A" and place else word for place, word in enumerate(found)]
    if code == "fr":
        return [part for word in found for part in _french_words(word)]
    if code == "ko":
        return [part for word in found for part in _korean_words(word)]
    if code == "ja":
        return list(_japanese_words(found))
    return found


def parts_of_code(code: str) -> list[str]:
    """Returns the parts of a code, a date or a number that has several: “v1” and “orders”."""
    parts = _PART.findall(code)
    return parts if len(parts) > 1 else []


def _french_words(word: str) -> Sequence[str]:
    """Returns an elided word and the one after it: “l'” and “hôtel”."""
    match = ELISION.match(word)
    return (word,) if match is None else (match[0], word[match.end() :])


def _korean_words(word: str) -> Sequence[str]:
    """Returns a word and its particle, which fits the sound that it follows."""
    since = _KOREAN_SINCE.search(word)
    if since is not None and since.start():
        return (word[: since.start()], "부터")
    match = _KOREAN_TOPIC.search(word)
    if match is None or not match.start() or not "가" <= word[-2] <= "힣":
        return (word,)
    closed = (ord(word[-2]) - ord("가")) % _FINALS != 0
    return (word[: match.start()], match[0]) if closed == (word[-1] in _AFTER_CONSONANT) else (word,)


def _japanese_words(found: Sequence[str]) -> Iterator[str]:
    """Yields runs of ideographs as words, and the particles that end a topic apart from other hiragana."""
    run = ""
    for word in found:
        if _JAPANESE_HAN.fullmatch(word):
            run += word
            continue
        if run:
            yield run
        run = ""
        start = _JAPANESE_TOPIC.match(word)
        if start is not None:
            yield from filter(None, (start[0], word[start.end() :]))
        elif word[-1] in "はが" and word[0] in HIRAGANA:
            yield from (word[:-1], word[-1])
        else:
            yield word
    if run:
        yield run
