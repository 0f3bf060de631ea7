"""Terms of a text that name one thing, such as an order, a file or an address."""

import re
from collections.abc import Collection

_WORD = re.compile(r"[\w-]{4,}")
#: Years, dates and ordinals, which name nothing by themselves.
_COUNTED = re.compile(r"(?:19|20)\d\d(?:-\d\d){0,2}|\d{1,4}(?:st|nd|rd|th)")
#: A dot, an underline or an at sign between words, as in the name of a file.
_JOINED = re.compile(r"\w{2}[._@]\w{2}")


def identifiers_in(terms: Collection[str]) -> frozenset[str]:
    """Returns those of `terms` that name one thing: those with a digit, but for years, dates, ordinals and
    numbers of at most three digits, and words that are joined by a dot, an underline or an at sign."""
    return frozenset(filter(_names_one_thing, terms))


def _names_one_thing(term: str) -> bool:
    if any(map(str.isdigit, term)) and _WORD.fullmatch(term) and not _COUNTED.fullmatch(term):
        return True
    return _JOINED.search(term) is not None
