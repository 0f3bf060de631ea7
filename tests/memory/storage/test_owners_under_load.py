"""Owners of one PostgreSQL database who store, recall, seal, age, undo and erase at once: none sees another's rows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import ProgrammingError
from support.databases import PostgresServer, execute
from support.operations.checks import check, examples

from foxing.encoder import load_codec
from foxing.memory import DatabaseOptions, Memory, NotFound

pytestmark = pytest.mark.usefixtures("message_ages")

OWNERS = ("ana", "ben", "carla")
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MESSAGES = 24
TIMEOUT_S = 300  # reached only by a test that fails
ROLE = "crowd"


def secret(owner: str, number: int) -> str:
    return f"The {number}th word of {owner} is {owner}secret{number}, said nobody else."


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    url = postgres_server.new_database()
    with suppress(ProgrammingError):
        execute(url, f"CREATE ROLE {ROLE} LOGIN")
    execute(url, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}")
    return url


@pytest.mark.slow
def test_owners_who_work_at_once_see_their_own_rows_only(url: str) -> None:
    tenant = make_url(url).set(username=ROLE).render_as_string(hide_password=False)
    codec, stored = load_codec("native", "cpu"), Event()

    def owned(owner: str) -> Memory:
        options = DatabaseOptions(tenant, owner=owner, pool_size=4)
        return Memory(options, codec=codec, clock=lambda: START + 10 * DAY)

    def store(owner: str, memory: Memory) -> None:
        for number in range(MESSAGES):
            at = START + timedelta(minutes=number)
            message = {"id": str(number), "role": "user", "content": secret(owner, number), "created_at": at}
            memory.store(f"notes-{owner}", [message])

    def keep(memory: Memory, owner: str) -> None:
        bank = f"notes-{owner}"
        while not stored.is_set():
            with suppress(NotFound):  # nothing is stored yet
                memory.seal(bank, now=START + DAY)
                memory.age(bank)
            memory.tick()

    def look(memory: Memory, owner: str) -> int:
        seen = 0
        others = [other for other in OWNERS if other != owner]
        while not stored.is_set():
            assert {bank.id for bank in memory.banks().banks} <= {f"notes-{owner}"}
            with suppress(NotFound):
                for span in memory.recall(f"notes-{owner}", "secret word", limit=100).spans:
                    assert span.text == secret(owner, int(span.message_id)) or span.tier != "base"
                    assert not any(other in span.text for other in others)
                    seen += 1
            for other in others:
                assert not memory.recall(f"notes-{other}", "secret word").spans
                with pytest.raises(NotFound):
                    memory.erase_message(f"notes-{other}", "0")
        return seen

    memories = {owner: owned(owner) for owner in OWNERS}
    try:
        with ThreadPoolExecutor(3 * len(OWNERS)) as pool:
            working = [pool.submit(work, memory, owner) for owner, memory in memories.items() for work in (keep, look)]
            try:
                for storing in [pool.submit(store, owner, memory) for owner, memory in memories.items()]:
                    storing.result(TIMEOUT_S)
            finally:
                stored.set()
            for work in working:
                work.result(TIMEOUT_S)
        for owner, memory in memories.items():
            exported = list(memory.export(f"notes-{owner}"))
            assert [span.message_id for span in exported] == [str(number) for number in range(MESSAGES)]
            assert memory.operations.jobs.length().running == 0
    finally:
        for memory in memories.values():
            memory.close()
    assert dict(tuple(row) for row in execute(url, "SELECT name, owner FROM banks")) == {
        f"notes-{owner}": owner for owner in OWNERS
    }
    assert examples(check(url, embedder="use")) == []
