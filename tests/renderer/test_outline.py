"""The outline font: glyphs, fallback to Unifont, and images of printed pages."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foxing.renderer import Entry, PageLayout, RenderError, Typesetter, render
from foxing.renderer.atlas import load_atlas
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.outline import FONT_PATH, OutlineGlyphs
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells
from foxing.renderer.raster import rasterize
from foxing.renderer.tiers import tier_named
from foxing.renderer.typeset import code_points

WIDTH, HEIGHT = PRINTED_PAGE.cell_width_px, PRINTED_PAGE.cell_height_px
ASCII = "".join(chr(c) for c in range(0x21, 0x7F))


def row(text: str) -> Cells:
    cells = np.full((1, PRINTED_PAGE.columns), BLANK, dtype=np.uint32)
    cells[0, : len(text)] = code_points(text)
    return cells


def printed(text: str) -> Cells:
    return Typesetter(PRINTED_PAGE).page([Entry("m", "user", text, datetime(2026, 3, 2, tzinfo=UTC))]).cells


def test_every_ascii_character_has_a_distinct_glyph() -> None:
    glyphs = [OutlineGlyphs(FONT_PATH, WIDTH, HEIGHT).glyph(ord(character)) for character in ASCII]
    assert all(glyph.shape == (HEIGHT, WIDTH) and glyph.min() < 64 for glyph in glyphs)
    assert len({glyph.tobytes() for glyph in glyphs}) == len(ASCII)


def test_letters_share_a_baseline_and_are_not_cut_off() -> None:
    glyphs = OutlineGlyphs(FONT_PATH, WIDTH, HEIGHT)
    lowest = {
        character: int(np.flatnonzero(glyphs.glyph(ord(character)).min(axis=1) < 128)[-1]) for character in "xAHn"
    }
    assert len(set(lowest.values())) == 1
    for character in "gjpqy|{":
        ink = glyphs.glyph(ord(character)).min(axis=1) < 128
        assert not ink[[0, -1]].any(), character


def test_a_cell_shows_its_glyph_at_any_position() -> None:
    pixels = rasterize(row("ab a"), PRINTED_PAGE)
    assert pixels.shape == (HEIGHT, PRINTED_PAGE.columns * WIDTH)
    cells = pixels.reshape(HEIGHT, -1, WIDTH).transpose(1, 0, 2)
    assert np.array_equal(cells[0], cells[3])
    assert not np.array_equal(cells[0], cells[1])
    assert (cells[2] == 255).all()
    assert (cells[4:] == 255).all()


@pytest.mark.parametrize("character", ["여", "漢", "😀"])
def test_missing_characters_fall_back_to_unifont(character: str) -> None:
    cells = row(character)
    cells[0, 1] = WIDE_TAIL
    drawn = rasterize(cells, PRINTED_PAGE)[:, : 2 * WIDTH]
    unifont = rasterize(cells[:, :2])
    assert np.array_equal(drawn, unifont.repeat(2, axis=0).repeat(2, axis=1))


def test_every_glyph_has_ink() -> None:
    glyphs = OutlineGlyphs(FONT_PATH, WIDTH, HEIGHT)
    shown = [point for point in np.flatnonzero(load_atlas().width).tolist() if point != 0x20]
    blank = [point for point in shown[:3000] + shown[3000::50] if glyphs.glyph(point).min() > 127]
    assert blank == []


def test_a_tail_without_a_full_width_character_is_blank() -> None:
    cells = row("a")
    cells[0, 1] = WIDE_TAIL
    assert np.array_equal(rasterize(cells, PRINTED_PAGE), rasterize(row("a"), PRINTED_PAGE))


@pytest.mark.parametrize("tier", ["large", "base", "small", "tiny", "micro"])
def test_a_printed_page_is_square_at_every_tier(tier: str) -> None:
    for text in ("One line.", "word " * 900):
        image = render(printed(text), PRINTED_PAGE, tier)
        assert image.size == (tier_named(tier).side_px, tier_named(tier).side_px)
        assert image.mode == "L"


def test_all_threads_draw_the_same_bytes() -> None:
    cells = printed("The fox read 3 notes; 여우가 쪽지를 읽었다.\n" * 20)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda _: render(cells, PRINTED_PAGE, "small").tobytes(), range(4)))
    assert len(set(images)) == 1


def test_unifont_can_be_scaled_by_an_integer() -> None:
    layout = PageLayout(columns=80, rows=40, cell_width_px=16, cell_height_px=32)
    cells = row("The fox")
    assert np.array_equal(rasterize(cells, layout), rasterize(cells).repeat(2, axis=0).repeat(2, axis=1))
    assert render(cells, layout, "large").size == (1280, 64)


def test_a_smaller_cell_shows_the_same_glyph_scaled_down() -> None:
    large, small = (OutlineGlyphs(FONT_PATH, side, 2 * side).glyph(ord("E")) for side in (32, 16))
    halved = np.asarray(Image.fromarray(large).resize((16, 32), Image.Resampling.BOX)).astype(int)
    assert np.abs(halved - small).mean() < 24


def test_a_missing_font_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"none\.ttf cannot be read .* reinstall foxing"):
        OutlineGlyphs(tmp_path / "none.ttf", WIDTH, HEIGHT)
