"""A process killed while it writes blobs leaves nothing but objects that a sweep removes."""

import signal

import pytest
from support.databases import execute
from support.operations.blobs import DAY, MIN_BYTES, START, Storage
from support.processes import start_python

from foxing.api.memory_factory import memory_options
from foxing.api.settings import load_settings
from foxing.memory import Maintenance, Memory, MemoryOptions

ROUNDS = 4
WORK = """
import sys
from datetime import datetime, timedelta
from itertools import count
from foxing.memory import DatabaseOptions, Memory, MemoryOptions
start = datetime.fromisoformat(sys.argv[3])
options = DatabaseOptions(sys.argv[1], blobs_url=sys.argv[2], blobs_min_bytes=int(sys.argv[4]))
with Memory(options, options=MemoryOptions(embedder="none")) as memory:
    memory.set_policy("ana", {"age_from": "message"})
    for number in count():
        at = start + timedelta(minutes=number)
        memory.store("ana", [{"role": "user", "content": f"Note {number}. " * 8, "created_at": at}])
        memory.seal("ana", now=at)
        memory.age("ana", now=at + timedelta(days=400))
        if number % 3 == 2:
            memory.erase_message("ana", memory.recall("ana", limit=1).spans[0].message_id)
        print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.both_databases
def test_nothing_is_lost_and_nothing_is_left(
    database_url: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = storage.folder.as_uri()
    for number in range(ROUNDS):
        _run_and_kill(database_url, url, lines=1 + number)
    monkeypatch.setenv("FOXING_BLOBS_URL", url)
    monkeypatch.setenv("FOXING_BLOBS_MIN_BYTES", str(MIN_BYTES))
    settings = load_settings({"database_url": database_url})
    with Memory(storage.options(database_url), clock=lambda: START + 500 * DAY, options=MemoryOptions()) as memory:
        memory.tick()  # deletes what the killed processes had given up
        pages = memory.pages("ana").pages
        assert all(memory.read_page("ana", page.id).text is not None for page in pages)
    storage.make_old()
    with Maintenance(settings.database_options) as database:
        report = database.check("native", "cpu", None, memory_options(settings), repair=True, everything=True)
        wrong = {part.name: part.problems for part in report.parts if part.problems}
        assert set(wrong) <= {"blob-orphans", "page-leases", "codes"}
        assert report.sound
    names = {row[0] for row in execute(database_url, "SELECT name FROM blobs")}
    assert {path.name for path in storage.files()} == names
    assert names
    assert pages


def _run_and_kill(database: str, blobs: str, lines: int) -> None:
    with start_python(WORK, database, blobs, START.isoformat(), str(MIN_BYTES)) as process:
        for _ in range(lines):
            assert process.stdout.readline(), "the process ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
