"""Bodies that are built to cost more than their size."""

import gzip
import json
import threading
import tracemalloc
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import httpx
import pytest
from support.service import check_problem

from foxing.api.settings import load_settings

pytestmark = pytest.mark.usefixtures("words_alone")

JSON = {"Content-Type": "application/json"}
MESSAGES = "/v1/banks/agent-7/messages"
MIB = 1 << 20
#: A message takes at most this many bytes of memory for each byte of its body, in all.
MOST_MEMORY = 300 * MIB


def filled(start: str, unit: str, end: str) -> bytes:
    """A body of almost the largest size: `unit`s with commas between them."""
    room = load_settings().max_body_bytes - len(start) - len(end)
    count = room // (len(unit) + 1)
    return (start + ",".join([unit] * count) + end).encode()


def numbered(start: str, end: str) -> bytes:
    """A body of almost the largest size: an object of different members."""
    members = ",".join(f'"{number:x}":0' for number in range(350_000))
    return (start + members + end).encode()


#: Made in the tests that send them.
BODIES: dict[str, Callable[[], bytes]] = {
    "empty objects": partial(filled, '{"messages": [', "{}", "]}"),
    "wrong messages": partial(filled, '{"messages": [', '{"role":1,"content":2,"id":3,"name":4,"x":5}', "]}"),
    "lists": partial(filled, '{"messages": [', "[]", "]}"),
    "numbers": partial(filled, '{"messages": [', "1", "]}"),
    "unknown members": partial(numbered, '{"messages": [{"role": "user", "content": "x",', "}]}"),
    "unknown members at the top": partial(numbered, "{", "}"),
    "parts": partial(filled, '{"messages": [{"role": "user", "content": [', '{"type":"text"}', "]}]}"),
    "tool calls": partial(filled, '{"messages": [{"role": "user", "content": null, "tool_calls": [', "{}", "]}]}"),
    "too many messages": partial(filled, '{"messages": [', '{"role":"user","content":""}', "]}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_of_many_values_is_refused_in_little_memory(shared_client: httpx.Client, kind: str) -> None:
    body = BODIES[kind]()
    assert len(body) > 3 * MIB
    tracemalloc.start()
    try:
        document = check_problem(shared_client.post(MESSAGES, content=body, headers=JSON), 422, "invalid-request")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(document.get("errors") or []) <= 20
    assert len(json.dumps(document)) < 20_000
    assert peak < MOST_MEMORY


@cache
def bomb() -> bytes:
    return gzip.compress(b" " * (64 * MIB), 1)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_compressed_body_is_refused_unread(shared_client: httpx.Client, encoding: str) -> None:
    document = check_problem(
        shared_client.post(MESSAGES, content=bomb(), headers={**JSON, "Content-Encoding": encoding}),
        415,
        "unsupported-media-type",
    )
    assert "compressed" in document["detail"]


@pytest.mark.parametrize("escape", ["\\\\", "\\ud83e\\udd8a"])
def test_a_body_of_escapes_is_stored_and_one_with_half_a_pair_is_refused(
    shared_client: httpx.Client, escape: str
) -> None:
    text = escape * (900_000 // len(escape))
    body = f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}'
    assert shared_client.post(MESSAGES, content=body, headers=JSON).status_code in (201, 413)
    broken = body.replace(escape, escape + "\\ud83e", 1)
    check_problem(shared_client.post(MESSAGES, content=broken, headers=JSON), 422, "invalid-text")


@pytest.mark.parametrize(
    ("content", "status", "slug"),
    [
        ("x" * 100_000, 201, None),
        ('x", "id": 7, "name": "' + "x" * 100_000, 422, "invalid-request"),
        ("x" * 100_000 + '"', 400, "invalid-json"),
        ('x", "metadata": ' + "[" * 90_000 + "]" * 90_000 + ', "name": "', 400, "invalid-json"),
    ],
)
def test_a_large_body_is_answered_as_a_small_one(
    shared_client: httpx.Client, content: str, status: int, slug: str | None
) -> None:
    body = f'{{"messages": [{{"role": "user", "content": "{content}"}}]}}'
    response = shared_client.post(MESSAGES, content=body, headers=JSON)
    if slug is None:
        assert response.status_code == status
    else:
        check_problem(response, status, slug)


def test_large_bodies_are_not_parsed_by_the_event_loop(
    shared_client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_in: list[str] = []
    loads = json.loads

    def note(text: Any, **options: Any) -> Any:
        parsed_in.append(threading.current_thread().name)
        return loads(text, **options)

    monkeypatch.setattr(json, "loads", note)
    body = f'{{"messages": [{{"role": "user", "content": "{"x" * 100_000}"}}]}}'
    assert shared_client.post(MESSAGES, content=body, headers=JSON).status_code == 201
    assert parsed_in
    assert "foxing-service" not in parsed_in
