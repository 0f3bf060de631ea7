"""Marks of faded text: the mark of a page is replaced where a model reads text."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field

from foxing.renderer.marks import GAP_MARK

#: Gap mark in text for a model: one token, while the mark of a page is three.
TEXT_GAP_MARK = " … "
GapMark = Annotated[str, Field(min_length=1, max_length=20)]


@dataclass(frozen=True)
class MarkedText:
    """A text in which another mark stands for each gap."""

    text: str
    #: Offsets of the marks, ascending.
    gaps: list[int]
    #: For each mark: the range of the original text that it replaces.
    _replaced: list[tuple[int, int]]
    _mark_chars: int

    @classmethod
    def of(cls, text: str, gaps: Sequence[int], mark: str) -> Self:
        """Returns `text`, as read from a page, with `mark` in place of the page's mark at each of `gaps`. Gaps with
        nothing but white space between them become one. A mark that begins or ends with a blank replaces those beside
        the gap."""
        replaced = _replaced(text, gaps, mark)
        edges = [0, *(edge for faded in replaced for edge in faded), len(text)]
        pieces = [text[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
        places = []
        length = 0
        for piece in pieces[:-1]:
            places.append(length + len(piece))
            length = places[-1] + len(mark)
        return cls(mark.join(pieces), places, replaced, len(mark))

    def moved(self, place: int) -> int:
        """Returns the offset in `text` of the character at `place` of the original text; that of the mark for a
        character which it replaces."""
        number = bisect_right([stop for _, stop in self._replaced], place)  # marks before `place`
        if number < len(self._replaced) and self._replaced[number][0] < place:
            return self.gaps[number]
        if not number:
            return place
        return place - self._replaced[number - 1][1] + self.gaps[number - 1] + self._mark_chars


def _replaced(text: str, gaps: Sequence[int], mark: str) -> list[tuple[int, int]]:
    """Returns the ranges of `text` that `mark` replaces."""
    ranges: list[tuple[int, int]] = []
    for gap in gaps:
        stop = gap + len(GAP_MARK)
        if ranges and not text[ranges[-1][1] : gap].strip():
            ranges[-1] = ranges[-1][0], stop
        else:
            ranges.append((gap, stop))
    for number, (start, stop) in enumerate(ranges):
        while mark[0] == " " and start and text[start - 1] == " ":
            start -= 1
        while mark[-1] == " " and text[stop : stop + 1] == " ":
            stop += 1
        ranges[number] = start, stop
    return ranges
