"""Imports that are killed, and histories that move between databases."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Foxing
from support.databases import PostgresServer
from support.histories import HISTORIES, archive, chatgpt_conversation, chatgpt_node
from support.processes import start_python

from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import ImportOptions, import_file

KILLS = 20
PROGRAM = """
import sys
from pathlib import Path
from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import import_file
print("started", flush=True)
import_file(Memory(sys.argv[1], options=MemoryOptions(embedder="none")), Path(sys.argv[2]), bank="b")
"""


@pytest.fixture
def postgresql(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.new_database()
    yield url
    postgres_server.give_back(url)


def exported(memory: Memory) -> list[dict[str, Any]]:
    """The messages of the bank, without the reference, which is that of a bank, and the time of arrival."""
    own = ("ref", "arrived_at")
    return [
        {name: value for name, value in message.model_dump(mode="json").items() if name not in own}
        for message in memory.export("b")
    ]


def long_export(path: Path, conversations: int = 120, messages: int = 40) -> Path:
    made = []
    for number in range(conversations):
        nodes = [
            chatgpt_node(
                f"n{place}",
                f"n{place - 1}" if place else None,
                [f"n{place + 1}"] if place + 1 < messages else [],
                "assistant" if place % 2 else "user",
                f"message {place} of conversation {number}",
                create_time=1_700_000_000 + 1000 * number + place,
            )
            for place in range(messages)
        ]
        made.append(chatgpt_conversation(f"c{number}", *nodes))
    return archive(path, {"conversations.json": json.dumps(made)})


@pytest.mark.slow
def test_an_import_killed_at_any_point_ends_as_if_it_was_not(tmp_path: Path) -> None:
    path = long_export(tmp_path / "export.zip")
    whole, killed = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/killed.db"
    with Memory(whole, options=MemoryOptions(embedder="none")) as memory:
        start = time.monotonic()
        import_file(memory, path, bank="b")
        lasts = time.monotonic() - start
        expected = exported(memory)
    points = random.Random(5)
    for _ in range(KILLS):
        with start_python(PROGRAM, killed, str(path)) as process:
            process.stdout.readline()
            time.sleep(points.uniform(0, lasts))  # where it is killed is left to chance
            process.kill()
    with Memory(killed, options=MemoryOptions(embedder="none")) as memory:
        report = import_file(memory, path, bank="b")
        assert report.messages == 4_800
        assert exported(memory) == expected


@pytest.mark.slow
def test_histories_move_to_postgresql_and_back(tmp_path: Path, postgresql: str) -> None:
    options = MemoryOptions(embedder="none")
    first, third = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/third.db"
    with Memory(first, options=options) as memory:
        memory.set_policy("b", {"redact": ["secrets"]})
        for name in HISTORIES:
            path = HISTORIES[name][1](tmp_path / f"history {name.replace('/', ' ')}")
            import_file(memory, path, bank="b", options=ImportOptions(timezone="Asia/Seoul", dates="day-first"))
        memory.seal("b")
        expected = _move(memory, first, tmp_path / "first.jsonl")
    with Memory(postgresql, options=options) as memory:
        import_file(memory, tmp_path / "first.jsonl", bank="b")
        assert _move(memory, postgresql, tmp_path / "second.jsonl") == expected
    with Memory(third, options=options) as memory:
        import_file(memory, tmp_path / "second.jsonl", bank="b")
        assert _move(memory, third, tmp_path / "third.jsonl") == expected


def _move(memory: Memory, url: str, path: Path) -> list[tuple[Any, ...]]:
    """Exports the messages; returns id, thread, speaker, times, text, parts and metadata of each."""
    fields = ("message_id", "thread", "role", "name", "created_at", "arrived_at", "text", "parts", "metadata")
    found = [message.model_dump(mode="json") for message in memory.export("b")]
    Foxing(url).text("export", "--bank", "b", "--output", str(path))
    return sorted(tuple(json.dumps(message[name]) for name in fields) for message in found)
