"""A dry run finds what storing finds, and a file with a mistake stores nothing."""

import base64
import json
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.histories import json_lines
from support.images import png_of

from foxing.memory import Conflict, InvalidInput, InvalidTime, Memory, MemoryOptions, MessageTooLarge
from foxing.memory.errors import StorageError
from foxing.memory.ingest.importers import check_file, import_file, importer, preview_file
from foxing.memory.ingest.importers.importer import ImportOptions, store_file
from foxing.memory.values.messages import NewMessage, StoreResult

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
AT_ONCE = 10


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MESSAGES_AT_ONCE", AT_ONCE)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    options = MemoryOptions(embedder="none", max_message_bytes=1000)
    with Memory(database_url, options=options, clock=lambda: NOW) as opened:
        yield opened


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"m{number}", "role": "user", "content": f"note {number}", "thread": "t", **fields}


#: A PNG whose pixels cannot be decoded, though each of its parts is in order.
DAMAGED = base64.b64encode(png_of(64, 48, b"no pixels")).decode()
LATE = datetime(2027, 1, 1, tzinfo=UTC).isoformat()
MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    (line(25, content="x" * 1001), MessageTooLarge, "line 26: has 1,001 bytes"),
    (line(25, created_at=LATE), InvalidTime, "line 26: created_at is 2027"),
    (line(25, name="a\x07"), InvalidInput, "line 26: name contains control characters"),
    (line(25, content="\ud800"), InvalidInput, "line 26: content contains half of a surrogate pair"),
    (line(25, content=[{"type": "image", "data": DAMAGED}]), InvalidInput, "line 26: image 1: the image"),
    (line(3, content="another text"), Conflict, "line 26: the id 'm3' occurs twice"),
    (line(24, content="another text"), Conflict, "line 26: the id 'm24' occurs twice"),
    (line(3, thread="elsewhere"), Conflict, "line 26: the id 'm3' occurs twice"),
    (line(99, content="another text"), Conflict, "line 26: the id 'm99' belongs to another message"),
]


@pytest.mark.both_databases
@pytest.mark.parametrize(("mistake", "error", "reason"), MISTAKES)
def test_a_late_mistake_stores_nothing_and_the_dry_run_finds_it(
    memory: Memory, tmp_path: Path, mistake: dict[str, Any], error: type[Exception], reason: str
) -> None:
    memory.store("b", [line(99)])
    path = tmp_path / "late.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in [*map(line, range(25)), mistake]))
    with pytest.raises(error, match=reason), memory.operations.dry_run("b") as dry_run:
        preview_file(path, dry_run=dry_run)
    with pytest.raises(error, match=reason):
        import_file(memory, path, bank="b")
    assert [message.message_id for message in memory.export("b")] == ["m99"]
    if "m99" not in reason:
        with pytest.raises(error, match=reason):
            import_file(memory, path, bank="new")
    assert [bank.id for bank in memory.banks().banks] == ["b"]


def test_a_dry_run_says_what_is_new_and_what_the_policy_replaces(memory: Memory, tmp_path: Path) -> None:
    memory.set_policy("b", {"redact": ["email"]})
    memory.store("b", [line(3), line(4, content="write to ana@example.org")])
    path = tmp_path / "some.jsonl"
    path.write_text(json_lines(line(3), line(4, content="write to ana@example.org"), *map(line, range(5, 30)), line(3)))
    with memory.operations.dry_run("b") as dry_run:
        preview = preview_file(path, dry_run=dry_run)
    report = import_file(memory, path, bank="b")
    assert (preview.stored, preview.duplicates, preview.redacted) == (25, 3, {"email": 1})
    assert (report.stored, report.duplicates, report.redacted) == (25, 3, {"email": 1})
    alone = preview_file(path)
    assert (alone.stored, alone.duplicates, alone.messages) == (None, None, 28)


def test_messages_of_other_formats_that_the_bank_refuses_are_left_out_of_both(memory: Memory, tmp_path: Path) -> None:
    def chunk(number: int, text: str, at: datetime = NOW) -> dict[str, Any]:
        return {"id": f"{number}", "memory": text, "user_id": "ann", "created_at": at.isoformat()}

    chunks = [chunk(n, f"likes tea no. {n}") for n in range(25)]
    chunks += [chunk(30, "x" * 1001), chunk(31, "soon", NOW + timedelta(days=2)), chunk(3, "likes coffee")]
    path = tmp_path / "mem0.json"
    path.write_text(json.dumps(chunks))
    with memory.operations.dry_run("b") as dry_run:
        preview = preview_file(path, dry_run=dry_run)
    report = import_file(memory, path, bank="b")
    expected = {
        "messages that are too large": (1, 26),
        "messages with a time in the future, or out of range": (1, 27),
        "messages that differ from those stored under their ids": (1, 28),
    }
    for found in (preview, report):
        left = {each.reason: (each.count, int(each.first.rpartition(" ")[2])) for each in found.left_out}
        assert left == expected
    assert (preview.stored, report.stored, report.messages) == (25, 25, 28)


def test_an_import_that_ends_midway_says_what_is_stored(memory: Memory, tmp_path: Path) -> None:
    class Full:
        """Storage whose disk is full at the third batch."""

        calls = 0

        def store(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> StoreResult:
            self.calls += 1
            if self.calls == 3:
                raise StorageError("the disk is full; free space")
            return memory.store(bank, messages)

    path = tmp_path / "many.jsonl"
    path.write_text(json_lines(*map(line, range(45))))
    with pytest.raises(StorageError, match=r"disk is full.*; 20 of 45 messages are stored; import it again to store"):
        import_file(Full(), path, bank="b")
    assert import_file(memory, path, bank="b").stored == 25


def test_what_is_added_to_a_file_or_folder_while_it_is_read_comes_with_the_next_import(
    memory: Memory, tmp_path: Path
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    for name, numbers in (("a", range(12)), ("b", range(20, 32))):
        (folder / f"{name}.jsonl").write_text(json_lines(*map(line, numbers)))
    with memory.operations.dry_run("b") as dry_run:
        source = check_file(folder, ImportOptions(), dry_run=dry_run)
    with (folder / "a.jsonl").open("a") as file:
        file.write(json_lines(line(12, role="king")))  # would be an error
    (folder / "c.jsonl").write_text(json_lines(line(40)))
    assert store_file(memory, source, bank="b").stored == 24
    (folder / "a.jsonl").write_text(json_lines(*map(line, range(13))))
    assert import_file(memory, folder, bank="b").stored == 2


@pytest.mark.slow
def test_a_dry_run_takes_memory_for_a_batch_and_not_for_a_file(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    peaks = []
    for count in (2_000, 20_000):
        path.write_text(json_lines(*map(line, range(count))))
        tracemalloc.start()
        with memory.operations.dry_run("b") as dry_run:
            check_file(path, ImportOptions(), dry_run=dry_run)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
