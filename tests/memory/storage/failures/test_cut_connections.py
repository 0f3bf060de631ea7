"""PostgreSQL ends a connection in the middle of a transaction: a clear error or none, and nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.databases import PostgresServer
from support.migrations import add_later_migration
from support.operations.failures import at_each_statement, cut_at
from support.service import check_problem, ok, serve

from foxing.memory import Memory, StorageError
from foxing.memory.errors import ConnectionLost
from foxing.memory.storage.database import Database

MESSAGES = 24
CUTS = 5  # of each kind of work, from its first statement to the last
QUESTION = "the parcels of the courier"
READING = "closed the connection while it was being read; try again"

Fill = Callable[[Memory, range], None]
Check = Callable[[Memory, int], None]
Work = Callable[[Memory], object]

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # psycopg's open cursors
    pytest.mark.usefixtures("message_ages"),
]


@pytest.fixture
def urls(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """Two databases: one is worked on, from the other its connections are cut."""
    urls = postgres_server.new_database(), postgres_server.new_database()
    yield urls
    for url in urls:
        postgres_server.give_back(url)


def statements(url: str, work: Work, memory: Memory) -> int:
    with at_each_statement(url, lambda *_: None) as count:
        work(memory)
        return count()


def numbers(last: int) -> list[int]:
    return sorted({1 + round(step * (last - 1) / (CUTS - 1)) for step in range(CUTS)})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["store", "seal", "age", "tick"])
def test_a_connection_is_cut_in_the_middle_of_writing(
    kind: str, urls: tuple[str, str], store: Fill, check_whole: Check, later: datetime, postgres_server: PostgresServer
) -> None:
    def prepare(memory: Memory) -> None:
        if kind != "store":
            store(memory, range(MESSAGES))
        if kind == "age":
            memory.seal("ana")

    works: dict[str, Work] = {
        "store": lambda memory: store(memory, range(MESSAGES)),
        "seal": lambda memory: memory.seal("ana"),
        "age": lambda memory: memory.age("ana", now=later),
        "tick": lambda memory: memory.tick(now=later),
    }
    work = works[kind]
    with Memory(urls[0]) as memory:
        prepare(memory)
        last = statements(urls[0], work, memory)
    for number in numbers(last):
        url = postgres_server.new_database()
        with Memory(url) as memory:
            prepare(memory)
            with cut_at(url, urls[1], number) as count, suppress(ConnectionLost):
                work(memory)
            assert count() >= number
            held = 0 if kind == "store" and not memory.banks().banks else memory.bank("ana").messages
            assert held == MESSAGES or (kind, held) == ("store", 0)
            if held:
                check_whole(memory, MESSAGES)
            work(memory)
            check_whole(memory, MESSAGES)
            if kind in ("age", "tick"):
                memory.tick(now=later)
                assert {page.tier for page in memory.pages("ana").pages} == {"micro"}
        postgres_server.give_back(url)


@pytest.mark.slow
def test_a_connection_is_cut_in_the_middle_of_recall(urls: tuple[str, str], store: Fill, check_whole: Check) -> None:
    url, outside = urls
    with Memory(url) as memory:
        store(memory, range(MESSAGES))
        memory.seal("ana")
        memory.recall("ana", QUESTION)
        last = statements(url, lambda memory: memory.recall("ana", QUESTION), memory)  # with everything in caches
        assert last > CUTS
        for number in numbers(last):
            with cut_at(url, outside, number), pytest.raises(StorageError, match=READING):
                memory.recall("ana", QUESTION)
            assert memory.recall("ana", QUESTION).spans
        check_whole(memory, MESSAGES)


def test_the_service_and_the_command_line_say_so_and_go_on(urls: tuple[str, str], store: Fill) -> None:
    url, outside = urls
    with Memory(url) as memory:
        store(memory, range(MESSAGES))
        with serve(memory) as client:
            request = {"query": QUESTION}
            with cut_at(url, outside, 2):
                document = check_problem(client.post("/v1/banks/ana/recall", json=request), 503, "storage")
            assert READING in document["detail"]
            assert ok(client.post("/v1/banks/ana/recall", json=request))["spans"]
            message = {"id": "new", "role": "user", "content": "hello"}
            with cut_at(url, outside, 6) as count:
                answer = client.post("/v1/banks/ana/messages", json={"messages": [message]})
            assert count() > 6
            assert (answer.status_code, answer.json()["stored"]) == (201, 1)
    foxing = Foxing(url)
    migrated = statements(url, lambda _: foxing.json("banks"), memory) - 1
    with cut_at(url, outside, migrated):
        result = foxing.run("banks")
    assert result.exit_code == 1
    assert READING in " ".join(result.stderr.split())
    assert [bank["id"] for bank in foxing.json("banks")["banks"]] == ["ana"]


@pytest.mark.slow
def test_a_connection_is_cut_in_the_middle_of_a_migration(
    urls: tuple[str, str], store: Fill, check_whole: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, outside = urls
    with Memory(url) as memory:
        store(memory, range(MESSAGES))
        memory.seal("ana")
    with Database(url) as database:
        earlier = database.revision()
    add_later_migration(monkeypatch, tmp_path / "later")
    foxing = Foxing(url)
    for number in (8, 10, 12):
        with cut_at(url, outside, number):
            result = foxing.run("db", "upgrade")
        assert result.exit_code == 1
        assert "during a write, which was stored completely or not at all; try again" in " ".join(result.stderr.split())
        with Database(url) as database:
            assert database.revision() == earlier
    foxing.json("db", "upgrade")
    with Memory(url) as memory:
        check_whole(memory, MESSAGES)
