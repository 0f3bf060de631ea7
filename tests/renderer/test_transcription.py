"""Transcription of cells: escapes, blanks, confidence, and malformed input."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import BLANK, Entry, Typesetter, code_points, escape, transcribe


def test_an_escape_has_the_lowest_confidence_of_its_cells() -> None:
    cells = code_points("a" + escape("\x00") + "b")
    sure = np.array([0.9, 0.8, 0.3, 0.7, 0.6], dtype=np.float32)
    read = transcribe(cells, sure)
    assert read.text == "a\x00b"
    assert read.confidence.tolist() == pytest.approx([0.9, 0.3, 0.6])
    assert read.cell.tolist() == [0, 1, 4]


def test_each_character_has_its_cell() -> None:
    page = Typesetter().page([Entry("m1", "user", "a한\tb", datetime(2026, 3, 2, tzinfo=UTC))])
    span = page.spans[0]
    read = transcribe(page.cells.reshape(-1)[span.start : span.stop])
    placed = page.cells.reshape(-1)[span.start + read.cell].tolist()
    assert placed == [ord("a"), ord("한"), ord("⇥"), ord("b")]


@pytest.mark.parametrize(
    "reading",
    ["⟦", "⟧", "⟦⟧", "⟦41", "⟦G⟧", "⟦110000⟧", "⟦0000041⟧", "⟦ 41⟧", "⟦-1⟧", "⟦٤⟧", "⟦ab⟧"],
)
def test_a_malformed_escape_is_kept(reading: str) -> None:
    assert transcribe(code_points(reading)).text == reading


def test_an_escape_after_a_malformed_one_is_decoded() -> None:
    assert transcribe(code_points("⟦4⟦41⟧")).text == "⟦4A"


def test_blank_cells_inside_a_message_read_as_spaces() -> None:
    assert transcribe(np.array([97, BLANK, 98], dtype=np.uint32)).text == "a b"
    assert transcribe(np.zeros(0, dtype=np.uint32)).text == ""
