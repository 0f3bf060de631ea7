"""A service that is told to stop in the middle of long work, and what is to be gone before anything else is done."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.databases import count_embeddings
from support.hooked_codec import HookedCodec
from support.search_doubles import HashingEmbedder
from support.service import check_problem

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.encoder.native import parallel
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import Embeddings
from foxing.memory.lifecycle import age, embed
from tests.support.waiting import wait_until

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = START + 8 * DAY
PAGES = 6
AGEING = {"age_from": "message"}  # the messages are older than the test


@pytest.fixture
def codec() -> HookedCodec:
    return HookedCodec()


@pytest.fixture
def memory(database_url: str, codec: HookedCodec, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """A memory with `PAGES` pages that are due for `small`, which ages them one by one."""
    monkeypatch.setattr(age, "BATCH", 1)
    with Memory(database_url, codec=codec, clock=lambda: LATER) as memory:
        memory.set_policy("ana", AGEING)
        for number in range(PAGES):
            memory.store("ana", [{"role": "user", "content": f"Note {number}", "created_at": START}])
            memory.seal("ana", now=START)
        yield memory


class Gate:
    """Holds the first batch until the service is told to stop."""

    def __init__(self, codec: HookedCodec, is_stopping: Callable[[], bool]) -> None:
        self.reached = threading.Event()
        self._is_stopping = is_stopping
        codec.before_encode = self.wait

    def wait(self) -> None:
        self.reached.set()
        wait_until(self._is_stopping)


def tiers(memory: Memory) -> list[str]:
    return sorted(page.tier for page in memory.pages("ana").pages)


def test_a_job_ends_after_the_batch_in_progress(
    memory: Memory, codec: HookedCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Callable[[], bool]] = []
    work = memory.operations.jobs.work

    def noting_work(now: datetime, *, stopping: Callable[[], bool]) -> Any:
        asked.append(stopping)
        return work(now, stopping=stopping)

    monkeypatch.setattr(memory.operations.jobs, "work", noting_work)
    gate = Gate(codec, lambda: asked[-1]())
    app = create_app(load_settings({"ageing_enabled": True, "ageing_interval_s": 0.05}), memory)
    with BackgroundServer(app):
        assert gate.reached.wait(60)
    assert 0 < tiers(memory).count("small") < PAGES
    assert memory.operations.jobs.length().running == 0
    codec.before_encode = lambda: None
    memory.tick()
    assert tiers(memory) == ["small"] * PAGES


@pytest.mark.slow
def test_ageing_on_request_ends_after_the_batch_in_progress(memory: Memory, codec: HookedCodec) -> None:
    app = create_app(load_settings({"ageing_enabled": False}), memory)
    gate = Gate(codec, lambda: app.state.service.stopping.is_set())
    with ThreadPoolExecutor(1) as pool:
        with BackgroundServer(app) as server:
            answer = pool.submit(httpx.post, f"{server.url}/v1/banks/ana/age", timeout=60)
            assert gate.reached.wait(60)
        response = answer.result()
        assert (response.status_code, response.json()["state"]) == (202, "waiting")
    assert 0 < tiers(memory).count("small") < PAGES
    codec.before_encode = lambda: None
    with BackgroundServer(create_app(load_settings({"ageing_enabled": False}), memory)) as server:  # goes on by itself
        path = response.headers["Location"]
        wait_until(lambda: httpx.get(f"{server.url}{path}", params={"wait": 10}).json()["state"] == "done")
    assert tiers(memory) == ["small"] * PAGES


@pytest.mark.slow
def test_a_batch_that_is_being_encoded_is_given_up_between_two_pages(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(database_url, clock=lambda: LATER) as memory:
        memory.set_policy("ana", AGEING)
        for number in range(PAGES):
            text = f"Note {number}. " + 30 * f"The delivery of order {number} is late again. "
            memory.store("ana", [{"role": "user", "content": text, "created_at": START}])
            memory.seal("ana", now=START)
        memory.operations.jobs.fill(LATER)
        encoded = threading.Event()
        deferred = parallel._deferred

        def noting(work: Callable[[Any], Any], part: Any) -> Any:
            encoded.set()
            return deferred(work, part)

        monkeypatch.setattr(parallel, "_deferred", noting)
        done = list(iter(lambda: memory.operations.jobs.work(LATER, stopping=encoded.is_set), None))
        assert "age" not in [result.kind for result in done]
        assert encoded.is_set()
        assert tiers(memory) == ["base"] * PAGES
        length = memory.operations.jobs.length()
        assert (length.waiting, length.running, length.failed) == (1, 0, 0)
        assert memory.age("ana").busy == []
        assert tiers(memory) == ["small"] * PAGES


@pytest.mark.slow
def test_a_draining_service_is_not_ready_and_answers_on(memory: Memory) -> None:
    app = create_app(load_settings({"ageing_enabled": False, "drain_s": 600}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        assert client.get("/readyz").status_code == 200
        server._server.should_exit = True
        wait_until(lambda: client.get("/readyz").status_code == 503)
        check_problem(client.get("/readyz"), 503, "closed")
        assert client.get("/healthz").status_code == 200
        body = {"messages": [{"role": "user", "content": "in the last minute"}]}
        assert httpx.post(f"{server.url}/v1/banks/bo/messages", json=body, trust_env=False).status_code == 201
        server._server.force_exit = True
    assert memory.bank("bo").messages == 1


def test_embedding_ends_after_the_batch_in_progress(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "BATCH", 1)
    embedder = HashingEmbedder()
    options = MemoryOptions(embedder=embedder, embed_later=True)
    with Memory(database_url, options=options, clock=lambda: LATER) as memory:
        memory.store("ana", [{"role": "user", "content": f"Note {number}"} for number in range(PAGES)])
        memory.operations.jobs.fill(LATER)
        done = list(iter(lambda: memory.operations.jobs.work(LATER, stopping=lambda: True), None))
        assert [result.kind for result in done] == ["seal"]  # nothing fills a page
        assert count_embeddings(database_url) == 1
        app = create_app(load_settings({"ageing_enabled": False}), memory)
        reached = threading.Event()
        embed_documents = embedder.embed_documents

        def wait(texts: Sequence[str]) -> Embeddings:
            reached.set()
            wait_until(app.state.service.stopping.is_set)
            return embed_documents(texts)

        monkeypatch.setattr(embedder, "embed_documents", wait)
        with BackgroundServer(app) as server:
            message = {"messages": [{"role": "user", "content": "Another note"}]}
            assert httpx.post(f"{server.url}/v1/banks/ana/messages", json=message).is_success
            assert reached.wait(60)
        assert count_embeddings(database_url) == 2
        assert memory.tick().failed_banks == {}
        assert count_embeddings(database_url) == PAGES + 1


@pytest.mark.slow
def test_what_is_to_be_gone_does_not_wait_for_ageing(memory: Memory, codec: HookedCodec) -> None:
    memory.age("ana")
    for name in ("bo", "cy"):
        memory.set_policy(name, AGEING)
        memory.store(name, [{"role": "user", "content": "Note", "created_at": START}])
        memory.seal(name, now=START)
    now = LATER + 7 * DAY
    memory.operations.jobs.fill(now - DAY)  # ageing waits in the queue already
    memory.operations.jobs.fill(now)
    first = memory.operations.jobs.work(now)
    assert first is not None
    assert (first.bank, first.kind, first.purged) == ("ana", "purge", PAGES)


@pytest.mark.slow
def test_ageing_purges_before_it_ages(memory: Memory, codec: HookedCodec) -> None:
    memory.age("ana")

    def fail() -> None:
        raise RuntimeError("out of paper")

    codec.before_encode = fail
    with pytest.raises(RuntimeError):
        memory.age("ana", now=START + 31 * DAY)
    assert memory.bank("ana").bytes.trash == 0
