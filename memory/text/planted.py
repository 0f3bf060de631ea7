"""Instructions to a model in texts that are data, recognised by signs: see `data/planted.toml`.

No sign is enough by itself: the weights of those in neighbouring sentences are added up. Repetitions of the expressions
are bounded, so that they take time in proportion to the text, and of a long text the beginning and the end alone are
read. Letters with blanks, dots or dashes between them are joined first, and short Base64 texts decoded.
"""

import binascii
import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

#: Characters that are read at the beginning and at the end of a text.
READ_CHARS = 32_768
#: Base64 texts that are decoded.
MAX_DECODED = 8
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r"(?<![^\S\n])[^\S\n]*+\n\s*+")
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
#: Letters of other scripts that look like Latin ones, and tag characters, which are not seen.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁɡοαει", "aeopcyxijsdgoaei") | {0xE0000 + n: n for n in range(0x20, 0x7F)}
_SPELLED = re.compile(r"(?<!\w)\w(?:(?:[ .*_|·-]\w(?!\w)){3,400}|(?:[.*|·-]\w(?!\w)){1,400})")
_SEPARATOR = re.compile(r"[ .*_|·-]")
_LETTER_DIGITS = re.compile(r"(?<!\w)[a-z013457]{4,24}(?!\w)")
_DIGITS = str.maketrans("013457", "oieast")
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{24,4096}={0,2}(?![\w+/])")
_SENTENCE_END = re.compile(r"""\n|[.?](?=["'»”)\]]{0,2}\s)|[。!]|<!--|-->""")
_HAN = re.compile("[\u4e00-\u9fff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")


class PlantedSign(NamedTuple):
    """A sign of instructions, in the expressions of one language."""

    name: str
    weight: int
    language: str
    pattern: re.Pattern[str]
    #: Signs that do not count beside it.
    covers: frozenset[str]


@cache
def planted_signs() -> tuple[int, tuple[PlantedSign, ...]]:
    """Returns the threshold and the signs."""
    source = tomllib.loads(files("foxing.memory.text").joinpath("data", "planted.toml").read_text(encoding="utf-8"))
    signs = tuple(
        PlantedSign(name, entry["weight"], language, re.compile(pattern), frozenset(entry.get("covers", ())))
        for name, entry in source["sign"].items()
        for language, pattern in entry.items()
        if language not in ("weight", "covers")
    )
    return source["threshold"], signs


def planted_form(text: str) -> str | None:
    """Returns the signs by which instructions to a model are recognised in a text; None if they are not."""
    if len(text) > 2 * READ_CHARS:
        text = f"{text[:READ_CHARS]}\n{text[-READ_CHARS:]}"
    plain, spelled = _plain(text)
    threshold, signs = planted_signs()
    texts: dict[str, str | None] = {"any": plain, "spelled": spelled if len(spelled) >= 6 else None}
    texts["zh"] = plain if _HAN.search(plain) else None
    texts["ko"] = plain if _HANGUL.search(plain) else None
    ends = [match.start() for match in _SENTENCE_END.finditer(plain)]
    by_sentence: dict[int, dict[str, PlantedSign]] = {}
    for sign in signs:
        for match in sign.pattern.finditer(texts[sign.language] or ""):
            # A sign that begins with the end of a sentence stands in the next one.
            number = 0 if sign.language == "spelled" else bisect_right(ends, max(match.start(), match.end() - 1))
            by_sentence.setdefault(number, {})[sign.name] = sign
    for number, own in by_sentence.items():
        window = own | by_sentence.get(number + 1, {})
        covered = frozenset[str]().union(*(sign.covers for sign in window.values()))
        weighed = window | {
            name: sign
            for neighbour in (number - 1, number + 2)
            for name, sign in by_sentence.get(neighbour, {}).items()
            if sign.weight < 0
        }
        if sum(sign.weight for name, sign in weighed.items() if name not in covered) >= threshold:
            return ", ".join(sorted(window))
    return None


def _plain(text: str) -> tuple[str, str]:
    """Returns a text in lower case without what hides its words, and what was spelled letter by letter in it."""
    decoded = "\n".join(_decoded(text))
    text = _UNSEEN.sub("", f"{text}\n{decoded}" if decoded else text).translate(_LOOKALIKES)
    text = unicodedata.normalize("NFKC", text).casefold()
    spelled: list[str] = []

    def joined(match: re.Match[str]) -> str:
        word = _SEPARATOR.sub("", match[0])
        spelled.append(word)
        return word

    text = _SPELLED.sub(joined, text)
    text = _LETTER_DIGITS.sub(_letters, text)
    return _LINE_ENDS.sub("\n", _BLANKS.sub(" ", text)), _letters_of(spelled)


def _letters_of(words: list[str]) -> str:
    """Returns the letters of words without a gap, digits as the letters that they stand for."""
    return "".join(words).translate(_DIGITS)


def _letters(match: re.Match[str]) -> str:
    """Returns a word of letters and digits with letters in their place; a number stays one."""
    word = match[0]
    digits = sum(not char.isalpha() for char in word)
    return word.translate(_DIGITS) if 0 < digits <= len(word) // 2 else word


def _decoded(text: str) -> Iterator[str]:
    """Yields the texts that stand in a text in Base64."""
    for number, match in enumerate(_BASE64.finditer(text)):
        if number == MAX_DECODED:
            return
        try:
            plain = binascii.a2b_base64(match[0] + "=" * (-len(match[0]) % 4)).decode()
        except ValueError:
            continue
        if plain.isprintable():
            yield plain
