"""Identifiers beside page images: exact words that readers misread, listed as text once a request."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.ingest.keepsakes import find_keepsakes
from foxing.memory.values.recall import NATIVE_READER
from foxing.renderer.readers import Reader

#: Line above the list.
IDENTIFIERS = "Identifiers and figures on these page images, exact:"


def are_beside(reader: Reader, *, wanted: bool = True) -> bool:
    """Returns True if identifiers stand beside the images of a reader: not of our own codec, and of every other unless
    they are not `wanted` and its type was measured to misread none without a sign of doubt."""
    return reader.name != NATIVE_READER and (wanted or not reader.carries_identifiers)


def identifiers_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the distinct identifiers, dates and figures in texts, in order. There is no limit of their share."""
    found = ((text, keepsake) for text in texts for keepsake in find_keepsakes(text))
    return tuple(dict.fromkeys(text[each.start : each.stop] for text, each in found))


def listed(words: Iterable[tuple[str, tuple[str, ...]]], separator: str = " ") -> str:
    """Returns words as text for a model: one line of those that nothing marks as data, and one for each class of the
    others, which begins with it. `words`: each with its `trust.data_marks`."""
    lines: dict[tuple[str, ...], list[str]] = {(): []}
    for word, marks in words:
        lines.setdefault(marks, []).append(word)
    return "\n".join(f"{_class_of(marks)}{separator.join(line)}" for marks, line in lines.items() if line)


def _class_of(marks: tuple[str, ...]) -> str:
    return f"{', '.join(marks)}: " if marks else ""


def identifier_tokens(words: Mapping[str, tuple[str, ...]]) -> int:
    """Returns the tokens of a list of identifiers, without the line above it. `words`: see `listed`."""
    return sum(map(_tokens, words)) + sum(_tokens(_class_of(marks)) for marks in set(words.values()) if marks)


@lru_cache(maxsize=1 << 15)
def _tokens(word: str) -> int:
    return count_text_tokens(f" {word}")
