"""A service whose codec is busy."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection
from support.hooked_codec import HookedCodec
from support.search_doubles import DictionaryIndex
from support.service import BANK, BANK_PATH, LATER, NOW, ok, serve, store_conversation

from foxing.api import readiness
from foxing.api.settings import load_settings
from foxing.memory import Memory, MemoryOptions, RecalledMessage
from foxing.memory.fair_semaphore import FairSemaphore
from foxing.memory.index.search_index import Hit, SearchQuery
from foxing.memory.pages.message_parts import RememberedMessage, recalled_message
from foxing.memory.recall import search, spans
from foxing.memory.recall.search import SEARCHES
from foxing.memory.storage.dialects import POSTGRESQL, SQLITE
from foxing.memory.storage.repositories.messages import Message

RECALLS = 20  # more than there are threads with codec work
MESSAGE = {"messages": [{"role": "user", "content": "Do you still listen?"}]}


@pytest.fixture
def codec() -> HookedCodec:
    return HookedCodec()


@pytest.fixture
def memory(database_url: str, codec: HookedCodec) -> Iterator[Memory]:
    """A memory with a page that must be decoded."""
    with Memory(database_url, codec=codec) as memory:
        store_conversation(memory)
        memory.set_policy(BANK, {"age_from": "message"})
        memory.seal(BANK, now=NOW)
        memory.age(BANK, now=LATER)
        yield memory


@pytest.mark.slow
def test_the_service_stores_and_is_ready_while_every_codec_thread_waits(memory: Memory, codec: HookedCodec) -> None:
    go_on, busy = threading.Event(), threading.Event()

    def wait() -> None:
        busy.set()
        assert go_on.wait(60)

    codec.before_decode = wait
    with serve(memory) as client, ThreadPoolExecutor(RECALLS) as pool:
        try:
            recalls = [pool.submit(client.post, f"{BANK_PATH}/recall", json={"limit": 500}) for _ in range(RECALLS)]
            assert busy.wait(60)
            for _ in range(20):
                assert client.post(f"{BANK_PATH}/messages", json=MESSAGE).status_code == 201
            assert ok(client.get("/readyz")) == {"status": "ok"}
            assert not any(recall.done() for recall in recalls)
        finally:
            go_on.set()
        assert all(recall.result().status_code == 200 for recall in recalls)


def test_there_are_more_database_connections_than_threads() -> None:
    settings = load_settings()
    assert sum(SQLITE.pool) > settings.threads + settings.codec_threads
    assert sum(POSTGRESQL.pool) > settings.codec_threads + 1  # threads that store share a transaction


def test_readiness_is_asked_once_a_second(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    time, asked = [1000.0], []
    check = memory.check
    monkeypatch.setattr(readiness, "monotonic", lambda: time[0])
    monkeypatch.setattr(memory, "check", lambda: (asked.append(time[0]), check()))
    with serve(memory) as client:
        assert [client.get("/readyz").status_code for _ in range(5)] == [200] * 5
        assert asked == [1000.0]
        time[0] += 1
        assert client.get("/readyz").is_success
        assert asked == [1000.0, 1001.0]
        memory.close()
        assert client.get("/readyz").is_success
        time[0] += 1
        responses: list[httpx.Response] = [client.get("/readyz") for _ in range(2)]
        assert [response.status_code for response in responses] == [503, 503]


class GatedIndex(DictionaryIndex):
    """Holds searches until it is opened, and counts those that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = threading.Semaphore(0), threading.Event()
        self.held = self.most = 0

    def search(self, connection: Connection, query: SearchQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
        self.held += 1
        self.most = max(self.most, self.held)
        self.entered.release()
        assert self.opened.wait(60)
        self.held -= 1
        return super().search(connection, query, after=after, limit=limit)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[FairSemaphore]:
    """What searches take turns by, one for each memory that the test opens."""
    made: list[FairSemaphore] = []

    def make(number: int) -> FairSemaphore:
        made.append(FairSemaphore(number))
        return made[-1]

    monkeypatch.setattr(search, "FairSemaphore", make)
    return made


def wait_for_the_others(turns: list[FairSemaphore]) -> None:
    """Until all of eight recalls wait but those that have their turn."""
    [semaphore] = turns
    for _ in range(6000):
        if semaphore.waiting == 8 - SEARCHES:
            return
        sleep(0.01)
    raise AssertionError(f"{semaphore.waiting} recalls wait")


def test_searches_take_turns(database_url: str, turns: list[FairSemaphore]) -> None:
    index = GatedIndex()
    with Memory(database_url, options=MemoryOptions(search_index=index)) as memory, ThreadPoolExecutor(8) as pool:
        memory.store(BANK, [{"role": "user", "content": "The bridge is closed"}])
        recalls = [pool.submit(memory.recall, BANK, "bridge") for _ in range(8)]
        for _ in range(SEARCHES):
            assert index.entered.acquire(timeout=60)
        wait_for_the_others(turns)
        index.opened.set()
        assert all(len(recall.result().spans) == 1 for recall in recalls)
    assert index.most == SEARCHES


def test_what_was_found_is_put_together_in_turns(
    database_url: str, monkeypatch: pytest.MonkeyPatch, turns: list[FairSemaphore]
) -> None:
    entered, opened = threading.Semaphore(0), threading.Event()
    held, most = [0], [0]

    def span(message: Message, remembered: RememberedMessage, *args: Any, **kwargs: Any) -> RecalledMessage:
        held[0] += 1
        most[0] = max(most[0], held[0])
        entered.release()
        assert opened.wait(60)
        held[0] -= 1
        return recalled_message(message, remembered, *args, **kwargs)

    monkeypatch.setattr(spans, "recalled_message", span)
    with Memory(database_url) as memory, ThreadPoolExecutor(8) as pool:
        memory.store(BANK, [{"role": "user", "content": "The bridge is closed"}])
        recalls = [pool.submit(memory.recall, BANK, since="yesterday") for _ in range(8)]
        for _ in range(SEARCHES):
            assert entered.acquire(timeout=60)
        wait_for_the_others(turns)
        opened.set()
        assert all(len(recall.result().spans) == 1 for recall in recalls)
    assert most[0] == SEARCHES
