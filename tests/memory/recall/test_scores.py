"""Parts of the scores of matches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foxing.memory import Memory, NotFound

BANK = "ana"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SAID = (
    "The greenhouse needs a new thermostat.",
    "Lunch was late again.",
    "Did anybody water the tomatoes?",
    "The thermostat of the cellar is fine.",
    "The train leaves at nine.",
    "Rain is expected on Sunday.",
    "Somebody has to call the plumber.",
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "foxing.db", clock=lambda: AT + timedelta(days=10)) as memory:
        said = [
            {"id": f"m{n}", "role": "user", "content": text, "created_at": AT + timedelta(days=n)}
            for n, text in enumerate(SAID)
        ]
        memory.store(BANK, said)
        yield memory


@pytest.mark.parametrize("query", ["thermostat in the greenhouse", "When did the tomatoes get water on 4 March?"])
def test_the_parts_add_up_to_the_score_of_recall(memory: Memory, query: str) -> None:
    recalled = {span.message_id: span.score for span in memory.recall(BANK, query).spans}
    scores = memory.recall(BANK, query, explain=True).scores
    assert {part.message_id: part.score for part in scores} == recalled
    for part in scores:
        assert (part.words + part.meaning + part.neighbours) * part.preference == pytest.approx(part.score, abs=2e-3)
        assert min(part.words, part.meaning, part.neighbours) >= -1e-4


def test_what_each_part_is_for(memory: Memory) -> None:
    parts = {part.message_id: part for part in memory.recall(BANK, "thermostat", explain=True).scores}
    assert parts["m0"].words > 0
    assert parts["m1"].words == 0
    assert parts["m1"].neighbours > 0  # said right after it
    assert parts["m0"].preference == 1
    dated = {part.message_id: part for part in memory.recall(BANK, "thermostat on 5 March", explain=True).scores}
    assert dated["m0"].preference == 0.5
    assert dated["m3"].preference == 1
    assert any(part.meaning for part in dated.values())


@pytest.mark.usefixtures("words_alone")
def test_without_an_embedder_nothing_is_for_meaning(tmp_path: Path) -> None:
    with Memory(tmp_path / "words.db") as memory:
        memory.store(BANK, [{"role": "user", "content": text} for text in SAID])
        assert {part.meaning for part in memory.recall(BANK, "thermostat", explain=True).scores} == {0.0}


def test_a_query_without_words_has_no_scores(memory: Memory) -> None:
    assert memory.recall(BANK, "2 March 2026", explain=True).scores == []
    assert len(memory.recall(BANK, "thermostat", limit=1, explain=True).scores) == 1
    with pytest.raises(NotFound):
        memory.recall("none", "thermostat", explain=True)
