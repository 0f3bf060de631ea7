"""Reading a page: its text for people, and the runs of that text that may be misread."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from support.hooked_codec import HookedCodec

from foxing.encoder import Reading, VisionTokens
from foxing.memory import Memory
from foxing.renderer.marks import FILLER_MARK, GAP_MARK
from foxing.renderer.page import WIDE_TAIL

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
#: Full-width characters after an odd number of narrow ones.
MIXED = "a 한국어 b 여섯 abc 다섯 글자, the 회의 was moved 오후 x 세시 "


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["base", "micro"])
def test_a_reading_has_no_fillers_and_its_runs_count_characters(database_url: str, tier: str) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:
        memory.store("ana", [{"role": "user", "content": f"{number} {MIXED}" * 3} for number in range(30)])
        page_id = memory.seal("ana").pages[0]
        memory.set_policy("ana", {"fresh": "base", "steps": [{"after": "P1D", "tier": "micro"}], "age_from": "message"})
        if tier == "micro":
            memory.age("ana", now="2026-04-01")
        reading = memory.read_page("ana", page_id)
        grid = memory.codec.decode([memory.page_tokens("ana", page_id)])[0]

    cells = [(chr(c or 0x20), s) for c, s in zip(grid.cells.flat, grid.confidence.flat, strict=True) if c != WIDE_TAIL]
    assert FILLER_MARK in {character for character, _ in cells}
    shown = [(character, sure) for character, sure in cells if character != FILLER_MARK]
    after_gap = [False, *(character == GAP_MARK for character, _ in shown)]  # a gap is one mark, however long it is
    shown = [cell for cell, follows in zip(shown, after_gap, strict=False) if not (follows and cell[0] == GAP_MARK)]
    assert reading.text == "".join(character for character, _ in shown).rstrip(" ")
    assert not any(FILLER_MARK in line.text for line in reading.lines)
    uncertain = {place for start, stop, _ in reading.uncertain for place in range(start, stop)}
    assert uncertain == {place for place, (_, sure) in enumerate(shown[: len(reading.text)]) if sure < grid.flag_below}
    assert uncertain or tier == "base" or (grid.confidence > 0.99).all()  # read back, so that no confidences are stored


def test_a_literal_filler_in_a_message_comes_back(database_url: str) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:
        memory.store("ana", [{"role": "user", "content": "bar ▒▒ 한"}])
        reading = memory.read_page("ana", memory.seal("ana").pages[0])
    assert reading.messages[0].text == "bar ▒▒ 한"
    assert "⟦2592⟧⟦2592⟧" in reading.text


def seven_for_one(_: VisionTokens, reading: Reading) -> Reading:
    """Every 1 read as a 7, without a doubt."""
    return replace(reading, cells=np.where(reading.cells == ord("1"), np.uint32(ord("7")), reading.cells))


@pytest.mark.parametrize("tier", ["base", "small"])
def test_what_is_known_to_be_misread_is_flagged_while_exact_text_is_kept(database_url: str, tier: str) -> None:
    with Memory(database_url, codec=HookedCodec(alter=seven_for_one), clock=lambda: NOW) as memory:
        memory.store("ana", [{"role": "user", "content": f"flight {number}, gate 14."} for number in range(30, 40)])
        page = memory.seal("ana").pages[0]
        reading = memory.read_page("ana", page, tier=tier)
    for text, uncertain in (
        (reading.text, reading.uncertain),
        *((message.text, message.uncertain) for message in reading.messages),
    ):
        places = {place for start, stop, _ in uncertain for place in range(start, stop)}
        assert {place for place, character in enumerate(text) if character == "7" and text[place + 1] == "4"} <= places
    assert "gate 74" in reading.text
