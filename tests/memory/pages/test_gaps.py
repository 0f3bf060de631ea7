"""Gaps: what has faded reads as one mark, and is neither a word nor an uncertain character."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support.faded_codec import FadedCodec
from support.hooked_codec import HookedCodec
from support.search_doubles import indexed_terms

from foxing.encoder import Reading
from foxing.encoder.contract import UNREADABLE
from foxing.memory import Memory
from foxing.memory.lifecycle.retypeset import message_part
from foxing.memory.pages.content import PageState
from foxing.memory.pages.fidelity import character_loss, misread_share, missing_share, unreadable_share
from foxing.memory.storage.repositories.pages import KeepsakeRow, SpanRow
from foxing.memory.text.terms import terms
from foxing.renderer import Entry, PageLayout, Typesetter
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import code_points

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
URL = "https://nursery.example/spring-2026"
TEXT = f"The hydrangea stands half a metre from the foundation. Order at {URL} before noon, see⋯ you in Lisbon."
CHINESE = "会议室还是三楼的蓝色房间"
VOCABULARY = {*terms(TEXT), *terms(CHINESE), *terms("hy gea dation ⋯")}


def read(url: str, codec: HookedCodec, text: str = TEXT) -> Memory:
    memory = Memory(url, codec=codec, clock=lambda: NOW)
    memory.set_policy("ana", {"keep_text": "until:large", "index": "faded"})
    memory.store("ana", [{"id": "m", "role": "user", "content": text, "created_at": NOW}])
    memory.seal("ana")
    return memory


def found_by(path: Path, vocabulary: Iterable[str]) -> set[str]:
    return indexed_terms(path, vocabulary).get("m", set())


def test_a_gap_is_one_mark_and_leaves_index_and_confidence_alone(database_path: Path) -> None:
    with read(database_path, FadedCodec("half a metre", "Lisbon")) as memory:
        message = memory.message("ana", "m")
        page = memory.read_page("ana", memory.pages("ana").pages[0].id)
    assert message.text == TEXT.replace(" half a metre ", " … ").replace(" Lisbon", " … ")
    assert message.uncertain == page.uncertain == []
    assert message.confidence > 0.9
    assert page.confidence > 0.9
    assert page.text.count("⋯") == 2  # the literal one is an escape there
    found = found_by(database_path, VOCABULARY)
    assert {"hydrangea", "foundat", "see", "noon"} <= found
    assert not {"half", "metr", "lisbon", "⋯"} & found


@pytest.mark.usefixtures("words_alone")
def test_a_word_with_a_gap_in_it_leaves_the_index(database_path: Path) -> None:
    with read(database_path, FadedCodec("dran", "foun", "noon")) as memory:
        assert "hy … gea" in memory.message("ana", "m").text
        assert memory.recall("ana", "gea").spans == []
        assert len(memory.recall("ana", "metre").spans) == 1
    found = found_by(database_path, VOCABULARY)
    assert not {"hy", "gea", "hydrangea", "dation", "noon"} & found
    assert {"stand", "see"} <= found


def test_in_scripts_without_spaces_what_is_beside_a_gap_stays(database_path: Path) -> None:
    with read(database_path, FadedCodec("三楼"), CHINESE) as memory:
        assert memory.message("ana", "m").text == "会议室还是 … 的蓝色房间"
    found = found_by(database_path, VOCABULARY)
    assert {"会议", "还是", "的蓝", "房间"} <= found
    assert not {"是三", "三楼", "楼的"} & found


@pytest.mark.parametrize(
    ("faded", "expected"),
    [
        (URL, f"Order at {URL} before"),
        (f"at {URL}", f"Order … {URL} before"),
        (f"{URL} before", f"Order at {URL} … noon"),
        (f"Order at {URL} before", f". … {URL} … noon"),
        ("spring", f"Order at {URL} before"),
    ],
)
def test_a_keepsake_lies_in_the_gap_where_it_stood(database_path: Path, faded: str, expected: str) -> None:
    long = TEXT + " It rained again, and nobody went to the garden." * 20  # keepsakes take a small share
    with read(database_path, FadedCodec(faded), long) as memory:
        message = memory.message("ana", "m")
    assert expected in message.text
    assert all(start > 150 for start, _, _ in message.uncertain)


def test_a_gap_stays_a_gap_when_its_page_is_typeset_again() -> None:
    layout = PageLayout(columns=16, rows=6)
    cells = np.full(96, BLANK, np.uint32)
    cells[8:31] = code_points("gone⋯⋯⋯⋯A-1⋯ and ⟦22EF⟧")[:23]
    state = PageState.of(reading(cells.reshape(6, 16)))
    span = SpanRow(page_id=1, ordinal=0, message_id=7, header_start=0, start=8, stop=31, char_start=0, char_stop=20)
    keepsake = KeepsakeRow(page_id=1, start=14, stop=15, message_id=7, text="A-12")
    part = message_part(state, layout, span, [keepsake])
    assert (part.text, part.gaps, part.keepsakes) == ("gone⋯A-12⋯A-1⋯ and ⋯", {4, 9, 13}, [(5, 9)])
    page = Typesetter(layout).page([Entry("7", "user", part.text, NOW, gaps=part.gaps)])
    (placed,) = page.placements
    again = transcribe(page.cells.reshape(-1)[placed.start : placed.stop], layout=layout, start=placed.start)
    assert (again.text, set(again.gaps.tolist())) == (part.text, part.gaps)


@pytest.fixture
def blank() -> np.ndarray:
    return np.where(code_points("ab cd⋯⋯ x") == 0x20, np.uint32(0), code_points("ab cd⋯⋯ x")).reshape(1, -1)


def reading(cells: np.ndarray, sure: float = 1.0) -> Reading:
    return Reading("tiny", cells, np.full(cells.shape, sure, np.float32), 0.5)


def test_a_reading_knows_its_gaps(blank: np.ndarray) -> None:
    held = reading(blank)
    assert held.gap.tolist() == [[c == "⋯" for c in "ab cd⋯⋯ x"]]
    assert held.text == "ab cd⋯ x"
    held.confidence[held.gap] = 0
    assert held.mean_confidence == 1
    gone = reading(np.full((2, 4), ord(GAP_MARK), np.uint32), 0)
    assert (gone.unread, gone.mean_confidence, gone.text) == (False, 1, "⋯")
    assert reading(np.zeros((2, 4), np.uint32)).unread
    mixed = gone.cells.copy()
    mixed[0, 0] = UNREADABLE
    assert reading(mixed).unread


def test_fidelity_counts_characters_not_gaps(blank: np.ndarray) -> None:
    faded = blank.copy()
    faded[0, :2] = ord(GAP_MARK)
    assert character_loss(blank, reading(blank)) == character_loss(faded, reading(blank)) == 0
    assert character_loss(blank, reading(faded)) == pytest.approx(2 / 5)
    assert missing_share(blank, reading(faded, 0.1)) == 0
    assert unreadable_share(np.full((1, 3), ord(GAP_MARK), np.uint32)) == 0


def test_what_was_lost_before_a_page_was_drawn_is_misread_too() -> None:
    grid = np.array([[*code_points("abcdefgh"), BLANK, BLANK]], dtype=np.uint32)
    misread, before = np.zeros((2, grid.shape[0], grid.shape[1]), dtype=bool)
    misread[0, [0, 8]] = True
    assert misread_share(grid, misread) == 1 / 8, "what was never there is no part of the page"
    before[0, [0, 8]] = True
    assert misread_share(grid, misread | before, before) == 2 / 9
    assert misread_share(np.full((1, 4), BLANK, dtype=np.uint32), np.ones((1, 4), dtype=bool)) == 0
