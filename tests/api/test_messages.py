"""Storing over HTTP, what is refused, and messages as remembered, against a running server."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

JSON = {"Content-Type": "application/json"}
MESSAGES = "/v1/banks/agent-7/messages"


@pytest.fixture
def client(database_path: Path) -> Iterator[httpx.Client]:
    settings = load_settings({"max_message_bytes": 1 << 20, "max_body_bytes": 3 << 20, "ageing_enabled": False})
    with (
        Memory(database_path, max_message_bytes=settings.max_message_bytes) as memory,
        BackgroundServer(create_app(settings, memory)) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:foxing:problem:{slug}"
    assert document["status"] == status
    assert document["title"]
    assert len(document["detail"]) > 10
    assert "Traceback" not in response.text
    return document


def everything(client: httpx.Client, bank: str = "agent-7") -> list[dict[str, Any]]:
    response = client.post(f"/v1/banks/{bank}/recall", json={"limit": 500})
    assert response.status_code == 200, response.text
    spans: list[dict[str, Any]] = response.json()["spans"]
    return spans


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


@pytest.mark.parametrize("content", ["", "\x00\x07\x1b[31m", "한국어 🙂 é", " \n\t ", "⟦¶⟧"])
def test_every_string_comes_back(client: httpx.Client, content: str) -> None:
    assert client.post(MESSAGES, json={"messages": [{"id": "m", "role": "tool", "content": content}]}).is_success
    assert client.get(f"{MESSAGES}/m").json()["text"] == content


def test_very_old_times_come_back(client: httpx.Client) -> None:
    at = "0001-01-02T00:00:00Z"
    stored = client.post(MESSAGES, json={"messages": [{"role": "user", "content": "old", "created_at": at}]})
    assert stored.status_code == 201
    assert [span["created_at"] for span in everything(client)] == [at]


def test_an_id_may_hold_slashes_and_spaces(client: httpx.Client) -> None:
    identity = "session/1 #?%/é"
    assert client.post(MESSAGES, json={"messages": [{"id": identity, "role": "user", "content": "x"}]}).is_success
    path = httpx.URL(str(client.base_url)).copy_with(raw_path=f"{MESSAGES}/session%2F1%20%23%3F%25%2F%C3%A9".encode())
    assert client.get(path).json()["message_id"] == identity


def test_the_same_id_and_content_again_adds_nothing(client: httpx.Client) -> None:
    body = {"messages": [{"id": "a", "role": "user", "content": "once"}]}
    assert client.post(MESSAGES, json=body).json()["stored"] == 1
    again = client.post(MESSAGES, json=body)
    assert again.status_code == 201
    assert again.json() == {"ids": ["a"], "stored": 0, "duplicates": 1}
    assert len(everything(client)) == 1


def test_the_same_id_with_other_content_is_a_conflict_and_stores_nothing(client: httpx.Client) -> None:
    client.post(MESSAGES, json={"messages": [{"id": "a", "role": "user", "content": "once"}]})
    body = {"messages": [{"role": "user", "content": "new"}, {"id": "a", "role": "user", "content": "twice"}]}
    problem(client.post(MESSAGES, json=body), 409, "conflict")
    assert [span["text"] for span in everything(client)] == ["once"]


def test_an_idempotency_key_repeats_the_answer(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "no id of its own"}]}
    headers = {"Idempotency-Key": "k-1"}
    first = client.post(MESSAGES, json=body, headers=headers)
    second = client.post(MESSAGES, json=body, headers=headers)
    assert first.json() == second.json()
    assert len(everything(client)) == 1
    other = {"messages": [{"role": "user", "content": "something else"}]}
    problem(client.post(MESSAGES, json=other, headers=headers), 409, "conflict")


def test_concurrent_requests_with_one_key_store_once(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "raced"}]}

    def send(_: int) -> dict[str, Any]:
        answer: dict[str, Any] = client.post(MESSAGES, json=body, headers={"Idempotency-Key": "race"}).json()
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert len(everything(client)) == 1


@pytest.mark.parametrize(
    ("message", "where", "said"),
    [
        ({"role": "robot", "content": "x"}, "role", "'user'"),
        ({"role": "user"}, "content", "missing"),
        ({"role": "user", "content": "x", "colour": "red"}, "colour", "no such field"),
        ({"role": "user", "content": "x", "created_at": "2026-03-02T09:15:00"}, "created_at", "offset"),
        ({"role": "user", "content": "x", "created_at": "yesterday"}, "created_at", "datetime"),
        ({"role": "user", "content": "x", "id": ""}, "id", "at least 1"),
        ({"role": "user", "content": 7}, "content", "string"),
    ],
)
def test_a_wrong_message_is_named(client: httpx.Client, message: dict[str, Any], where: str, said: str) -> None:
    good = {"role": "user", "content": "good"}
    document = problem(client.post(MESSAGES, json={"messages": [good, message]}), 422, "invalid-request")
    assert document["errors"][0]["where"] == f"body.messages.1.{where}"
    assert said in document["errors"][0]["message"]
    assert said in document["detail"]
    problem(client.post("/v1/banks/agent-7/recall", json={}), 404, "not-found")


def test_a_time_in_the_future_is_refused(client: httpx.Client) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"messages": [{"role": "user", "content": "x", "created_at": tomorrow}]}
    assert "future" in problem(client.post(MESSAGES, json=body), 422, "invalid-time")["detail"]


def test_a_time_outside_the_calendar_is_refused(client: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "x", "created_at": "0001-01-01T00:00:00+09:00"}]}
    problem(client.post(MESSAGES, json=body), 422, "invalid-time")


@pytest.mark.parametrize("text", [r"\ud800", r"half \uDFFF of it", r"\\\ud83d", r"\udc00\ud800", r"\ud83d\\ude00"])
def test_half_characters_are_explained(client: httpx.Client, text: str) -> None:
    bodies = {
        "POST messages": f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}',
        "POST recall": f'{{"query": "{text}"}}',
        "PUT policy": f'{{"keep_text": "{text}"}}',
        "POST seal": f'{{"{text}": 1}}',
    }
    for call, body in bodies.items():
        method, path = call.split()
        response = client.request(method, f"/v1/banks/agent-7/{path}", content=body, headers=JSON)
        assert "surrogate" in problem(response, 422, "invalid-text")["detail"]


@pytest.mark.parametrize(
    ("text", "content"), [(r"\ud83d\ude00", "😀"), (r"\\ud800", r"\ud800"), (r"\\\ud83d\ude00\\", "\\😀\\")]
)
def test_whole_characters_may_be_escaped(client: httpx.Client, text: str, content: str) -> None:
    body = f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}'
    assert client.post(MESSAGES, content=body, headers=JSON).status_code == 201
    assert [span["text"] for span in everything(client)] == [content]


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
def test_a_body_that_is_no_request_is_refused(client: httpx.Client, body: bytes, status: int, slug: str) -> None:
    problem(client.post(MESSAGES, content=body, headers=JSON), status, slug)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_not_declared_as_json_is_refused(client: httpx.Client, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    problem(client.post(MESSAGES, content=body, headers=headers), 415, "unsupported-media-type")


def test_a_message_over_the_limit_is_refused_whole(client: httpx.Client) -> None:
    small = {"role": "user", "content": "small"}
    huge = {"role": "tool", "content": "x" * ((1 << 20) + 1)}
    problem(client.post(MESSAGES, json={"messages": [small, huge]}), 413, "message-too-large")
    problem(client.get("/v1/banks/agent-7"), 404, "not-found")
    fits = {"role": "tool", "content": "x" * (1 << 20)}
    assert client.post(MESSAGES, json={"messages": [fits]}).status_code == 201


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: httpx.Client) -> None:
    body = b'{"messages": [' + b" " * (4 << 20) + b"]}"
    document = problem(client.post(MESSAGES, content=body, headers=JSON), 413, "body-too-large")
    assert "FOXING_MAX_BODY_BYTES" in document["detail"]

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            yield b" " * (1 << 20)

    try:
        response = client.post(MESSAGES, content=chunks(), headers=JSON)
    except httpx.TransportError:
        pass  # the server hung up on the rest; some clients see that first
    else:
        problem(response, 413, "body-too-large")
    assert client.get("/healthz").is_success


@pytest.mark.parametrize("bank", ["a%20b", "%C3%A9", "x" * 201, "%00", "a%0Ab"])
def test_a_bank_name_that_cannot_be_is_refused(client: httpx.Client, bank: str) -> None:
    body = {"messages": [{"role": "user", "content": "x"}]}
    problem(client.post(f"/v1/banks/{bank}/messages", json=body), 422, "invalid-input")


def test_an_unknown_message_is_not_found(client: httpx.Client) -> None:
    problem(client.get(f"{MESSAGES}/nothing"), 404, "not-found")
    client.post(MESSAGES, json={"messages": [{"role": "user", "content": "x"}]})
    problem(client.get(f"{MESSAGES}/nothing"), 404, "not-found")


def test_storing_goes_on_while_other_requests_wait(client: httpx.Client) -> None:
    """Requests in many threads at once all end, and nothing is lost."""

    def send(number: int) -> int:
        body = {"messages": [{"id": f"m{number}", "role": "user", "content": f"message {number}"}]}
        return client.post(MESSAGES, json=body).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(64))) == {201}
    assert len(everything(client)) == 64
