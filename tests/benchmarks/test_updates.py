"""The benchmark of updates."""

import json
from pathlib import Path
from random import Random

import pytest

from benchmarks.locomo import read_locomo
from benchmarks.updates.__main__ import main
from benchmarks.updates.numbered import ask_numbered, make_facts
from benchmarks.updates.pairs import make_pairs
from foxing.memory import Memory, MemoryOptions

TURNS = (
    ("Cleo", "I'm going to the pottery class next month with my sister."),
    ("Dan", "Nice! I love painting in my garage."),
    ("Cleo", "My dog and I walk to the harbour every Monday, we love it."),
    ("Dan", "I moved here from Lisbon three years ago."),
)


@pytest.fixture
def three_conversations(locomo_file: Path) -> Path:
    """Conversations with sentences that have a value; the third one measures."""
    (first,) = json.loads(locomo_file.read_text(encoding="utf-8"))
    turns = [
        {"speaker": speaker, "dia_id": f"D1:{n}", "text": text} for n, (speaker, text) in enumerate(TURNS, start=1)
    ]
    conversation = {
        "speaker_a": "Cleo",
        "speaker_b": "Dan",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": turns,
    }
    asked = {"question": "Where is Dan from?", "answer": "Lisbon", "category": 4, "evidence": ["D1:4"]}
    others = [{"sample_id": f"conv-{n}", "conversation": conversation, "qa": [asked]} for n in (2, 3)]
    locomo_file.write_text(json.dumps([first, *others]), encoding="utf-8")
    return locomo_file


def test_the_newest_is_first_in_made_up_pairs(three_conversations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--locomo", str(three_conversations), "--embedder", "none", "--json"])
    row = json.loads(capsys.readouterr().out)["updates"]
    assert (row["embedder"], row["split"], row["conversations"]) == ("none", "test", 1)
    assert row["updates"] == 2 * len(TURNS)
    assert row["newest_not_found"] == row["older_not_found"] == row["others_linked"] == 0
    assert row["lookalikes_linked"] == 0
    assert row["linked"] > 0.5
    main(["--locomo", str(three_conversations), "--embedder", "none", "--pairs", "2", "--split", "dev"])
    assert "newest first" in capsys.readouterr().out


def test_pairs_are_the_same_on_every_run(three_conversations: Path) -> None:
    conversation = read_locomo(three_conversations)[-1]
    updates, alike = make_pairs(conversation, "test")
    assert (updates, alike) == make_pairs(conversation, "test")
    assert all(pair.earlier.created_at < pair.later.created_at for pair in (*updates, *alike))  # type: ignore[operator]
    assert {pair.later.content for pair in updates}.isdisjoint(pair.earlier.content for pair in updates)
    assert {pair.later.content for pair in updates}.isdisjoint(
        pair.later.content for pair in make_pairs(conversation, "dev")[0]
    )


def test_a_file_without_conversations_to_measure(locomo_file: Path) -> None:
    with pytest.raises(SystemExit, match="no conversation of this split"):
        main(["--locomo", str(locomo_file)])


def test_numbered_statements_are_made_and_asked_for(tmp_path: Path) -> None:
    facts = make_facts(60, "open", Random(1))
    assert sum(len(fact.statements) for fact in facts) == 60
    assert {fact.relation.part for fact in facts} == {"open"}
    with Memory(tmp_path / "bench.db", options=MemoryOptions(embedder="none")) as memory:
        rows = list(ask_numbered(memory, "none", sizes=(60,)))
    assert [(row.relations, row.each_message) for row in rows] == [
        *(("open", 1), ("open", 40)),
        *(("held out", 1), ("held out", 40)),
    ]
    assert all(row.newest_first > 0.8 for row in rows)


def test_the_newest_of_statements_in_long_messages_comes_first(tmp_path: Path) -> None:
    """Each message has forty statements, of other things with the same names."""
    facts = make_facts(2000, "open", Random(1))
    lines = [text for place in range(3) for fact in facts for text in fact.statements[place : place + 1]]
    texts = ["\n".join(lines[at : at + 40]) for at in range(0, len(lines), 40)]
    chains = [fact for fact in facts if len(fact.statements) > 2][:24]
    with Memory(tmp_path / "bench.db", options=MemoryOptions(embedder="none")) as memory:
        memory.store("ana", [{"role": "user", "content": text} for text in texts])
        for fact in chains:
            spans = memory.recall("ana", fact.question).spans
            places = [next((n for n, span in enumerate(spans) if text in span.text), -1) for text in fact.statements]
            assert places == sorted(places, reverse=True), fact
            assert 0 <= places[-1] < 3, fact
            assert all(spans[place].superseded_by for place in places[:-1])
