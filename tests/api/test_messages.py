"""Storing messages, and reading single messages as remembered."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import anyio
import httpx
import pytest
from support.service import check_problem, ok, serve

from foxing.api.store_queue import StoreQueue
from foxing.memory import Conflict, Memory, MemoryOptions, NewMessage, Operations, StoreResult
from foxing.memory.ingest.calls import StoreCall

JSON = {"Content-Type": "application/json"}
MESSAGES = "/v1/banks/agent-7/messages"


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with (
        Memory(database_url, options=MemoryOptions(max_message_bytes=1 << 20)) as memory,
        serve(memory, max_message_bytes=1 << 20, max_body_bytes=3 << 20) as client,
    ):
        yield client


def all_spans(client: httpx.Client) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = ok(client.post("/v1/banks/agent-7/recall", json={"limit": 500}))["spans"]
    return spans


@pytest.mark.both_databases
def test_stored_messages_are_readable_at_once(client: httpx.Client) -> None:
    response = client.post(
        MESSAGES,
        json={
            "thread": "titan",
            "messages": [
                {
                    "id": "a",
                    "role": "user",
                    "name": "Mina",
                    "content": "Titan ships",
                    "created_at": "2026-02-03T09:00Z",
                },
                {"role": "assistant", "content": "noted", "created_at": "2026-02-03T18:00:01+09:00", "thread": "x"},
            ],
        },
    )
    assert response.status_code == 201
    stored = response.json()
    assert stored["ids"][0] == "a"
    assert (stored["stored"], stored["duplicates"]) == (2, 0)
    message = client.get(f"{MESSAGES}/a").json()
    assert message["text"] == "Titan ships"
    assert (message["thread"], message["role"], message["name"]) == ("titan", "user", "Mina")
    assert (message["source"], message["tier"], message["confidence"]) == ("open", None, 1.0)
    assert datetime.fromisoformat(message["created_at"]) == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert client.get(f"{MESSAGES}/{stored['ids'][1]}").json()["thread"] == "x"


@pytest.mark.both_databases
@pytest.mark.parametrize("content", ["", "\x00\x07\x1b[31m", "한국어 🙂 é", " \n\t ", "⟦¶⟧"])
def test_every_string_is_returned_unchanged(client: httpx.Client, content: str) -> None:
    assert client.post(MESSAGES, json={"messages": [{"id": "m", "role": "tool", "content": content}]}).is_success
    assert client.get(f"{MESSAGES}/m").json()["text"] == content


@pytest.mark.both_databases
def test_very_old_times_are_returned_unchanged(client: httpx.Client) -> None:
    at = "0001-01-02T00:00:00Z"
    stored = client.post(MESSAGES, json={"messages": [{"role": "user", "content": "old", "created_at": at}]})
    assert stored.status_code == 201
    assert [span["created_at"] for span in all_spans(client)] == [at]


def test_an_id_may_contain_slashes_and_spaces(client: httpx.Client) -> None:
    identity = "session/1 #?%/é"
    assert client.post(MESSAGES, json={"messages": [{"id": identity, "role": "user", "content": "x"}]}).is_success
    path = httpx.URL(str(client.base_url)).copy_with(raw_path=f"{MESSAGES}/session%2F1%20%23%3F%25%2F%C3%A9".encode())
    assert client.get(path).json()["message_id"] == identity


@pytest.mark.both_databases
def test_storing_the_same_message_again_adds_nothing(client: httpx.Client) -> None:
    body = {"messages": [{"id": "a", "role": "user", "content": "once"}]}
    assert client.post(MESSAGES, json=body).json()["stored"] == 1
    again = client.post(MESSAGES, json=body)
    assert again.status_code == 201
    empty = {"quarantined": 0, "ageing": None, "redacted": {}, "left_out": {}}
    assert again.json() == {"ids": ["a"], "stored": 0, "duplicates": 1, **empty}
    assert len(all_spans(client)) == 1


@pytest.mark.both_databases
def test_the_same_id_with_different_content_is_a_conflict_and_stores_nothing(client: httpx.Client) -> None:
    client.post(MESSAGES, json={"messages": [{"id": "a", "role": "user", "content": "once"}]})
    body = {"messages": [{"role": "user", "content": "new"}, {"id": "a", "role": "user", "content": "twice"}]}
    check_problem(client.post(MESSAGES, json=body), 409, "conflict")
    assert [span["text"] for span in all_spans(client)] == ["once"]


@pytest.mark.both_databases
def test_an_idempotency_key_repeats_the_response(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "no id"}]}
    headers = {"Idempotency-Key": "k-1"}
    first = client.post(MESSAGES, json=body, headers=headers)
    second = client.post(MESSAGES, json=body, headers=headers)
    assert first.json() == second.json()
    assert len(all_spans(client)) == 1
    other = {"messages": [{"role": "user", "content": "something else"}]}
    check_problem(client.post(MESSAGES, json=other, headers=headers), 409, "conflict")


@pytest.mark.both_databases
def test_concurrent_requests_with_one_key_store_once(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "raced"}]}

    def send(_: int) -> dict[str, Any]:
        stored: dict[str, Any] = client.post(MESSAGES, json=body, headers={"Idempotency-Key": "race"}).json()
        return stored

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(send, range(16)))
    assert all(response == responses[0] for response in responses)
    assert len(all_spans(client)) == 1


@pytest.mark.parametrize(
    ("message", "where", "expected"),
    [
        ({"role": "robot", "content": "x"}, "role", "'user'"),
        ({"role": "user"}, "content", "missing"),
        ({"role": "user", "content": "x", "colour": "red"}, "colour", "unknown field"),
        ({"role": "user", "content": "x", "created_at": "2026-03-02T09:15:00"}, "created_at", "offset"),
        ({"role": "user", "content": "x", "created_at": "yesterday"}, "created_at", "RFC 3339"),
        ({"role": "user", "content": "x", "id": ""}, "id", "at least 1"),
        ({"role": "user", "content": 7}, "content", "string"),
    ],
)
def test_the_error_names_the_invalid_field(
    client: httpx.Client, message: dict[str, Any], where: str, expected: str
) -> None:
    good = {"role": "user", "content": "good"}
    document = check_problem(client.post(MESSAGES, json={"messages": [good, message]}), 422, "invalid-request")
    assert document["errors"][0]["where"] == f"body.messages.1.{where}"
    assert expected in document["errors"][0]["message"]
    assert expected in document["detail"]
    check_problem(client.get("/v1/banks/agent-7"), 404, "not-found")


@pytest.mark.parametrize("messages", ["hello", {"role": "user", "content": "hello"}, None, ["hello"], [None], []])
def test_what_is_not_a_list_of_messages_is_refused(client: httpx.Client, messages: Any) -> None:
    document = check_problem(client.post(MESSAGES, json={"messages": messages}), 422, "invalid-request")
    assert document["errors"][0]["where"].startswith("body.messages")


def test_a_time_in_the_future_is_refused(client: httpx.Client) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"messages": [{"role": "user", "content": "x", "created_at": tomorrow}]}
    assert "future" in check_problem(client.post(MESSAGES, json=body), 422, "invalid-time")["detail"]


def test_a_time_outside_the_calendar_is_refused(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "x", "created_at": "0001-01-01T00:00:00+09:00"}]}
    check_problem(client.post(MESSAGES, json=body), 422, "invalid-time")


@pytest.mark.parametrize("text", [r"\ud800", r"half \uDFFF of it", r"\\\ud83d", r"\udc00\ud800", r"\ud83d\\ude00"])
def test_lone_surrogates_are_refused(client: httpx.Client, text: str) -> None:
    bodies = {
        "POST messages": f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}',
        "POST recall": f'{{"query": "{text}"}}',
        "PUT policy": f'{{"keep_text": "{text}"}}',
        "POST seal": f'{{"{text}": 1}}',
    }
    for call, body in bodies.items():
        method, path = call.split()
        response = client.request(method, f"/v1/banks/agent-7/{path}", content=body, headers=JSON)
        assert "surrogate" in check_problem(response, 422, "invalid-text")["detail"]


@pytest.mark.parametrize(
    ("text", "content"), [(r"\ud83d\ude00", "😀"), (r"\\ud800", r"\ud800"), (r"\\\ud83d\ude00\\", "\\😀\\")]
)
def test_surrogate_pairs_and_backslashes_may_be_escaped(client: httpx.Client, text: str, content: str) -> None:
    body = f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}'
    assert client.post(MESSAGES, content=body, headers=JSON).status_code == 201
    assert [span["text"] for span in all_spans(client)] == [content]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b'{"messages": [{"role": "user", "content": "caf\xe9"}]}', 400, "invalid-encoding"),
        ('{"messages": []}'.encode("utf-16"), 400, "invalid-encoding"),
        (b'{"messages": [', 400, "invalid-json"),
        (b"[" * 200_000, 400, "invalid-json"),
        (b'{"messages": ' + b"9" * 5000 + b"}", 400, "invalid-json"),
        (b"", 422, "invalid-request"),
        (b"null", 422, "invalid-request"),
        (b'"text"', 422, "invalid-request"),
        (b'{"messages": []}', 422, "invalid-request"),
        (b'{"messages": NaN}', 422, "invalid-request"),
    ],
)
def test_an_invalid_body_is_refused(client: httpx.Client, body: bytes, status: int, slug: str) -> None:
    check_problem(client.post(MESSAGES, content=body, headers=JSON), status, slug)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_not_declared_as_json_is_refused(client: httpx.Client, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    check_problem(client.post(MESSAGES, content=body, headers=headers), 415, "unsupported-media-type")


@pytest.mark.usefixtures("words_alone")
def test_a_message_over_the_limit_stores_nothing(client: httpx.Client) -> None:
    small = {"role": "user", "content": "small"}
    huge = {"role": "tool", "content": "x" * ((1 << 20) + 1)}
    check_problem(client.post(MESSAGES, json={"messages": [small, huge]}), 413, "message-too-large")
    check_problem(client.get("/v1/banks/agent-7"), 404, "not-found")
    fits = {"role": "tool", "content": "x" * (1 << 20)}
    assert client.post(MESSAGES, json={"messages": [fits]}).status_code == 201


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: httpx.Client) -> None:
    body = b'{"messages": [' + b" " * (4 << 20) + b"]}"
    document = check_problem(client.post(MESSAGES, content=body, headers=JSON), 413, "body-too-large")
    assert "FOXING_MAX_BODY_BYTES" in document["detail"]

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            yield b" " * (1 << 20)

    try:
        response = client.post(MESSAGES, content=chunks(), headers=JSON)
    except httpx.TransportError:
        pass  # the server closed the connection before the client had sent everything
    else:
        check_problem(response, 413, "body-too-large")
    assert client.get("/healthz").is_success


@pytest.mark.parametrize("bank", ["a%20b", "%C3%A9", "x" * 201, "%00", "a%0Ab"])
def test_an_invalid_bank_name_is_refused(client: httpx.Client, bank: str) -> None:
    body = {"messages": [{"role": "user", "content": "x"}]}
    check_problem(client.post(f"/v1/banks/{bank}/messages", json=body), 422, "invalid-input")


def test_an_unknown_message_is_not_found(client: httpx.Client) -> None:
    check_problem(client.get(f"{MESSAGES}/nothing"), 404, "not-found")
    client.post(MESSAGES, json={"messages": [{"role": "user", "content": "x"}]})
    check_problem(client.get(f"{MESSAGES}/nothing"), 404, "not-found")


@pytest.mark.both_databases
def test_concurrent_requests_all_store_their_messages(client: httpx.Client) -> None:

    def send(number: int) -> int:
        body = {"messages": [{"id": f"m{number}", "role": "user", "content": f"message {number}"}]}
        return client.post(MESSAGES, json=body).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(64))) == {201}
    assert len(all_spans(client)) == 64


CALL = {"type": "tool_call", "id": "call_1", "name": "find", "arguments": {"q": "타이탄"}}


@pytest.mark.both_databases
def test_parts_and_metadata_are_returned_unchanged(client: httpx.Client) -> None:
    result = {"type": "tool_result", "id": "call_1", "content": "none", "is_error": True}
    metadata = {"channel": "계획", "turn": 3, "done": None}
    body = {"messages": [{"id": "a", "role": "assistant", "content": [CALL, result], "metadata": metadata}]}
    assert client.post(MESSAGES, json=body).status_code == 201
    assert client.post(MESSAGES, json=body).json()["duplicates"] == 1
    message = ok(client.get(f"{MESSAGES}/a"))
    assert (message["parts"], message["metadata"]) == ([CALL, result], metadata)
    assert all_spans(client)[0]["parts"] == [CALL, result]
    body["messages"][0]["metadata"] = {"channel": "other"}
    check_problem(client.post(MESSAGES, json=body), 409, "conflict")


@pytest.mark.parametrize(
    ("fields", "where", "reason"),
    [
        ({"content": None}, "", "a message needs content"),
        (
            {"content": [{"type": "image", "media_type": "image/png", "data": ""}]},
            ".content.parts.0.image",
            "an image needs data in Base64, or a url",
        ),
        ({"content": 7}, ".content", "give a string, a list of parts"),
        ({"content": [CALL], "metadata": {"a": "x" * 3_000}}, ".metadata", "exceed the limit of 2,048"),
    ],
)
def test_invalid_content_and_metadata_are_refused(
    client: httpx.Client, fields: dict[str, Any], where: str, reason: str
) -> None:
    body = {"messages": [{"role": "user", "content": "good"}, {"role": "user", **fields}]}
    document = check_problem(client.post(MESSAGES, json=body), 422, "invalid-request")
    assert document["errors"][0]["where"] == f"body.messages.1{where}"
    assert reason in document["detail"]
    check_problem(client.get("/v1/banks/agent-7"), 404, "not-found")


def test_null_content_is_valid_beside_tool_calls(client: httpx.Client) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    body = {"messages": [{"id": "a", "role": "assistant", "content": None, "tool_calls": [call]}]}
    assert client.post(MESSAGES, json=body).status_code == 201
    parts = ok(client.get(f"{MESSAGES}/a"))["parts"]
    assert parts == [{"type": "tool_call", "id": "call_1", "name": "find", "arguments": "{}"}]


def test_a_refused_message_is_pointed_at(client: httpx.Client) -> None:
    messages = [{"role": "user", "content": "good"}, {"role": "user", "content": "x", "name": "a\nb"}]
    document = check_problem(client.post(MESSAGES, json={"messages": messages}), 422, "invalid-input")
    error = {"where": "body.messages.1", "message": "name contains control characters; remove them"}
    assert document["errors"] == [error]


@pytest.mark.parametrize(
    ("bank", "body"),
    [
        ("ana", {"messages": [{"role": "user", "content": "hello", "id": "m", "metadata": {"a": [1, None]}}]}),
        ("ana", {"thread": "x", "messages": [{"role": "tool", "content": [{"type": "text", "text": "☂"}], "id": "p"}]}),
        ("ana", {"messages": [{"role": "user", "content": "another", "id": "known"}]}),
        ("ana", {"messages": []}),
        ("ana", {"messages": [{"role": "user", "content": "x"}], "more": 1}),
        ("ana", {"messages": [{"role": "user", "content": "x", "created_at": "2026-01-01T00:00:00"}]}),
        ("ana", {"messages": [{"role": "user", "content": "x", "created_at": "2999-01-01T00:00:00Z"}]}),
        ("ana", {"messages": [{"role": "user", "content": "x", "id": "a\u0001"}]}),
        ("ana", {"thread": "", "messages": [{"role": "user", "content": "x"}]}),
        ("ana", [1]),
        ("ana", None),
        ("not%20a%20name", {"messages": [{"role": "user", "content": "x"}]}),
    ],
)
def test_small_requests_are_answered_as_large_ones_and_those_with_a_key(
    client: httpx.Client, bank: str, body: Any
) -> None:
    known = {"messages": [{"role": "user", "content": "known", "id": "known"}]}
    assert client.post("/v1/banks/ana/messages", json=known).status_code == 201
    text = "{]" if body is None else json.dumps(body)
    key = {"Idempotency-Key": f"{bank} {text[:150]}".encode("ascii", "ignore").decode()}
    answers = []
    for padding, headers in ((0, {}), (70_000, {}), (0, key)):
        response = client.post(f"/v1/banks/{bank}/messages", content=text + " " * padding, headers={**JSON, **headers})
        shown = re.sub(r"this server \([^)]+\)", "this server", response.text)  # the time of the request
        document = json.loads(shown)
        for field in ("request_id", "stored", "duplicates", "ageing", "retry_after_s"):
            document.pop(field, None)
        answers.append((response.status_code, sorted(response.headers), response.headers["content-type"], document))
    assert answers[0] == answers[1] == answers[2]


def test_calls_that_come_while_others_are_stored_are_stored_together(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_each, begun, going, sizes = Operations.store_each, Event(), Event(), list[int]()

    def watched(operations: Operations, calls: Sequence[StoreCall]) -> list[StoreResult | BaseException]:
        sizes.append(len(calls))
        begun.set()
        assert going.wait(60)
        return store_each(operations, calls)

    async def store(memory: Memory) -> list[Any]:
        queue = StoreQueue(memory, anyio.CapacityLimiter(4))
        said = [[NewMessage(role="user", content=str(n), id="same" if n in (3, 4) else str(n))] for n in range(9)]
        said.append([NewMessage(role="user", content="long " * 5000)])
        first = asyncio.create_task(queue.store("ana", said[0], None, None))
        assert await asyncio.to_thread(begun.wait, 60)
        rest = [asyncio.create_task(queue.store("ana", messages, None, None)) for messages in said[1:]]
        await asyncio.sleep(0)
        rest[0].cancel()
        going.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    monkeypatch.setattr(Operations, "store_each", watched)
    with Memory(database_url) as memory:
        answers = asyncio.run(store(memory))
        assert sorted(sizes) == [1, 1, 8]  # the long one by itself
        assert [type(answer).__name__ for answer in answers].count("StoreResult") == 8
        assert isinstance(answers[1], asyncio.CancelledError)
        assert isinstance(answers[4], Conflict)
        assert memory.bank("ana").messages == 9
