"""Bulk work by a pool whose workers are killed before they answer."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from support.databases import execute
from support.operations.bulk import ForgetfulPool
from support.other_weights import BANK, BothWeights, SampleBank, exactness, weights_of

from foxing.memory import InvalidInput, Memory, MemoryOptions
from foxing.memory.bulk.work import BulkWork, ImportRequest
from foxing.memory.ingest.importers import import_file, importer
from foxing.memory.lifecycle import age, reencode

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

B = TypeVar("B")
R = TypeVar("R")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LATER = START + timedelta(days=10)


def fill(memory: Memory, pages: int) -> None:
    memory.set_policy("ana", {"age_from": "message"})
    for number in range(pages):
        at = START + timedelta(minutes=number)
        memory.store("ana", [{"id": str(number), "role": "user", "content": f"Note {number}.", "created_at": at}])
        memory.seal("ana", now=LATER)


def write_talk(path: Path, messages: int, about: str = "the garden") -> Path:
    lines = [
        {"id": str(n), "role": "user", "content": f"Note {n}, about {about}.", "created_at": "2026-01-05T08:00:00Z"}
        for n in range(messages)
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return path


@pytest.mark.both_databases
def test_a_page_whose_worker_was_killed_after_writing_it_is_aged_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(age, "BATCH", 2)
    with Memory(database_url, clock=lambda: LATER) as memory:
        fill(memory, 7)
        seen: list[tuple[int, int]] = []

        report = memory.operations.bulk.age(
            "ana", ForgetfulPool(memory), progress=lambda *numbers: seen.append(numbers)
        )

        pages = memory.pages("ana").pages
        assert sorted(move.page_id for move in report.moved) == sorted(page.id for page in pages)
        assert (report.busy, report.unreadable, len(report.text_dropped)) == ([], [], 7)
        assert report.vision_tokens_after == sum(page.vision_tokens for page in pages)
        assert seen == [(2, 7), (4, 7), (6, 7), (7, 7)]
        assert execute(database_url, "SELECT DISTINCT version, tier, lease_owner FROM pages") == [(2, "small", None)]
        assert execute(database_url, "SELECT count(*), count(DISTINCT page_id) FROM trash") == [(7, 7)]
        assert memory.operations.bulk.age("ana", ForgetfulPool(memory)).moved == []


def test_a_page_that_is_changed_meanwhile_is_reported(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "BATCH", 2)

    class PinningPool(ForgetfulPool):
        def run(
            self, work: Callable[[BulkWork, B], R], batches: Sequence[B], *, in_order: bool = False
        ) -> Iterator[tuple[B, R]]:
            self.memory.pin("ana", pinned)
            return super().run(work, batches, in_order=in_order)

    with Memory(database_url, clock=lambda: LATER) as memory:
        fill(memory, 3)
        pinned = memory.pages("ana").pages[1].id

        report = memory.operations.bulk.age("ana", PinningPool(memory))

        assert (report.busy, len(report.moved)) == ([pinned], 2)


@pytest.mark.slow
def test_reencoding_counts_pages_that_a_killed_worker_has_written_as_current(
    bank: SampleBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencode, "BATCH", 1)
    with bank.open(BothWeights(bank.codec)) as memory:
        report = memory.operations.bulk.reencode(BANK, ForgetfulPool(memory))

        assert (len(report.reencoded), report.current, report.busy, report.unreadable) == (1, 2, [], [])
        assert set(weights_of(memory).values()) == {memory.codec.weights}
        assert exactness(memory) >= 0.97


def test_an_import_stores_what_it_stores_alone_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "MESSAGES_AT_ONCE", 10)
    path = write_talk(tmp_path / "talk.jsonl.gz", 45)
    options = MemoryOptions(embedder="use")
    paths = [tmp_path / "alone.db", tmp_path / "b.db"]
    alone, memory = (Memory(path, options=options, clock=lambda: LATER) for path in paths)
    with alone, memory:
        expected = import_file(alone, path, bank="ana")

        report = memory.operations.bulk.import_file(ImportRequest(path, "ana"), ForgetfulPool(memory))

        assert report == expected
        assert list(memory.export("ana")) == list(alone.export("ana"))
        codes = "SELECT * FROM embeddings ORDER BY message_id"
        assert execute(f"sqlite:///{tmp_path / 'b.db'}", codes) == execute(f"sqlite:///{tmp_path / 'alone.db'}", codes)
        assert execute(f"sqlite:///{tmp_path / 'b.db'}", "SELECT count(*) FROM embeddings") == [(45,)]


def test_a_file_that_changes_while_it_is_imported_is_refused(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.jsonl.gz", 4)

    class RewritingPool(ForgetfulPool):
        def run(
            self, work: Callable[[BulkWork, B], R], batches: Sequence[B], *, in_order: bool = False
        ) -> Iterator[tuple[B, R]]:
            write_talk(path, 5, "the pond")
            yield from super().run(work, batches, in_order=in_order)

    with Memory(tmp_path / "foxing.db") as memory:
        with pytest.raises(InvalidInput, match="has changed while it was imported"):
            memory.operations.bulk.import_file(ImportRequest(path, "ana"), RewritingPool(memory))
        assert memory.banks().banks == []
