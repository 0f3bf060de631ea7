"""The clients of a service: lists, errors, and services that are down, slow, busy or lose answers."""

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks
from support.conversations import agent_loop
from support.service import serve

from foxing.api import server as api_server
from foxing.api.app import create_app
from foxing.api.problems import BUSY, UNAUTHORIZED, RequestError, problem_of
from foxing.api.server import BackgroundServer, listen
from foxing.api.settings import load_settings
from foxing.integrations.client import (
    AsyncClient,
    Client,
    InvalidResponse,
    Refused,
    ServiceFailed,
    ServiceOptions,
    TimedOut,
    Unreachable,
    connect,
    transport,
)
from foxing.integrations.client.errors import error_of
from foxing.integrations.client.requests import read
from foxing.memory import (
    ChoiceNeeded,
    Conflict,
    ContextRequest,
    FoldRequest,
    Forgotten,
    InvalidInput,
    InvalidTime,
    Memory,
    MemoryOptions,
    NotFound,
    RecallQuery,
    RecallResult,
    UnknownReader,
    errors,
)
from foxing.renderer import FoxingError

from ..conftest import Service
from .lossy import LossyServer, lossy_server

AGENTS = 100


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


@pytest.fixture
def lossy(service: Service) -> Iterator[LossyServer]:
    with lossy_server(service.url) as server:
        yield server


def said(number: int) -> dict[str, object]:
    return {
        "id": f"m{number}",
        "role": "user",
        "content": f"note {number}",
        "created_at": f"2026-01-05T09:{number:02}Z",
    }


@pytest.mark.slow
def test_lists_are_read_page_by_page(client: Client, bank: str) -> None:
    stored = client.import_messages(bank, (said(number) for number in range(7)))
    assert [part.stored for part in stored] == [7]
    assert [m.message_id for m in client.recall_all(bank, limit=2)] == [f"m{number}" for number in range(7)]
    assert [m.text for m in client.export(bank)] == [f"note {number}" for number in range(7)]
    client.seal(bank, now="2026-01-06")
    assert [page.messages for page in client.all_pages(bank)] == [7]
    writes: list[dict[str, object]] = [{"op": "put", "namespace": ["n"], "key": str(n), "value": n} for n in range(5)]
    client.records.write(bank, writes)
    assert [record.value for record in client.records.search_all(bank, namespace=["n"], limit=2)] == [0, 1, 2, 3, 4]
    assert bank in [each.id for each in client.all_banks()]
    assert list(client.all_threads(bank)) == client.threads(bank).threads
    assert client.threads(bank).threads[0].messages > 0


async def use_asynchronously(url: str, bank: str) -> None:
    async with AsyncClient(url) as client:
        stored = [part async for part in client.import_messages(bank, (said(number) for number in range(3)))]
        assert [part.ids for part in stored] == [["m0", "m1", "m2"]]
        assert [message.message_id async for message in client.recall_all(bank, limit=2)] == ["m0", "m1", "m2"]
        assert (await client.message(bank, "m1")).text == "note 1"
        await client.seal(bank, now="2026-01-06")
        pages = [page async for page in client.all_pages(bank)]
        assert (await client.read_page(bank, pages[0].id)).messages[0].text == "note 0"
        assert (await client.pin(bank, pages[0].id)).pinned
        await client.records.write(bank, [{"op": "put", "namespace": ["n"], "key": "k", "value": 1}])
        assert [record.value async for record in client.records.search_all(bank)] == [1]
        with pytest.raises(NotFound):
            await client.message(bank, "m9")


def test_the_asynchronous_client_does_the_same(service: Service, bank: str) -> None:
    asyncio.run(use_asynchronously(service.url, bank))


def test_messages_are_fetched_by_reference(service: Service, client: Client, bank: str) -> None:
    client.store(bank, [said(number) for number in range(3)])
    one, two, three = client.recall(bank).spans
    assert client.fetch(bank, one.ref) == service.memory.fetch(bank, one.ref)
    assert client.fetch(bank, [f"[{two.ref}]", three.ref]).messages == [two, three]
    client.erase_message(bank, one.message_id)
    with pytest.raises(Forgotten, match=one.ref):
        client.fetch(bank, one.ref)
    with pytest.raises(NotFound, match="zzzz"):
        client.fetch(bank, "zzzz")


def test_conversations_are_folded(service: Service, client: Client, bank: str) -> None:
    request = FoldRequest(
        session="s",
        wire="anthropic",
        messages=tuple(agent_loop(40)),
        reader="text",
        budget=8_000,
        last_call_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
    )
    made = client.fold(bank, request)
    assert made.reason == "cold"
    assert client.fold(bank, request) == service.memory.fold(bank, request)
    assert client.fold(bank, request).messages == made.messages


def test_context_takes_keywords_and_names_an_unknown_reader(client: Client, bank: str) -> None:
    client.store(bank, [said(1)])
    asked = ContextRequest(reader="text", budget=500, query="Titan")
    assert client.context(bank, reader="text", budget=500, query="Titan") == client.context(bank, asked)
    with pytest.raises(InvalidInput, match="budget: Input should be greater"):
        client.context(bank, asked, budget=0)
    with pytest.raises(UnknownReader, match="did you mean 'claude'") as caught:
        client.context(bank, reader="cluade", budget=500)
    assert isinstance(caught.value, InvalidInput)


def test_an_error_says_what_the_problem_document_says(client: Client, bank: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.store(bank, [{"role": "poet", "content": "x"}])  # type: ignore[typeddict-item]
    error = caught.value
    assert (error.problem, error.details.status) == ("invalid-request", 422)
    assert error.details.errors[0].where == "body.messages.0.role"
    assert error.details.request_id
    with pytest.raises(NotFound, match="there is no bank"):
        client.bank(bank)


def test_the_key_is_checked(tmp_path_factory: pytest.TempPathFactory) -> None:
    database = f"sqlite:///{tmp_path_factory.mktemp('key') / 'foxing.db'}"
    with serve(None, api_key="secret", database_url=database) as http:
        url = str(http.base_url)
        with Client(url) as client, pytest.raises(Refused, match="key"):
            client.banks()
        with Client(url, api_key="secret") as client:
            assert client.banks().banks == []
        with connect(url, "ana", api_key="wrong") as connection, pytest.raises(Refused) as caught:
            connection.run(lambda memory: memory.banks())
        assert caught.value.problem == "unauthorized"


def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(lossy: LossyServer, bank: str) -> None:
    with Client(lossy.url) as client:
        lossy.lose = 2
        stored = client.store(bank, [{"role": "user", "content": "once"}])
        assert (stored.stored, lossy.requests) == (1, 3)
        assert [message.text for message in client.export(bank)] == ["once"]
        first = client.records.write(bank, [{"op": "put", "namespace": ["n"], "key": "k", "value": 1}])
        lossy.lose = 1
        second = client.records.write(
            bank,
            [{"op": "put", "namespace": ["n"], "key": "k", "value": 2, "if_version": first.changes[0].version}],
        )
        assert second.changes[0].version == 2  # a second try would find version 2, and be a conflict


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_restart_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asynchronous: bool) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(transport, "LONGEST_PAUSE_S", 0.001)
    hooks = get_on_retry_hooks()
    with Memory(tmp_path / "foxing.db", options=MemoryOptions(embedder="none")) as memory, ExitStack() as stack:
        stack.callback(set_on_retry_hooks, hooks)
        app = create_app(load_settings({"ageing_enabled": False}), memory)
        with BackgroundServer(app) as server:
            url = server.url
        port = int(url.rpartition(":")[2])

        def restart(failure: RetryDetails) -> None:
            if failure.retry_num == 12:
                monkeypatch.setattr(api_server, "listen", lambda host, any_port: listen(host, port))
                stack.enter_context(BackgroundServer(create_app(load_settings({"ageing_enabled": False}), memory)))

        set_on_retry_hooks([restart])
        options = ServiceOptions(url, retry_for_s=60)
        if asynchronous:

            async def store() -> None:
                async with AsyncClient(options) as client:
                    await client.store("ana", [{"role": "user", "content": "We ship Titan on 14 March."}])

            asyncio.run(store())
        else:
            with Client(options) as client:
                client.store("ana", [{"role": "user", "content": "We ship Titan on 14 March."}])
        assert memory.bank("ana").messages == 1


def test_a_call_is_tried_again_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(monotonic=lambda: now, sleep=sleep)
    monkeypatch.setattr("tenacity.time", clock)
    monkeypatch.setattr("tenacity.nap.time", clock)
    failures = 0
    with suppress(Unreachable):
        for attempt in ServiceOptions("http://127.0.0.1:1").attempts():
            with attempt:
                failures += 1
                raise Unreachable("there is no service", "unreachable")
    assert 20 <= now < 25
    assert failures > 10


def test_an_error_keeps_its_promise_over_http() -> None:
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.MemoryFault)
    ]
    raised: list[FoxingError] = [each("what to do") for each in classes]
    raised += [NotFound("hidden").after(7.0), RequestError(BUSY, "busy"), RequestError(UNAUTHORIZED, "no key")]
    for error in raised:
        problem = problem_of(error)
        rebuilt = error_of(problem.status, json.dumps(problem.document()).encode(), {})
        assert (rebuilt.retry, rebuilt.retry_after_s) == (error.retry, error.retry_after_s), error
        assert (error.retry == "after") == (error.retry_after_s is not None)
        if "kind" in vars(type(error)) and type(error) is not errors.Unavailable:
            assert isinstance(error, type(rebuilt)), (error, rebuilt)
    assert {each.retry for each in raised} == {"never", "later", "after"}


@pytest.mark.parametrize(
    ("status", "headers", "retry", "after_s"),
    [
        (503, {}, "later", None),
        (429, {"Retry-After": "7"}, "after", 7.0),
        (404, {}, "after", 60.0),
        (401, {}, "after", 60.0),
        (500, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "after", 60.0),
    ],
)
def test_another_server_refuses_nothing_for_ever(
    status: int, headers: dict[str, str], retry: str, after_s: float | None
) -> None:
    error = error_of(status, b"no such page", headers)
    assert (error.retry, error.retry_after_s) == (retry, after_s)


def test_a_call_is_tried_again_when_the_service_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=pauses.append))
    failures = [Unreachable("down").after(3.0), errors.StorageError("locked").after(1.5), Conflict("another")]
    with suppress(Conflict):
        for attempt in ServiceOptions("http://127.0.0.1:1").attempts():
            with attempt:
                raise failures.pop(0)
    assert pauses == [3.0, 1.5]
    with suppress(Refused):
        for attempt in ServiceOptions("http://127.0.0.1:1").attempts():
            with attempt:
                raise Refused("the key is wrong")  # it waits for a person
    assert len(pauses) == 2


def test_a_service_that_is_down_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = ServiceOptions(f"http://127.0.0.1:{port}", retry_for_s=0.3)
    with Client(options) as client, pytest.raises(Unreachable, match="foxing serve"):
        client.banks()
    with connect(options, "ana") as connection, pytest.raises(Unreachable):
        asyncio.run(connection.run_async(lambda memory: memory.banks()))


def test_a_slow_service_is_not_waited_for_and_the_key_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ServiceOptions(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.2)
        with Client(options) as client, pytest.raises(TimedOut, match="idempotency_key='mine'"):
            client.store("ana", [{"role": "user", "content": "x"}], idempotency_key="mine")


PROBLEM = (
    b'{"type": "urn:foxing:problem:no-such-path", "title": "The path does not exist", "status": 404, '
    b'"detail": "no such path"}'
)
OLD_SERVICE = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(PROBLEM), PROBLEM)


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", InvalidResponse, "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", InvalidResponse, "not a valid Banks"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"banks": 7}', InvalidResponse, "not a valid Banks"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops", ServiceFailed, "without a problem document of Foxing"),
        # a service of another version, and one of before versions were stated
        (
            b'HTTP/1.1 200 OK\r\nFoxing-Version: 9.1\r\nContent-Length: 12\r\n\r\n{"banks": 7}',
            InvalidResponse,
            "the service is version 9.1, and this client is",
        ),
        (OLD_SERVICE, InvalidInput, "no such path; the service does not say its version, and this client is"),
    ],
)
def test_an_answer_of_another_server_is_an_error(response: bytes, kind: type[FoxingError], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(response)

        thread = threading.Thread(target=answer)
        thread.start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client, pytest.raises(kind, match=message):
            client.banks()
        thread.join()


@pytest.mark.parametrize("url", ["localhost:8765", "ftp://host", ""])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInput, match="not the URL of a service"):
        Client(url)


async def agents_write(url: str, bank: str) -> None:
    """Each agent talks in a thread of its own, keeps its notes, and counts with the others."""
    async with AsyncClient(url) as client:

        async def count() -> None:
            while True:
                record = (await client.records.get(bank, [{"namespace": ["shared"], "key": "count"}])).records[0]
                assert record is not None
                assert isinstance(record.value, int)
                put: dict[str, object] = {
                    "op": "put",
                    "namespace": ["shared"],
                    "key": "count",
                    "value": record.value + 1,
                }
                try:
                    await client.records.write(bank, [{**put, "if_version": record.version}])
                    return
                except Conflict:
                    continue

        async def agent(number: int) -> None:
            thread = f"agent-{number}"
            turns: list[dict[str, object]] = [{"role": "user", "content": f"{thread} says {turn}"} for turn in range(2)]
            await client.store(bank, turns, thread=thread)
            await client.records.write(bank, [{"op": "put", "namespace": [thread], "key": "k", "value": thread}])
            if number % 25 == 0:
                await count()

        await client.records.write(bank, [{"op": "put", "namespace": ["shared"], "key": "count", "value": 0}])
        await asyncio.gather(*map(agent, range(AGENTS)))


@pytest.mark.slow
def test_a_hundred_agents_at_once_lose_nothing_and_mix_nothing_up(service: Service, client: Client, bank: str) -> None:
    asyncio.run(agents_write(service.url, bank))
    said = Counter((message.thread, message.text) for message in client.export(bank))
    threads = [f"agent-{number}" for number in range(AGENTS)]
    assert said == {(thread, f"{thread} says {turn}"): 1 for thread in threads for turn in range(2)}
    notes = Counter((record.namespace[0], record.value) for record in client.records.search_all(bank, limit=500))
    assert notes == {**{(thread, thread): 1 for thread in threads}, ("shared", AGENTS // 25): 1}


def test_a_newer_service_may_say_more(client: Client, bank: str) -> None:
    """Members and names that this version does not know are kept; what is of another type is not an answer."""
    client.store(bank, [said(1)])
    answer = client.recall(bank).model_dump(mode="json")
    answer["spans"][0] |= {"source": "dreamt", "role": "narrator", "mood": "calm", "parts": [{"type": "smell"}]}
    answer["elapsed_ms"] = 3
    (span,) = read(RecallResult, json.dumps(answer).encode(), {}).spans
    assert (span.source, span.role, span.parts) == ("dreamt", "narrator", [{"type": "smell"}])
    assert span.model_extra == {"mood": "calm"}
    with pytest.raises(InvalidResponse, match="not a valid RecallResult"):
        read(RecallResult, json.dumps({**answer, "text_tokens": "many"}).encode(), {})
    with pytest.raises(ValidationError):
        RecallResult.model_validate(answer)


def test_durations_are_sent_and_other_types_refused(client: Client, bank: str) -> None:
    client.store(bank, [{"role": "user", "content": "for a day", "id": "m0", "expires_after": timedelta(days=1)}])
    expires_at = client.message(bank, "m0").expires_at
    assert expires_at is not None
    assert timedelta(hours=23) < expires_at - datetime.now(UTC) <= timedelta(days=1)
    with pytest.raises(InvalidInput, match="type set"):
        client.store(bank, [{"role": "user", "content": "a", "metadata": {"tags": {"a"}}}])


def test_a_request_with_an_unknown_field_is_refused(client: Client, bank: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.recall(bank, max_tokns=5)  # type: ignore[call-arg]
    assert caught.value.details is not None
    assert caught.value.details.errors is not None
    assert caught.value.details.errors[0].where == "body.max_tokns"
    assert "version" not in str(caught.value)  # it is the client's
    with pytest.raises(InvalidInput, match="max_tokns: unknown field"):
        RecallQuery(max_tokns=5)  # type: ignore[call-arg]


def test_the_tokens_of_a_page_are_a_file(client: Client, bank: str) -> None:
    client.store(bank, [said(1)])
    (page,) = client.seal(bank, now="2026-01-06").pages
    assert b"native" in client.page_tokens(bank, page)


def test_a_history_is_imported_by_the_service(client: Client, service: Service, bank: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    lines = [json.dumps({**said(n), "created_at": f"2026-01-0{n}T10:00:00"}) + "\n" for n in range(1, 6)]
    path.write_text("".join(lines))
    preview = client.preview_import(bank, path, timezone="Asia/Seoul")
    assert (preview.messages, preview.formats) == (5, {"jsonl": 1})
    with pytest.raises(InvalidTime, match=r"history\.jsonl, line 1: .*timezone"):
        client.import_file(bank, path)
    with pytest.raises(NotFound):
        client.bank(bank)
    job = client.import_file(bank, path, timezone="Asia/Seoul", since="2026-01-03", speakers=["Ann=assistant"])
    done = client.wait_for_import(bank, job.id)
    assert (done.state, done.stored, done.messages) == ("done", 3, 3)
    assert done.report is not None
    assert done.report.left_out[0].count == 2
    assert client.import_progress(bank, job.id) == client.cancel_import(bank, job.id) == done
    assert [message.message_id for message in client.export(bank)] == ["m3", "m4", "m5"]
    with pytest.raises(InvalidInput, match="is a folder"):
        client.import_file(bank, tmp_path)
    with pytest.raises(InvalidInput, match="dates"):
        client.import_file(bank, path, dates="first")  # type: ignore[arg-type]


def test_an_ambiguous_history_is_refused_with_the_choices(client: Client, bank: str, tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("03/04/2026, 10:00 - Ann: a\n05/06/2026, 10:00 - Bo: b\n")
    with pytest.raises(ChoiceNeeded, match="day or the month first") as refused:
        client.import_file(bank, path, timezone="UTC")
    assert refused.value.details is not None
    assert refused.value.details.errors is not None
    assert refused.value.details.errors[0].where == "query.dates"


def test_a_history_is_imported_asynchronously(service: Service, bank: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(said(1)))

    async def run() -> None:
        async with AsyncClient(service.url) as client:
            job = await client.import_file(bank, path)
            assert (await client.wait_for_import(bank, job.id)).stored == 1

    asyncio.run(run())
