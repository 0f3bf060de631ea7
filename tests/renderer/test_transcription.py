"""Transcription of cells: escapes, blanks, confidence, and malformed input."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import Entry, PageLayout, Typesetter
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, grid_text, visible_cells, visible_text
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import code_points, escape


def test_an_escape_has_the_lowest_confidence_of_its_cells() -> None:
    cells = code_points("a" + escape("\x00") + "b")
    sure = np.array([0.9, 0.8, 0.3, 0.7, 0.6], dtype=np.float32)
    read = transcribe(cells, sure)
    assert read.text == "a\x00b"
    assert read.confidence.tolist() == pytest.approx([0.9, 0.3, 0.6])
    assert read.cell.tolist() == [0, 1, 4]


def test_each_character_has_its_cell() -> None:
    page = Typesetter().page([Entry("m1", "user", "a한\tb", datetime(2026, 3, 2, tzinfo=UTC))])
    span = page.placements[0]
    read = transcribe(page.cells.reshape(-1)[span.start : span.stop])
    placed = page.cells.reshape(-1)[span.start + read.cell].tolist()
    assert placed == [ord("a"), ord("한"), ord("⇥"), ord("b")]


@pytest.mark.parametrize(
    "reading",
    ["⟦", "⟧", "⟦⟧", "⟦41", "⟦G⟧", "⟦110000⟧", "⟦0000041⟧", "⟦ 41⟧", "⟦-1⟧", "⟦٤⟧", "⟦ab⟧"],
)
def test_a_malformed_escape_is_kept(reading: str) -> None:
    assert transcribe(code_points(reading)).text == reading


@pytest.mark.parametrize("reading", ["a⟦FẸ0F⟧b", "aXFE0F⟧b", "a⟦FE0F", "a⟦FE0X", "aX200B⟧⟦41⟧"])
def test_what_is_left_of_an_escape_is_not_certain(reading: str) -> None:
    """Of a misread digit only one cell is known to be wrong, and none of its characters was said."""
    read = transcribe(code_points(reading))
    said = {character for character, sure in zip(read.text, read.confidence.tolist(), strict=True) if sure}
    assert said <= {"a", "b", "A"} | ({"X"} if reading.endswith("X") else set())
    assert read.text[0] == "a"
    assert read.confidence[0] == 1


def test_an_escape_after_a_malformed_one_is_decoded() -> None:
    assert transcribe(code_points("⟦4⟦41⟧")).text == "⟦4A"


def test_blank_cells_inside_a_message_read_as_spaces() -> None:
    assert transcribe(np.array([97, BLANK, 98], dtype=np.uint32)).text == "a b"
    assert transcribe(np.zeros(0, dtype=np.uint32)).text == ""


def marked(text: str) -> np.ndarray:
    """`text` as cells, where `_` stands for a blank."""
    return np.where(code_points(text) == ord("_"), np.uint32(BLANK), code_points(text))


@pytest.mark.parametrize(
    ("cells", "text", "gaps"),
    [
        ("a ⋯ b", "a ⋯ b", [2]),
        ("⋯⋯⋯", "⋯", [0]),
        ("a⋯⋯b⋯", "a⋯b⋯", [1, 3]),
        ("⋯_⋯ ⋯", "⋯ ⋯ ⋯", [0, 2, 4]),
        ("⋯▒⋯", "⋯⋯", [0, 1]),
        ("⟦22EF⟧⋯⋯⟦22EF⟧", "⋯⋯⋯", [1]),
        ("⟦22EF⟧", "⋯", []),
        ("⟦41⟧ ⟦42⟧⋯⋯x", "A B⋯x", [3]),
        ("⟦4⋯⟧", "⟦4⋯⟧", [2]),
        ("abc", "abc", []),
    ],
)
def test_marks_right_after_one_another_are_one_gap(cells: str, text: str, gaps: list[int]) -> None:
    read = transcribe(marked(cells))
    assert (read.text, read.gaps.tolist()) == (text, gaps)
    assert len(read.confidence) == len(read.cell) == len(text)


def test_a_gap_takes_the_confidence_and_the_cell_of_its_first_mark() -> None:
    read = transcribe(code_points("a⋯⋯b"), np.array([0.9, 1.0, 0.2, 0.8], dtype=np.float32))
    assert read.confidence.tolist() == pytest.approx([0.9, 1.0, 0.8])
    assert read.cell.tolist() == [0, 1, 3]


def test_a_gap_goes_on_in_the_next_row() -> None:
    layout = PageLayout(columns=16, rows=6, newline="break")
    cells = np.full(32, ord("⋯"), dtype=np.uint32)
    cells[20:] = BLANK
    read = transcribe(cells, layout=layout)
    assert (read.text, read.gaps.tolist()) == ("⋯\n", [0])


def test_a_literal_gap_mark_is_typeset_as_an_escape_and_comes_back() -> None:
    page = Typesetter().page([Entry("m1", "user", "well⋯ no", datetime(2026, 3, 2, tzinfo=UTC))])
    assert page.text.endswith("well⟦22EF⟧ no")
    span = page.placements[0]
    read = transcribe(page.cells.reshape(-1)[span.start : span.stop])
    assert (read.text, read.gaps.tolist()) == ("well⋯ no", [])


def test_the_text_of_a_grid_has_one_mark_for_each_gap() -> None:
    cells = marked("a⋯⋯⋯b▒⋯▒⋯__")
    assert grid_text(cells) == "a⋯b▒⋯▒⋯"
    assert visible_text(cells) == "a⋯b⋯⋯"
    assert visible_cells(cells).tolist() == [0, 1, 4, 6, 8, 9, 10]
    assert load_atlas().width[ord(GAP_MARK)] == 1
