"""The bits of words, by the costs of the cells that they stand in."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import DENSE_PAGE, Entry, PageLayout, Typesetter
from foxing.renderer.fading import CellCosts, isolated_bits, word_bits, words_of
from foxing.renderer.page import Cells
from foxing.renderer.transcription import transcribe

AT = datetime(2026, 3, 2, tzinfo=UTC)


def ones(cells: Cells) -> CellCosts:
    return np.ones(cells.shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("to be,  or", [2, 3, 1, 4]),
        ("a\x00b c", [1, 3, 1, 2]),  # an escape has three cells
        ("a漢b", [2, 2, 1]),  # with the filler after it
        ("a ", [1]),
        (" ", []),
    ],
)
def test_bits_of_words(text: str, bits: list[float]) -> None:
    page = Typesetter(DENSE_PAGE).page([Entry("m", "user", "xy", AT), Entry("n", "user", text, AT, header=False)])
    assert page.placements[1].header_start % 2 == 1
    span = page.placements[1]
    read = transcribe(page.cells.reshape(-1)[span.start : span.stop], layout=page.layout, start=span.start)
    costs = ones(page.cells).reshape(-1)[span.start : span.stop]
    assert word_bits(words_of(text), read.cell, costs).tolist() == bits


def test_bits_alone_are_those_of_words_in_a_list() -> None:
    typesetter = Typesetter(PageLayout(columns=16, rows=2, newline="mark"))
    found = isolated_bits(["cat", "", "horse", "cat", "é", "elephantine", "x" * 20, "b"], typesetter, ones)
    assert found == {"cat": 3, "horse": 6, "é": 2, "elephantine": 12}
    assert isolated_bits([], typesetter, ones) == {}
