"""Folding over HTTP and through the client."""

import base64

import httpx
import pytest
from support.conversations import agent_loop
from support.service import check_problem, ok

PATH = "/v1/banks/folded/fold"


def test_a_conversation_is_folded_over_http(client: httpx.Client) -> None:
    body = {
        "session": "s",
        "wire": "anthropic",
        "reader": "text",
        "budget": 8_000,
        "cache": "cold",
        "messages": agent_loop(40),
    }
    answer = ok(client.post(PATH, json=body))
    assert answer["reason"] == "cold"
    assert answer["messages"][1:] == body["messages"][answer["folded"] :]  # type: ignore[index]
    again = ok(client.post(PATH, json=body))
    assert again["messages"] == answer["messages"]
    assert again["reason"] is None


@pytest.mark.slow
def test_a_conversation_may_be_larger_than_other_bodies(client: httpx.Client) -> None:
    data = base64.b64encode(bytes(6 << 20)).decode()
    messages = agent_loop(40)
    messages[0]["content"] = [
        {"type": "text", "text": "See this."},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    ]
    body = {"session": "s", "wire": "anthropic", "reader": "text", "budget": 8_000, "cache": "cold"}
    answer = ok(client.post(PATH, json=body | {"messages": messages}))
    assert answer["reason"] == "cold"
    assert "[image, not remembered: the data are not" in str(answer["messages"])
    ok(client.post("/v1/compress", json={"messages": messages}))
    check_problem(client.post("/v1/banks/folded/messages", json={"messages": messages}), 413, "body-too-large")
    large = body | {"messages": messages * 5}
    check_problem(client.post(PATH, json=large), 413, "body-too-large")


def test_folds_that_are_refused(client: httpx.Client) -> None:
    body = {"session": "s", "wire": "anthropic", "reader": "text", "budget": 900, "messages": agent_loop(40)}
    small = client.post(PATH, json=body)
    check_problem(small, 422, "invalid-input")
    assert "too small" in small.json()["detail"]
    check_problem(client.post(PATH, json=body | {"messages": agent_loop(3)[:-1] * 2}), 422, "invalid-input")
    check_problem(client.post(PATH, json=body | {"reader": "cluade"}), 422, "unknown-reader")
    for wrong in ({"wire": "smoke"}, {"messages": []}, {"budget": 0}, {"colour": "red"}):
        check_problem(client.post(PATH, json=body | wrong), 422, "invalid-request")
    check_problem(client.get("/v1/banks/folded"), 404, "not-found")
