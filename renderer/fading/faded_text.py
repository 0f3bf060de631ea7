"""The text that is left of a message when words of it have faded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.renderer.marks import GAP_MARK
from foxing.renderer.scripts import is_unspaced
from foxing.renderer.typeset import Entry

from .words import Word

#: What ends a statement. At the end of a text it fades without a mark, which would take more room and tell no more.
_FULL_STOPS = frozenset(".。．!！…")


@dataclass(frozen=True)
class FadedText:
    """What is left of a text."""

    #: One `GAP_MARK` for each gap.
    text: str
    #: Where in `text` the gaps are.
    gaps: frozenset[int]
    #: int64[len(text)], ascending: the character of the original that each character is; for a mark and the blanks
    #: beside it, the first one that has faded there.
    origin: npt.NDArray[np.int64]

    @property
    def gone(self) -> bool:
        """Whether nothing is left but a gap."""
        return self.text == GAP_MARK and bool(self.gaps)

    def entry(self, entry: Entry) -> Entry:
        """`entry` with this as its content, and without its header."""
        return replace(entry, content=self.text, gaps=self.gaps, skip_chars=0, header=False)


def faded(
    text: str,
    words: Sequence[Word],
    kept: npt.NDArray[np.bool_],
    gaps: Collection[int] = (),
    *,
    continues_after: bool = False,
) -> FadedText:
    """`text` with one mark in the place of each run of words that are not `kept`, and of what is between them.

    `words`: those of `words_of(text, gaps)`; `kept`: bool[len(words)]; `gaps`: the ones that `text` already has. A mark
    and a kept word are separated by one blank, which scripts without blanks do not need. A full stop at the end of the
    message fades without a mark. `continues_after`: whether `text` ends before the message does.
    """
    if kept.all():
        return FadedText(text, frozenset(gaps), np.arange(len(text), dtype=np.int64))
    pieces = _pieces(words, kept, gaps)
    if not pieces[0].gone:
        pieces[0] = pieces[0]._replace(start=0)
    if not pieces[-1].gone:
        pieces[-1] = pieces[-1]._replace(stop=len(text))
    elif len(pieces) > 1 and not continues_after and _FULL_STOPS.issuperset(text[pieces[-1].start : pieces[-1].stop]):
        del pieces[-1]
    written: list[str] = []
    origins: list[npt.NDArray[np.int64]] = []
    marks: list[int] = []
    length = 0
    for number, piece in enumerate(pieces):
        if piece.gone:
            before = " " if number and not is_unspaced(text[pieces[number - 1].stop - 1]) else ""
            after = " " if piece is not pieces[-1] and not is_unspaced(text[pieces[number + 1].start]) else ""
            marks.append(length + len(before))
            written.append(before + GAP_MARK + after)
            origins.append(np.full(len(written[-1]), piece.start, dtype=np.int64))
        else:
            written.append(text[piece.start : piece.stop])
            origins.append(np.arange(piece.start, piece.stop, dtype=np.int64))
        length += len(written[-1])
    return FadedText("".join(written), frozenset(marks), np.concatenate(origins))


class _Piece(NamedTuple):
    """A range of characters of a text that stays, or that becomes one gap."""

    start: int
    stop: int
    gone: bool


def _pieces(words: Sequence[Word], kept: npt.NDArray[np.bool_], gaps: Collection[int]) -> list[_Piece]:
    """The pieces of a text in turns, white space around a gap left out."""
    parts = [_Piece(*word, not stays) for word, stays in zip(words, kept.tolist(), strict=True)]
    parts += [_Piece(place, place + 1, True) for place in gaps]
    pieces: list[_Piece] = []
    for part in sorted(parts) if gaps else parts:
        if pieces and pieces[-1].gone == part.gone:
            pieces[-1] = pieces[-1]._replace(stop=part.stop)
        else:
            pieces.append(part)
    return pieces
