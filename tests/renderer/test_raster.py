"""Drawing: exact glyphs at full resolution, the right size at each tier, and reproducible bytes."""

import io
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from foxing.renderer import DENSE_PAGE, Entry, LayoutError, PageLayout, RenderError, Typesetter, all_tiers, render
from foxing.renderer.atlas import load_atlas
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells
from foxing.renderer.raster import rasterize
from foxing.renderer.tiers import tier_named
from foxing.renderer.typeset import code_points

# In Unifont's hexadecimal format: 16 rows from the top, the leftmost pixel in the high bit.
LETTER_A = "0000000018242442427E424242420000"
SPACE = "00" * 16


def grid(text: str, columns: int = 8) -> Cells:
    cells = np.full((1, columns), BLANK, dtype=np.uint32)
    cells[0, : len(text)] = code_points(text)
    return cells


def bitmap(hexadecimal: str) -> npt.NDArray[np.uint8]:
    """uint8[16, 8]: 255 paper, 0 ink."""
    rows = np.frombuffer(bytes.fromhex(hexadecimal), dtype=np.uint8)
    return np.where(np.unpackbits(rows[:, None], axis=1), np.uint8(0), np.uint8(255))


def full_page() -> Cells:
    text = "The fox read 3 notes; 여우가 쪽지를 읽었다. {'key': [1, 2]}\n" * 400
    page = Typesetter().page([Entry("m", "user", text, datetime(2026, 3, 2, tzinfo=UTC))])
    assert page.rows_used == DENSE_PAGE.rows
    return page.cells


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_cell_shows_the_exact_glyph() -> None:
    pixels = rasterize(grid("AA A"))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (16, 64)
    for column, glyph in enumerate([LETTER_A, LETTER_A, SPACE, LETTER_A, SPACE]):
        assert np.array_equal(pixels[:, 8 * column : 8 * column + 8], bitmap(glyph))


def test_every_glyph_is_drawn_as_in_the_atlas() -> None:
    shown = np.flatnonzero(load_atlas().width).astype(np.uint32)
    wide = load_atlas().width[shown] == 2
    cells = np.full((len(shown), 2), BLANK, dtype=np.uint32)
    cells[:, 0] = shown
    cells[wide, 1] = WIDE_TAIL
    pixels = rasterize(cells).reshape(len(shown), 16, 16)
    halves, first = load_atlas().halves, load_atlas().first_half[shown]
    ink = np.unpackbits(halves[first], axis=1).reshape(-1, 16, 8)
    assert np.array_equal(pixels[:, :, :8] == 0, ink)
    right = np.unpackbits(halves[first[wide] + 1], axis=1).reshape(-1, 16, 8)
    assert np.array_equal(pixels[wide][:, :, 8:] == 0, right)
    assert (pixels[~wide][:, :, 8:] == 255).all()


def test_rows_are_drawn_below_each_other() -> None:
    cells = np.concatenate([grid("A"), grid(" A")])
    pixels = rasterize(cells)
    assert pixels.shape == (32, 64)
    assert np.array_equal(pixels[:16, :8], bitmap(LETTER_A))
    assert np.array_equal(pixels[16:, 8:16], bitmap(LETTER_A))
    assert (pixels[16:, :8] == 255).all()


def test_a_misread_page_can_be_drawn() -> None:
    last = int(np.flatnonzero(load_atlas().width == 1)[-1])
    cells = np.array([[WIDE_TAIL, ord("A"), WIDE_TAIL, WIDE_TAIL, 0x10FFFF, 3, last, WIDE_TAIL]], dtype=np.uint32)
    pixels = rasterize(cells)
    assert np.array_equal(pixels[:, 8:16], bitmap(LETTER_A))
    for column in (0, 2, 3, 4, 5, 7):
        assert (pixels[:, 8 * column : 8 * column + 8] == 255).all(), column


@pytest.mark.parametrize("tier", all_tiers())
def test_a_full_page_is_square_at_every_tier(tier: str) -> None:
    image = render(full_page(), DENSE_PAGE, tier)
    assert image.mode == "L"
    assert image.size == (tier_named(tier).side_px,) * 2


@pytest.mark.parametrize("tier", all_tiers())
@pytest.mark.parametrize("rows_used", [1, 7, 31, 33, 79])
def test_a_partly_filled_page_is_cropped_to_whole_token_rows(tier: str, rows_used: int) -> None:
    image = render(full_page()[:rows_used], DENSE_PAGE, tier)
    tokens = DENSE_PAGE.vision_tokens(rows_used, tier)
    assert image.size == (tier_named(tier).side_px, tokens // DENSE_PAGE.token_rows(tier) * 64)
    assert image.size[1] % 64 == 0
    assert image.size[1] * 80 >= rows_used * tier_named(tier).side_px


def test_the_largest_tier_is_not_scaled() -> None:
    cells = full_page()
    assert np.array_equal(np.asarray(render(cells, DENSE_PAGE, "large")), rasterize(cells))


@pytest.mark.parametrize("tier", all_tiers())
def test_downsampling_keeps_the_mean_brightness(tier: str) -> None:
    cells = full_page()
    sharp, image = rasterize(cells), np.asarray(render(cells, DENSE_PAGE, tier))
    # not exactly: where the filter overshoots, white is clipped to 255
    assert float(image.mean()) == pytest.approx(float(sharp.mean()), abs=0.02 * 255)


def test_downsampling_is_antialiased() -> None:
    greys = np.asarray(render(full_page(), DENSE_PAGE, "small"))
    assert len(np.unique(greys)) > 100


def test_blank_paper_is_white_at_every_tier() -> None:
    for tier in all_tiers():
        assert (np.asarray(render(grid("", 160), DENSE_PAGE, tier)) == 255).all()


@pytest.mark.parametrize("tier", all_tiers())
def test_a_crop_shows_what_the_full_page_shows(tier: str) -> None:
    """Except at the lower edge, where the filter reaches into the rows below."""
    cells, rows = full_page(), DENSE_PAGE.rows_per_token(tier)
    whole = np.asarray(render(cells, DENSE_PAGE, tier))
    part = np.asarray(render(cells[:rows], DENSE_PAGE, tier))
    assert np.array_equal(part[:48], whole[:48])


@pytest.mark.parametrize("tier", all_tiers())
def test_the_same_cells_give_the_same_bytes(tier: str) -> None:
    assert png(render(full_page(), DENSE_PAGE, tier)) == png(render(full_page(), DENSE_PAGE, tier))


def test_drawing_does_not_modify_the_cells() -> None:
    cells = full_page()[:3]
    before = cells.copy()
    render(cells, DENSE_PAGE, "tiny")
    assert np.array_equal(cells, before)


def test_a_layout_with_fewer_cells_fills_the_same_side() -> None:
    layout = PageLayout(columns=80, rows=40)
    cells = np.full((40, 80), ord("A"), dtype=np.uint32)
    assert render(cells, layout, "large").size == (1280, 1280)
    assert render(cells[:3], layout, "small").size == (640, 64)


@pytest.mark.parametrize("shape", [(0, 160), (81, 160), (80, 158), (80, 162), (12_800,)])
def test_cells_that_do_not_fit_the_layout_are_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(RenderError, match="do not fit a page of 160 columns by 80 rows"):
        render(np.full(shape, BLANK, dtype=np.uint32), DENSE_PAGE, "small")


def test_an_unknown_tier_or_one_that_does_not_divide_is_rejected() -> None:
    with pytest.raises(LayoutError):
        render(grid("A", 160), DENSE_PAGE, "gigantic")
    with pytest.raises(LayoutError):
        render(grid("A", 8), PageLayout(columns=8, rows=1), "small")
