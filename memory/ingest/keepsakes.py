"""Detection of keepsakes: exact identifiers kept as text, because a misread one is worse than a missing one."""

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

SHARE = 0.05  # maximum share of a page's characters


class Rank(IntEnum):
    """Priority of an identifier, lowest value first."""

    IDENTIFIER = 0  # useless unless exact: a UUID, a hash, an address, a path
    REFERENCE = 1  # hard to guess right: a version, a date, a ticket
    FIGURE = 2  # an amount, a time of day


class Keepsake(NamedTuple):
    """A range of characters to keep exactly, half open."""

    start: int
    stop: int
    rank: int


_UNITS = (
    r"%|‰|°[CF]?|[kKMGTP]i?[Bb](?:ps|/s)?|B|bytes?|bits?|[nµμm]?s|min|h|hours?|hrs?|days?|weeks?|months?|years?|"
    r"[kcmnµμ]?m[²³23]?|km/h|mph|m/s|ft|mi|[kmµμ]?g|lbs?|oz|[mµμ]?[lL]|[kMG]?Hz|[kMG]?W(?:h|/h)?|[mk]?[VA]|mAh|[kM]?J|kcal|cal|"
    r"[kM]?Pa|bar|psi|dB|px|dpi|fps|rpm|tokens?|req/s|USD|EUR|GBP|KRW|JPY|CNY|CHF|dollars?|euros?|won|"
    r"(?:만|억|천)? ?(?:원|달러|유로|엔|위안)|퍼센트|"
    r"킬로(?:그램|미터)?|미터|그램|리터|시간|개월|주일|[개명건장권대번회년월일주분초층인]"
)
_TOP_LEVEL = "com|org|net|io|dev|ai|app|edu|gov|me|info|co|kr|jp|cn|de|fr|uk|ru|eu|us|example|test|internal|local"
_EXTENSIONS = (
    "py|pyi|ipynb|js|mjs|ts|tsx|jsx|json|jsonl|ya?ml|toml|ini|cfg|conf|env|md|rst|txt|csv|tsv|parquet|sql|sh|bash|rs|go|"
    "c|h|cc|cpp|hpp|java|kt|rb|php|cs|swift|html?|css|scss|xml|svg|png|jpe?g|gif|webp|pdf|docx?|xlsx?|pptx?|zip|tar|gz|"
    "tgz|zst|whl|log|lock|db|sqlite|pt|safetensors|onnx|bin|exe|so|dll|pem|key|service|proto|tf"
)
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

#: Rank and pattern of each kind, in order: a later kind does not overlap matches of earlier ones.
_KINDS: tuple[tuple[Rank, re.Pattern[str]], ...] = tuple(
    (Rank(rank), re.compile(pattern, 0 if rank == Rank.FIGURE else re.ASCII))
    for rank, pattern in (
        # URLs
        (0, r"(?<![\w])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s<>\"'`|\\^{}⟦⟧]+|(?<![\w@.])www\.[\w.-]+\.[a-z]{2,}[^\s<>\"'`]*"),
        # e-mail addresses
        (0, r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"),
        # UUIDs
        (0, r"(?<![0-9A-Za-z-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z])"),
        # hashes, in lower case and in upper case
        (0, r"(?<![\w-])(?:0x|sha\d{1,3}:)?(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,128}(?![\w])"),
        (0, r"(?<![\w-])(?=[0-9A-F]*\d)(?=[0-9A-F]*[A-F])[0-9A-F]{7,128}(?![\w])"),
        # Windows paths
        (0, r"(?<![\w./])[A-Za-z]:\\(?:[\w.$ -]{1,80}\\){0,20}[\w.$-]{1,80}"),
        # Unix paths: absolute, relative with an extension, and with three parts or more
        (0, r"(?<![\w./:@])(?:~|\.{1,2})?/(?=[\w.@+-]*[A-Za-z])[\w.@+-]+(?:/[\w.@+-]+){1,20}/?"),
        (0, r"(?<![\w./:@])(?:~|\.{1,2})/[\w.@+-]+"),
        (0, rf"(?<![\w./:@-])(?:[\w.@+-]{{1,60}}/){{1,20}}[\w@+-][\w.@+-]*\.(?:{_EXTENSIONS})(?![\w/])"),
        (0, r"(?<![\w./:@-])(?=[\w.@+-]{0,59}[A-Za-z])[\w.@+-]{1,60}(?:/[\w@+-][\w.@+-]{0,60}){2,20}/?(?![\w])"),
        # IPv4 and IPv6 addresses
        (0, r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2}|:\d{1,5})?(?![\w.]*\d)"),
        (0, r"(?<![\w:])(?=[0-9A-Fa-f:]{0,36}::|(?:[0-9A-Fa-f]{1,4}:){7})"
            r"[0-9A-Fa-f]{1,4}(?::{1,2}[0-9A-Fa-f]{1,4}){2,7}(?![\w:])"),
        # file and host names
        (1, rf"(?<![\w./@-])(?:[\w-]{{1,63}}\.){{1,4}}(?:{_EXTENSIONS}|{_TOP_LEVEL})(?::\d{{2,5}})?(?![\w@])"),
        # dates and times
        (1, r"(?<![\w])[12]\d{3}-(?:0\d|1[0-2])-[0-3]\d"
            r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?(?![\w])"),
        # tickets
        (1, r"(?<![\w.-])[A-Z][A-Z0-9]{1,9}-\d{1,9}(?![\w-])|(?<![\w&])#\d{1,9}(?![\w])"),
        # versions
        (1, r"(?<![\w.])(?:v\d+(?:\.\d+){0,4}|\d+(?:\.\d+){2,4})"
            r"(?:[-+.]?(?:rc|alpha|beta|dev|post|a|b)[.-]?\d*)?(?:\+[\w.]+)?(?![\w])"),
        # telephone numbers
        (0, r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?\(?\d{2,4}\)?(?:[ .-]\d{2,4}){2,4}(?![\w-])(?<=[\d().+ -]{9})"),
        # opaque keys: letters and digits mixed
        (0, r"(?<![\w])(?=[A-Za-z_-]{0,63}+\d(?:[A-Za-z_-]{0,63}+\d|[\w-]{0,63}[a-z][A-Z]))(?=[\d_-]{0,63}+[A-Za-z])"
            r"[A-Za-z0-9][\w-]{14,62}[A-Za-z0-9](?![\w-])"),
        # long numbers
        (0, r"(?<![\w.,])\d{5,64}(?![\w]|[.,]\d)"),
        # amounts of money
        (2, rf"(?<![\w.,])[-+−±~]?(?:[$€£₩¥]|(?:USD|EUR|GBP|KRW|JPY) ?)(?:{_NUMBER})"
            r"(?: ?(?:k|K|M|B|bn|million|billion)\b)?"),
        # numbers with a unit
        (2, rf"(?<![A-Za-z0-9_.,])[-+−±]?(?:{_NUMBER})[ \u00a0]?(?:{_UNITS})(?![A-Za-z0-9_])"),
        # times of day
        (2, r"(?<![A-Za-z0-9_.,:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]m)?(?![A-Za-z0-9_:])"),
        # numbers with separators or decimals
        (2, r"(?<![A-Za-z0-9_.,])[-+−±]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+)(?![A-Za-z0-9_]|[.,]\d)"),
    )
)  # fmt: skip
_TRAILING = ".,;:!?'\"…。，、"
_OPENING = {")": "(", "]": "[", "}": "{", ">": "<"}


#: What every identifier in ASCII holds one of; a full stop at the end of a sentence is none.
_MAY_HOLD = re.compile(r"[\d/@\\]|\.\w")


def find_keepsakes(text: str) -> list[Keepsake]:
    """Returns the identifiers in `text`, ascending and not overlapping."""
    if text.isascii() and not _MAY_HOLD.search(text):
        return []
    occupied = bytearray(len(text))
    keepsakes: list[Keepsake] = []
    for rank, pattern in _KINDS:
        for match in pattern.finditer(text):
            start = match.start()
            stop = _trimmed(text, match.start(), match.end())
            if stop > start and not any(occupied[start:stop]):
                occupied[start:stop] = b"\1" * (stop - start)
                keepsakes.append(Keepsake(start, stop, rank))
    return sorted(keepsakes)


def within_budget(keepsakes: Iterable[Keepsake], total_chars: int, share: float = SHARE) -> list[Keepsake]:
    """Returns the keepsakes that fit into `share` of `total_chars`, chosen by rank, then by position; ascending.

    A keepsake that does not fit is left out completely.
    """
    budget = int(total_chars * share)
    chosen: list[Keepsake] = []
    for keepsake in sorted(keepsakes, key=lambda k: (k.rank, k.start)):
        chars = keepsake.stop - keepsake.start
        if chars <= budget:
            budget -= chars
            chosen.append(keepsake)
    return sorted(chosen)


def _trimmed(text: str, start: int, stop: int) -> int:
    """Returns `stop` without trailing punctuation of the sentence, such as an unopened bracket or a full stop."""
    unopened: dict[str, int] = {}
    while stop > start:
        last = text[stop - 1]
        if last in _OPENING:
            if last not in unopened:  # cached: counting anew for each bracket would be quadratic
                unopened[last] = text.count(last, start, stop) - text.count(_OPENING[last], start, stop)
            if unopened[last] <= 0:
                break
            unopened[last] -= 1
        elif last not in _TRAILING:
            break
        stop -= 1
    return stop
