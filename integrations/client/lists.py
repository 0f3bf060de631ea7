"""Lists that come page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar


class ListPart(Protocol):
    """A page of a list."""

    @property
    def next_cursor(self) -> str | None:
        """Cursor of the next page of the list; None at its end."""


ListT = TypeVar("ListT", bound=ListPart)


def parts(listing: Callable[[str | None], ListT]) -> Iterator[ListT]:
    """Yields the pages of a list. `listing`: returns the page at a cursor, None for the first."""
    cursor: str | None = None
    while True:
        part = listing(cursor)
        yield part
        cursor = part.next_cursor
        if cursor is None:
            return
