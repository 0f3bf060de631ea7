"""A process killed in the middle of its work leaves the memory intact, and the work can be repeated."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.processes import start_python

from foxing.memory import Memory, MemoryOptions

pytestmark = pytest.mark.usefixtures("message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LATER = START + timedelta(days=400)
MESSAGES = 900
WORDS = MemoryOptions(embedder="none")  # to embed so many takes longer than all the rest
TEXT = "The quick brown fox jumps over the lazy dog and writes down what it saw, number"

STORE = f"""
import sys
from datetime import datetime, timedelta
from foxing.memory import Memory, MemoryOptions
start = datetime.fromisoformat(sys.argv[2])
memory = Memory(sys.argv[1], options=MemoryOptions(embedder="none"))
for number in range({MESSAGES}):
    memory.store("ana", [{{"id": str(number), "role": "user", "content": f"{TEXT} {{number}}.",
                           "created_at": start + timedelta(minutes=number)}}])
    if number % 20 == 0:
        print(number, flush=True)
"""

# small batches, so that the process can be killed between two
SEAL = """
import sys
from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest import seal
seal.PAGES_AT_ONCE = 2
memory = Memory(sys.argv[1], options=MemoryOptions(embedder="none"))
memory.seal("ana", progress=lambda done, total: print(done, flush=True))
"""

AGE = """
import sys
from datetime import datetime
from foxing.memory import Memory, MemoryOptions
from foxing.memory.lifecycle import age
age.BATCH = 2
memory = Memory(sys.argv[1], options=MemoryOptions(embedder="none"))
memory.age("ana", now=datetime.fromisoformat(sys.argv[2]), progress=lambda done, total: print(done, flush=True))
"""


def run_and_kill(code: str, database: Path, lines: int, at: datetime = START) -> None:
    """Runs `code` in another process and kills it after it has printed `lines` lines."""
    with start_python(code, str(database), at.isoformat()) as process:
        for _ in range(lines):
            assert process.stdout.readline(), "the process ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()


def store_all(memory: Memory) -> None:
    memory.store(
        "ana",
        [
            {
                "id": str(number),
                "role": "user",
                "content": f"{TEXT} {number}.",
                "created_at": START + timedelta(minutes=number),
            }
            for number in range(MESSAGES)
        ],
    )


def check_intact(memory: Memory, messages: int) -> None:
    """Asserts that every message is there once and can be read, and every page is intact at one tier."""
    exported = list(memory.export("ana"))
    assert [span.message_id for span in exported] == [str(number) for number in range(messages)]
    for span in exported:
        if span.source != "decoded":
            assert span.text == f"{TEXT} {span.message_id}."
        assert span.confidence > 0
    for page in memory.pages("ana", limit=500).pages:
        assert memory.page_tokens("ana", page.id).tier == page.tier
        assert memory.page_tokens("ana", page.id).count == page.vision_tokens


@pytest.mark.slow
def test_killed_while_storing(database_url: str) -> None:
    run_and_kill(STORE, database_url, lines=6)
    with Memory(database_url, options=WORDS) as memory:
        stored = memory.bank("ana").messages
        assert 0 < stored < MESSAGES
        check_intact(memory, stored)
        store_all(memory)  # what was stored is a duplicate, the rest is added
        check_intact(memory, MESSAGES)


@pytest.mark.slow
def test_killed_while_sealing(database_url: str) -> None:
    with Memory(database_url, options=WORDS) as memory:
        store_all(memory)
    run_and_kill(SEAL, database_url, lines=1)
    with Memory(database_url, options=WORDS) as memory:
        assert 0 < memory.bank("ana").open_messages < MESSAGES
        check_intact(memory, MESSAGES)
        memory.seal("ana")
        assert memory.bank("ana").open_messages == 0
        check_intact(memory, MESSAGES)


@pytest.mark.slow
def test_killed_while_ageing(database_url: str) -> None:
    with Memory(database_url, options=WORDS) as memory:
        store_all(memory)
        memory.seal("ana")
    run_and_kill(AGE, database_url, lines=1, at=LATER)
    with Memory(database_url, options=WORDS) as memory:
        check_intact(memory, MESSAGES)
        assert {page.tier for page in memory.pages("ana", limit=500).pages} == {"base", "micro"}
        report = memory.age("ana", now=LATER)
        # pages leased by the killed process are busy until the lease expires after a minute
        waiting = [page.id for page in memory.pages("ana", limit=500).pages if page.tier == "base"]
        assert sorted(report.busy) == sorted(waiting)
        check_intact(memory, MESSAGES)
