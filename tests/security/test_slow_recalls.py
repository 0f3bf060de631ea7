"""A service whose codec is busy."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.hooked_codec import HookedCodec
from support.service import BANK, BANK_PATH, LATER, NOW, ok, serve, store_conversation

from foxing.api import dependencies
from foxing.api.settings import load_settings
from foxing.memory import Memory

RECALLS = 20  # more than there are threads with codec work
MESSAGE = {"messages": [{"role": "user", "content": "Do you still listen?"}]}


@pytest.fixture
def codec() -> HookedCodec:
    return HookedCodec()


@pytest.fixture
def memory(database_path: Path, codec: HookedCodec) -> Iterator[Memory]:
    """A memory with a page that must be decoded."""
    with Memory(database_path, codec=codec) as memory:
        store_conversation(memory)
        memory.seal(BANK, now=NOW)
        memory.age(BANK, now=LATER)
        yield memory


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
    pool = settings.database_options
    assert pool.pool_size + pool.max_overflow > settings.threads + settings.codec_threads


def test_readiness_is_asked_once_a_second(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    time, asked = [1000.0], []
    check = memory.check
    monkeypatch.setattr(dependencies, "monotonic", lambda: time[0])
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
