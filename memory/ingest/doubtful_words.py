"""Identifiers and numbers that a page image does not show safely, to be given as text beside it."""

import re
from collections.abc import Iterable, Iterator

from foxing.renderer.type_proof import TypeProof

from .keepsakes import find_keepsakes

#: Words with a digit that are not keepsakes, such as “14” or “k8s”.
_NUMBER = re.compile(r"\w*\d(?:[\w.,:+-]*\w)?")


def doubtful_words(texts: Iterable[str], proof: TypeProof) -> tuple[str, ...]:
    """Returns the distinct identifiers and numbers in texts that hold a character which a type does not show safely, in
    order. `proof`: that of the page which shows the texts."""
    words = (word for text in texts for word in _exact_words(text) if proof.is_unsafe(word))
    return tuple(dict.fromkeys(words))


def _exact_words(text: str) -> Iterator[str]:
    """Yields the identifiers and numbers in a text, in order."""
    if not any(character.isdigit() or character in "/@\\." for character in text):
        return
    start = 0
    for keepsake in find_keepsakes(text):
        yield from (match[0] for match in _NUMBER.finditer(text, start, keepsake.start))
        yield text[keepsake.start : keepsake.stop]
        start = keepsake.stop
    yield from (match[0] for match in _NUMBER.finditer(text, start))
