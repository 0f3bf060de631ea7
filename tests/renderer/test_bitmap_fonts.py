"""The bitmap fonts of readers: glyphs, fallback to Unifont, and files that are missing."""

import string
from dataclasses import replace
from itertools import combinations
from typing import get_args

import numpy as np
import pytest

from foxing.renderer import PageLayout, RenderError
from foxing.renderer.bitmap_fonts import BITMAP_FONTS, BitmapFont, BitmapGlyphs, bitmap_glyphs
from foxing.renderer.layout import FontName
from foxing.renderer.marks import MARKS
from foxing.renderer.page import WIDE_TAIL
from foxing.renderer.raster import rasterize
from foxing.renderer.typeset import code_points

FONTS = list(BITMAP_FONTS.values())
PRINTED = string.ascii_letters + string.digits + string.punctuation


def layout(font: BitmapFont, columns: int = 10) -> PageLayout:
    name = next(each for each in get_args(FontName) if each == font.name)
    return PageLayout(columns=columns, cell_width_px=font.width_px, cell_height_px=font.height_px, font=name)


@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.name)
def test_ascii_and_marks_have_glyphs_of_their_own(font: BitmapFont) -> None:
    glyphs = bitmap_glyphs(font.name)
    assert all(map(glyphs.draws, PRINTED + MARKS))
    drawn = {character: glyphs.halves(code_points(character))[0, 0].tobytes() for character in PRINTED + MARKS}
    assert not any(drawn[one] == drawn[other] for one, other in combinations(drawn, 2))
    assert all(0 in pixels for pixels in drawn.values())
    assert not glyphs.draws("여")


@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.name)
def test_a_page_is_drawn_in_ink_and_paper_alone(font: BitmapFont) -> None:
    cells = np.zeros((2, 10), dtype=np.uint32)
    cells[0, :5] = code_points("Fox 7")
    cells[1, :2] = code_points("여")[0], WIDE_TAIL
    cells[1, 4] = WIDE_TAIL  # of no character
    drawn = rasterize(cells, layout(font))
    assert drawn.shape == (2 * font.height_px, 10 * font.width_px)
    assert set(np.unique(drawn)) == {0, 255}
    in_cells = drawn.reshape(2, font.height_px, 10, font.width_px).transpose(0, 2, 1, 3)
    inked = (in_cells == 0).any(axis=(2, 3))
    assert inked[0].tolist() == [True, True, True, False, True] + [False] * 5
    assert inked[1].tolist() == [True, True] + [False] * 8, "characters that the font lacks are drawn in Unifont"


JETBRAINS_INK, SPLEEN_INK = 85, 37


def test_the_same_page_has_the_same_pixels_in_every_process() -> None:
    """The glyphs are stored as bits, so no rasteriser of the machine takes part."""
    cells = np.zeros((1, 10), dtype=np.uint32)
    cells[0, :3] = code_points("a0O")
    jetbrains = rasterize(cells, layout(BITMAP_FONTS["jetbrains-mono-14"]))
    assert (jetbrains == 0).sum() == JETBRAINS_INK
    assert (rasterize(cells, layout(BITMAP_FONTS["spleen-5x8"])) == 0).sum() == SPLEEN_INK


def test_a_missing_font_is_reported() -> None:
    with pytest.raises(RenderError, match=r"none\.npz cannot be read .* reinstall foxing"):
        BitmapGlyphs(replace(FONTS[0], name="none"))
