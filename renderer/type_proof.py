"""Proof of a type: which characters of a page it does not show safely. Glyphs are compared with each other, exactly."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .glyphs import glyph_halves, has_glyph, is_clipped, shown_characters
from .layout import PageLayout
from .page import Cells

#: Characters whose pictures differ by at most this many px of full ink look alike.
SIMILAR_PX = 2
#: Characters with which those of a page are compared, beside each other. A blank is one: a full stop may be a speck.
COMPARED = "".join(map(chr, range(0x20, 0x7F)))
#: Sequences that may look like one character, at any offset within their cells.
JOINED = {"rn": "m", "nn": "m", "ri": "n", "vv": "w", "cl": "d", "ci": "a", "li": "h", "lo": "b", "ol": "d"}
_PAPER = 255


@dataclass(frozen=True)
class TypeProof:
    """Characters of a page that a type does not show safely."""

    #: Characters that it has no glyph for: they are drawn in Unifont, or not at all.
    missing: frozenset[str] = frozenset()
    #: Characters of which the cell cuts off a part.
    clipped: frozenset[str] = frozenset()
    #: Character, or sequence of `JOINED` → characters that look like it, in order of code points.
    similar: Mapping[str, str] = field(default_factory=dict)

    @property
    def safe(self) -> bool:
        """True if the type shows all characters of the page safely."""
        return not (self.missing or self.clipped or self.similar)

    def is_unsafe(self, text: str) -> bool:
        """Returns True if `text` has a character that the type does not show safely."""
        if not self.missing.isdisjoint(text) or not self.clipped.isdisjoint(text):
            return True
        return any(character in self.similar for character in text) or any(
            sequence in text for sequence in self.similar if len(sequence) > 1
        )


def type_proof(cells: Cells, layout: PageLayout) -> TypeProof:
    """Returns the proof for the characters of a grid."""
    characters = shown_characters(np.unique(cells))
    kind = _kind(layout)
    similar = _similar(kind, "".join(c for c in characters if c not in COMPARED))
    return TypeProof(
        frozenset(c for c in characters if not _has_glyph(c, kind)),
        frozenset(c for c in characters if _is_clipped(c, kind)),
        {
            character: lookalikes
            for character, lookalikes in similar.items()
            if len(character) > 1 or character in characters
        },
    )


def _kind(layout: PageLayout) -> PageLayout:
    """Returns a layout of the same type, equal for all layouts of it."""
    width = layout.cell_width_px
    height = layout.cell_height_px
    return PageLayout(columns=9, rows=1, cell_width_px=width, cell_height_px=height, font=layout.font, wrap="words")


_has_glyph = lru_cache(maxsize=1 << 16)(has_glyph)
_is_clipped = lru_cache(maxsize=1 << 16)(is_clipped)


@lru_cache(maxsize=256)
def _similar(kind: PageLayout, others: str) -> Mapping[str, str]:
    """Returns character → those that look like it, of `COMPARED` and `others`, and the same for sequences."""
    characters = sorted({*COMPARED, *others})
    ink = _ink(characters, kind)
    flat = ink.reshape(len(characters), -1)
    groups: dict[str, list[str]] = {}
    for one, other in _near(flat):
        for character, like in ((characters[one], characters[other]), (characters[other], characters[one])):
            if character != " ":
                groups.setdefault(character, []).append(like)
    pictures = dict(zip(characters, ink, strict=True))
    for sequence, single in JOINED.items():
        if _joins(sequence, single, pictures, kind.cell_width_px):
            groups[sequence] = [single]
    return {character: "".join(sorted(lookalikes)) for character, lookalikes in groups.items()}


def _ink(characters: Collection[str], kind: PageLayout) -> npt.NDArray[np.int32]:
    """Returns int32[n, height, 2 · width], 0 is paper and 255 ink."""
    points = np.array([*map(ord, characters)], dtype=np.uint32)
    halves = glyph_halves(points, kind)
    whole = np.concatenate([halves[:, 0], halves[:, 1]], axis=2)
    return np.int32(_PAPER) - whole.astype(np.int32)


def _near(flat: npt.NDArray[np.int32]) -> Iterable[tuple[int, int]]:
    """Yields the pairs of rows whose sum of absolute differences is that of at most `SIMILAR_PX` px. Rows whose sums
    differ by more cannot be pairs."""
    limit = SIMILAR_PX * _PAPER
    sums = flat.sum(axis=1)
    order = np.argsort(sums, kind="stable")
    ends = np.searchsorted(sums[order], sums[order] + limit, side="right")
    for place, one in enumerate(order.tolist()):
        candidates = order[place + 1 : ends[place]]
        differences = np.abs(flat[candidates] - flat[one]).sum(axis=1)
        yield from ((one, other) for other in candidates[differences <= limit].tolist())


def _joins(sequence: str, single: str, pictures: Mapping[str, npt.NDArray[np.int32]], width_px: int) -> bool:
    """Returns True if two characters together look like a single one somewhere in their cells."""
    both = np.concatenate([pictures[character][:, :width_px] for character in sequence], axis=1)
    one = pictures[single][:, :width_px]
    shifted = (np.pad(one, ((0, 0), (offset, width_px - offset))) for offset in range(width_px + 1))
    return any(int(np.abs(both - image).sum()) <= SIMILAR_PX * _PAPER for image in shifted)
