"""Text of a message after some of its words have faded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.renderer.marks import GAP_MARK
from foxing.renderer.scripts import is_unspaced
from foxing.renderer.typeset import Entry

from .words import Word

#: Punctuation that ends a statement. At the end of a text it fades without a gap mark, which would cost more than the
#: full stop and add no information.
_FULL_STOPS = frozenset(".。．!！…")
#: The gap mark of texts that were exported and stored again. At the end it says that something is missing.
_TEXT_GAP = "…"


@dataclass(frozen=True)
class FadedText:
    """Text that remains after fading."""

    #: The kept words, with one `GAP_MARK` for each gap.
    text: str
    #: Offsets of the gaps in `text`.
    gaps: frozenset[int]
    #: int64[len(text)], ascending: offset in the original text of each character; for a gap mark and the blanks beside
    #: it, the offset of the first character that faded there.
    origin: npt.NDArray[np.int64]

    @property
    def gone(self) -> bool:
        """True if nothing remains but a gap."""
        return self.text == GAP_MARK and bool(self.gaps)

    def entry(self, entry: Entry) -> Entry:
        """Returns `entry` with this text as its content and without a header."""
        return replace(entry, content=self.text, gaps=self.gaps, skip_chars=0, header=False)


def faded(
    text: str,
    words: Sequence[Word],
    flags: npt.NDArray[np.bool_],
    gaps: Collection[int] = (),
    *,
    continues_after: bool = False,
) -> FadedText:
    """Returns `text` with each run of words that are not `flags` replaced by one gap mark.

    `words`: the result of `words_of(text, gaps)`; `flags`: bool[len(words)]; `gaps`: offsets of gaps already in `text`;
    `continues_after`: whether the message continues after `text`. One blank separates a gap mark from a kept word,
    except in scripts without spaces. A full stop at the end of the message fades without a mark, but for a “…” that
    stands by itself.
    """
    if flags.all():
        return FadedText(text, frozenset(gaps), np.arange(len(text), dtype=np.int64))
    pieces = _pieces(words, flags, gaps)
    if not pieces[0].gone:
        pieces[0] = pieces[0]._replace(start=0)
    if not pieces[-1].gone:
        pieces[-1] = pieces[-1]._replace(stop=len(text))
    elif len(pieces) > 1 and not continues_after and _is_full_stop(text, pieces[-1]):
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
    """Range of characters that is kept, or that becomes one gap."""

    start: int
    stop: int
    gone: bool


def _is_full_stop(text: str, piece: _Piece) -> bool:
    """True if a piece at the end of a text adds no information."""
    end = text[piece.start : piece.stop]
    return _FULL_STOPS.issuperset(end) and not (end == _TEXT_GAP and text[: piece.start].endswith((" ", "\n")))


def _pieces(words: Sequence[Word], flags: npt.NDArray[np.bool_], gaps: Collection[int]) -> list[_Piece]:
    """Splits a text into alternating kept pieces and gaps, without the white space around gaps."""
    parts = [_Piece(*word, not stays) for word, stays in zip(words, flags.tolist(), strict=True)]
    parts += [_Piece(place, place + 1, True) for place in gaps]
    pieces: list[_Piece] = []
    for part in sorted(parts) if gaps else parts:
        if pieces and pieces[-1].gone == part.gone:
            pieces[-1] = pieces[-1]._replace(stop=part.stop)
        else:
            pieces.append(part)
    return pieces
