"""Alignment of a model's text with the grid: by ink, and removal of untrusted text."""

from datetime import UTC, datetime
from time import process_time

import numpy as np
import numpy.typing as npt
import pytest

from foxing.encoder import Reading, TokensError
from foxing.encoder.alignment import (
    UNREAD_BELOW,
    ink_of,
    mask_untrusted,
    pack_ink,
    place_on_ink,
    unpack_ink,
    without_markup,
)
from foxing.encoder.bench.documents import entries
from foxing.encoder.contract import UNREADABLE
from foxing.renderer import DENSE_PAGE, Entry, Page, PageLayout, Typesetter, all_tiers, render
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.page import BLANK, Cells, grid_text
from foxing.renderer.raster import rasterize
from foxing.renderer.transcription import transcribe

WORDS = "The delivery on 3 May is late by two days. 점심 먹자, said Dr. Keller; 17-24 pallets arrive before Whitsun."
WIDE_CELLS = PageLayout(columns=80, rows=40)
GRID = PageLayout(columns=8, rows=4, newline="break", cropped=False)
Sure = npt.NDArray[np.float32]


def page_and_ink(text: str, tier: str, layout: PageLayout = WIDE_CELLS) -> tuple[Page, npt.NDArray[np.bool_]]:
    page = Typesetter(layout).page(entries([{"id": "t", "messages": [{"role": "user", "content": text}]}]))
    rows = layout.cropped_rows(page.rows_used, tier)
    return page, ink_of(render(page.cells, layout, tier), rows, layout)


def lines_of(page: Page) -> list[str]:
    return [grid_text(row) for row in page.cells]


def put(lines: list[str], ink: npt.NDArray[np.bool_], sure: float = 0.95) -> tuple[Cells, Sure]:
    text = "\n".join(lines)
    return place_on_ink(text, np.full(len(text), sure, dtype=np.float32), ink)


def drawn_ink(page: Page) -> npt.NDArray[np.bool_]:
    """The cells of a page that have ink before it is scaled."""
    layout = page.layout
    blank = np.full((layout.rows - page.rows_used, layout.columns), BLANK, dtype=np.uint32)
    pixels = rasterize(np.concatenate([page.cells, blank]), layout)
    cells = pixels.reshape(layout.rows, layout.cell_height_px, layout.columns, layout.cell_width_px)
    return np.asarray((cells < 255).any((1, 3)))


@pytest.mark.parametrize("tier", all_tiers())
def test_the_ink_of_a_printed_page_is_exact_at_every_tier(tier: str) -> None:
    text = f"{WORDS} ▒▶◆ snake_case __init__ [x] |a|b| ~ ` ' . , ' {WORDS}\n\n████ 漢字と仮名。 _\n" * 4
    page, ink = page_and_ink(text, tier, PRINTED_PAGE)
    assert (ink == drawn_ink(page)).all()
    assert (unpack_ink(pack_ink(ink), PRINTED_PAGE) == ink).all()


def test_a_map_of_another_grid_is_rejected() -> None:
    packed = pack_ink(np.ones((PRINTED_PAGE.rows, PRINTED_PAGE.columns), dtype=bool))
    for wrong in (packed[:-1], packed + packed, b"\xff", pack_ink(np.ones((2, 8), dtype=bool))):
        with pytest.raises(TokensError, match="map of inked cells"):
            unpack_ink(wrong, PRINTED_PAGE)


@pytest.mark.parametrize("line", ["x\n", *(pytest.param(line, marks=pytest.mark.slow) for line in ("ab\n", "word\n"))])
def test_a_dense_page_of_very_short_lines_is_placed_quickly(line: str) -> None:
    ink = np.ones((DENSE_PAGE.rows, DENSE_PAGE.columns), dtype=bool)
    begun = process_time()
    cells, _ = place_on_ink(line * ink.size, np.ones(len(line) * ink.size, dtype=np.float32), ink)
    assert process_time() - begun < 10
    assert (cells == ord(line[0])).any()


@pytest.mark.parametrize("layout", [PRINTED_PAGE, DENSE_PAGE, WIDE_CELLS], ids=["printed", "dense", "wide"])
@pytest.mark.parametrize("tier", ["large", "small", "tiny", "micro"])
def test_a_correct_text_is_placed_in_its_original_cells(layout: PageLayout, tier: str) -> None:
    page, ink = page_and_ink(f"{WORDS}\n\n\t{WORDS} " * 6, tier, layout)
    cells, confidence = put(lines_of(page), ink)
    same = cells[: page.rows_used] == np.where(page.cells == 0x20, BLANK, page.cells)
    small_cells = layout is not PRINTED_PAGE and tier in ("tiny", "micro")  # of 2 to 6 px
    assert same.mean() > (0.98 if small_cells else 0.995)
    assert float((confidence >= 0.9).mean()) > (0.9 if small_cells else 0.96)


def test_line_breaks_in_other_places_make_no_difference() -> None:
    page, ink = page_and_ink(WORDS * 5, "large")
    expected, _ = put(lines_of(page), ink)
    joined = "".join(line.ljust(80) for line in lines_of(page))
    for lines in ([joined], joined.split(" "), [*lines_of(page)[:2], "", "", *lines_of(page)[2:]]):
        cells, _ = put(lines, ink)
        assert (cells == expected).mean() > 0.995


def test_omitted_lines_are_unreadable_and_the_rest_stays_in_place() -> None:
    page, ink = page_and_ink(WORDS * 9, "large")
    lines = lines_of(page)
    cells, confidence = put(lines[:4] + lines[6:], ink)
    assert (cells[:4] == np.where(page.cells[:4] == 0x20, BLANK, page.cells[:4])).mean() > 0.99
    assert (cells[4:6][ink[4:6]] == UNREADABLE).mean() > 0.9
    assert (confidence[4:6][ink[4:6]] == 0).mean() > 0.9
    assert (cells[6:9] == np.where(page.cells[6:9] == 0x20, BLANK, page.cells[6:9])).mean() > 0.98


def test_only_a_word_with_too_few_or_too_many_letters_loses_confidence() -> None:
    page, ink = page_and_ink("please tell the others before Friday", "large")
    for wrong in ("othrs", "otherrs"):
        cells, confidence = put([line.replace("others", wrong) for line in lines_of(page)], ink)
        row = grid_text(cells[0])
        at = lines_of(page)[0].index("others")
        assert (confidence[0, at : at + 6] < 0.8).all(), row
        assert (confidence[0, : at - 1][ink[0, : at - 1]] > 0.9).all(), row
        assert row[at + 7 :] == "before Friday"


def test_fillers_may_be_omitted() -> None:
    page, ink = page_and_ink("a 점심 ab 먹자 abc 내일", "large")
    assert "▒" in page.text
    cells, _ = put([line.replace("▒", "") for line in lines_of(page)], ink)
    assert (cells[: page.rows_used] == np.where(page.cells == 0x20, BLANK, page.cells)).all()


def test_an_unrelated_text_makes_the_page_unreadable() -> None:
    _, ink = page_and_ink(WORDS * 9, "large")
    cells, _ = put(["I am sorry, but I cannot help with this image."], ink)
    assert (cells[ink] == UNREADABLE).mean() > 0.9
    empty, confidence = put([""], ink)
    assert (empty[ink] == UNREADABLE).all()
    assert (confidence[ink] == 0).all()


def test_a_lost_line_moves_nothing() -> None:
    words = " ".join(f"{word} {number}" for number, word in enumerate(WORDS.split() * 8))
    page, ink = page_and_ink(words, "tiny", PRINTED_PAGE)
    lines = lines_of(page)
    expected = np.where(page.cells == 0x20, BLANK, page.cells)
    for lost in (0, 3, len(lines) - 1):
        cells, confidence = put(lines[:lost] + lines[lost + 1 :], ink)
        others = np.arange(len(lines)) != lost
        assert (cells[: len(lines)][others] == expected[others]).mean() > 0.99
        assert (confidence[lost][ink[lost]] == 0).mean() > 0.9


def test_markup_that_is_not_on_the_page_is_left_out() -> None:
    page, ink = page_and_ink("depot  orders  share\nVienna  8,098  4.7 %", "tiny", PRINTED_PAGE)
    header, *rows = lines_of(page)
    table = "".join(f"<tr>{''.join(f'<td>{part}</td>' for part in row.split('  '))}</tr>" for row in rows)
    table = table.replace("8,098", r"\(8,098\)").replace("%", r"\%")
    cells, _ = put([header, f"<table>{table}</table>"], ink)
    assert [grid_text(row) for row in cells[: page.rows_used]] == lines_of(page)


def test_markup_that_is_on_the_page_stays() -> None:
    page, ink = page_and_ink("Write <td>$5</td> and \\(x\\), **not** `this`.", "tiny", PRINTED_PAGE)
    cells, _ = put(lines_of(page), ink)
    assert [grid_text(row) for row in cells[: page.rows_used]] == lines_of(page)


def text_of(text: str, confidence: float = 0.9) -> tuple[str, Sure]:
    return text, np.full(len(text), confidence, dtype=np.float32)


@pytest.mark.parametrize("content", ["abc def", "abc\ndef", "abc\n\ndef", "ab\ncdefghi jk"])
def test_a_space_in_the_last_column_is_restored(content: str) -> None:
    layout = PageLayout(columns=8, rows=8, newline="break", cropped=False)
    page = Typesetter(layout).page([Entry("m", "u", content, datetime(2026, 3, 2, 9, 15, tzinfo=UTC))])
    span = page.placements[0]
    lines = [grid_text(row) for row in page.cells]  # without trailing blanks
    cells = put(lines, page.cells > 0x20)[0]
    assert transcribe(cells.reshape(-1)[span.start : span.stop], layout=layout, start=span.start).text == content


def reading(text: str, confidence: float = 0.9, looped: npt.NDArray[np.bool_] | None = None) -> Reading:
    ink = np.zeros((GRID.rows, GRID.columns), dtype=bool)
    for row, line in enumerate(text.split("\n")):
        ink[row, : len(line)] = [character != " " for character in line]
    return Reading("small", *place_on_ink(*mask_untrusted(*text_of(text, confidence), looped), ink), 0.8)


def test_repetitions_are_unreadable_and_may_make_the_page_unread() -> None:
    looped = np.array([False] * 4 + [True] * 4)
    read = reading("abcdefgh", looped=looped)
    assert read.cells[0].tolist() == [*map(ord, "abcd"), *[UNREADABLE] * 4]
    assert (read.confidence[0, 4:] == 0).all()
    assert read.unread
    assert not reading("abcdefgh").unread


def test_a_guessed_text_is_unread() -> None:
    guessed = reading("ab cd\nef", confidence=0.1)
    assert guessed.unread
    assert guessed.mean_confidence == 0.0
    assert not reading("ab cd\nef", confidence=0.6).unread


def test_characters_that_the_model_calls_unreadable_have_no_confidence() -> None:
    read = reading("ab\ufffd\ufffde")
    assert read.cells[0, :5].tolist() == [ord("a"), ord("b"), UNREADABLE, UNREADABLE, ord("e")]
    assert read.confidence[0, :5] == pytest.approx([0.9, 0.9, 0, 0, 0.9])


def test_a_guessed_text_is_unreadable_on_ink_too() -> None:
    page, ink = page_and_ink(WORDS * 5, "large", PRINTED_PAGE)
    text = "\n".join(lines_of(page))
    cells, sure = place_on_ink(*mask_untrusted(*text_of(text, UNREAD_BELOW - 0.05)), ink)
    assert (cells[ink] == UNREADABLE).all()
    assert (sure[ink] == 0).all()


def test_positions_are_removed_from_the_text() -> None:
    text, sure = without_markup(*text_of("<|ref|>one<|/ref|><|det|>[[10, 20, 300, 40]]<|/det|>\ntwo"))
    assert text == "one\ntwo"
    assert len(sure) == len(text)
