"""The benchmark of a tick over idle banks."""

from pathlib import Path

from benchmarks.idle_banks import MESSAGES, measure_idle_tick
from foxing.memory import Memory


def test_banks_are_copied_whole_and_idle(tmp_path: Path) -> None:
    result = measure_idle_tick(tmp_path / "bench.db", 5, ticks=1)
    assert (result.banks, result.pages, result.open_messages) == (5, 10, 5 * MESSAGES)
    with Memory(tmp_path / "bench.db") as memory:
        first, *copies = memory.banks().banks
        assert len(copies) == 4
        # a name of its own however often it was copied: names that grew were cut to the same from 8,192 banks on
        assert {copy.id for copy in copies} == {f"copy-{number}" for number in range(2, 6)}
        for copy in copies:
            assert copy.model_copy(update={"id": first.id, "bytes": first.bytes}) == first
        texts = [span.text for span in memory.export(first.id)]
        assert {span.thread for span in memory.export(copies[-1].id)} == {"aged", "sealed", "open"}
        for copy in copies:  # sealed messages are found by time and by number, and their words by search
            assert [span.text for span in memory.export(copy.id)] == texts
            assert memory.recall(copy.id, "message 3 Friday", limit=1).spans[0].text in texts
