"""Cursors that no answer has ever held."""

import base64
import json
from typing import Any

import httpx
import pytest
from support.service import check_problem

from foxing.memory import Memory


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def positions() -> dict[str, str]:
    values: dict[str, Any] = {
        "half a pair": '"\\ud800"',
        "nested": nested(900),
        "nested deeply": nested(100_000),
        "object": '{"a": 1}',
        "number": "1e999",
        "large number": "9" * 5000,
        "null": "null",
        "nul": '"\\u0000"',
    }
    return values


@pytest.mark.parametrize("kind", positions())
@pytest.mark.parametrize("name", ["banks", "pages:None"])
def test_a_made_up_cursor_is_invalid(shared_client: httpx.Client, name: str, kind: str) -> None:
    made_up = cursor(f"[{json.dumps(name)},{positions()[kind]},{positions()[kind]},1]")
    for path in ("/v1/banks", "/v1/banks/agent-7/pages"):
        if len(made_up) < 60_000:  # longer ones do not fit a request's head
            check_problem(shared_client.get(path, params={"cursor": made_up}), 422, "invalid-cursor")
    check_problem(shared_client.post("/v1/banks/agent-7/recall", json={"cursor": made_up}), 422, "invalid-cursor")


def test_a_cursor_that_was_given_goes_on(memory: Memory, client: httpx.Client) -> None:
    for name in ("ana", "bo", "cy"):
        memory.store(name, [{"role": "user", "content": "x"}])
    first = client.get("/v1/banks", params={"limit": 2}).json()
    rest = client.get("/v1/banks", params={"cursor": first["next_cursor"]}).json()
    assert [bank["id"] for bank in rest["banks"]] == ["cy"]
