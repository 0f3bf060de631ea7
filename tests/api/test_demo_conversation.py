"""The demo: its conversation, and what it prints."""

import json
import re
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from foxing.api.cli.context import State
from foxing.api.demo.conversation import DECIDED_AT, ENDS_AT, SEED, STARTS_AT, demo_conversation
from foxing.api.demo.run import OLD_QUESTION, QUESTION, run_demo
from foxing.encoder import load_codec
from foxing.memory import InvalidInput, NewMessage
from foxing.renderer import DENSE_PAGE, Entry, Typesetter


@pytest.fixture(scope="module")
def conversation() -> list[NewMessage]:
    return demo_conversation()


def sentences(messages: list[NewMessage]) -> list[str]:
    """Sentences and lines of more than 40 characters."""
    parts = [part for m in messages for part in re.split(r"(?<=[.?!])\s+|\n", m.content)]
    return [part for part in parts if len(part) > 40]


def test_the_conversation_depends_only_on_the_seed(conversation: list[NewMessage]) -> None:
    assert demo_conversation(SEED) == conversation
    assert demo_conversation(SEED + 1) != conversation


def test_the_conversation_fills_twenty_dense_pages(conversation: list[NewMessage]) -> None:
    entries = [Entry(m.id or "", m.role, m.content, m.created_at or ENDS_AT, m.thread or "") for m in conversation]
    pages = Typesetter().pages(entries)
    assert sum(page.cells.size for page in pages) >= 270_000
    assert sum(page.cells.size == DENSE_PAGE.cells for page in pages) >= 20


def test_the_conversation_spans_more_than_a_year_in_order(conversation: list[NewMessage]) -> None:
    times = [m.created_at for m in conversation if m.created_at is not None]
    assert len(times) == len(conversation) == len({m.id for m in conversation})
    assert all(a <= b for a, b in pairwise(times))
    assert STARTS_AT <= times[0] < ENDS_AT - timedelta(days=395)
    assert ENDS_AT - timedelta(days=1) < times[-1] <= ENDS_AT
    months = Counter((at.year, at.month) for at in times)
    assert len(months) == 14
    assert min(count for month, count in months.items() if month != (2025, 2)) > 30


def test_the_decision_is_three_weeks_before_the_end(conversation: list[NewMessage]) -> None:
    decision = next(m for m in conversation if "decision 12 (6 March 2026)" in m.content)
    assert decision.created_at is not None
    assert abs(decision.created_at - DECIDED_AT) < timedelta(hours=1)
    assert "14 April 2026" in decision.content
    assert len({m.created_at.date() for m in conversation if m.thread == "titan" and m.created_at}) >= 25


def test_the_conversation_is_varied(conversation: list[NewMessage]) -> None:
    text = "\n".join(m.content for m in conversation)
    assert {m.role for m in conversation} == {"user", "assistant", "tool"}
    assert len({m.thread for m in conversation}) >= 15
    for expected in ("```python", "```sql", "| --- |".replace(" ", ""), '{"tool_call"', "https://", "₩", " ms", "€"):
        assert expected in text
    assert len(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", text)) > 100
    assert sum("가" <= c <= "힣" for c in text) > 5_000
    all_sentences = sentences(conversation)
    assert len(set(all_sentences)) > 0.7 * len(all_sentences)
    assert max(Counter(all_sentences).values()) <= 12


def test_every_slot_is_filled_and_every_character_is_in_the_repertoire(conversation: list[NewMessage]) -> None:
    text = "\n".join(m.content for m in conversation)
    assert not re.search(r"\{(:?[a-z]+(:[a-z])?|(n|dec|rows|list|let) [^}]*)\}", text.replace("{fetch}", ""))
    repertoire = load_codec().repertoire
    assert repertoire is not None
    assert repertoire.characters is not None
    assert set(text) - set(repertoire.characters) <= {"\n"}


@pytest.mark.slow
def test_the_demo_answers_from_aged_pages(
    conversation: list[NewMessage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Uses the last weeks only: the whole year takes a minute."""
    weeks = [m for m in conversation if m.created_at is not None and m.created_at > DECIDED_AT - timedelta(weeks=2)]
    run_demo(State(), tmp_path / "out", weeks)
    shown = capsys.readouterr().out
    assert QUESTION in shown
    assert re.search(
        r"2026-03-06 17:5\d \+09:00  (assistant|user Mina)  \[titan\]  decoded at small, 100% kept",
        shown,
    )
    assert re.search(r"tier .* original text .* zstd -19 .* remaining text .* zstd -19", shown)
    for tier in ("large", "base", "small", "tiny", "micro"):
        with Image.open(tmp_path / "out" / f"page-{tier}.png") as picture:
            assert picture.height <= picture.width
        assert (tmp_path / "out" / f"page-{tier}.txt").read_text(encoding="utf-8").strip()


@pytest.mark.slow
def test_the_demo_prints_json(
    conversation: list[NewMessage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_demo(State(as_json=True), tmp_path, conversation[-20:])
    document = json.loads(capsys.readouterr().out)
    assert document["messages"] == 20
    assert document["pages"] == sum(tier["pages"] for tier in document["tiers"])
    for tier in document["tiers"]:
        assert 0 < tier["words_kept"] <= tier["words"]
        assert (tier["words_invented"], tier["facts_kept"]) == (0, tier["facts"])
        assert 0 < tier["zstd_bytes_left"] <= tier["zstd_bytes"]
        assert 0 < tier["characters_left"] <= tier["characters"]
    assert [answer["question"] for answer in document["answers"]] == [QUESTION, OLD_QUESTION]
    assert len(document["files"]) == 10


def test_an_output_that_cannot_be_created_fails_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="choose another --output"):
        run_demo(State(), tmp_path / "file" / "out")
