"""Compression over HTTP, as LiteLLM's guardrail calls it."""

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from support.service import check_problem, ok, serve

from foxing.api.routes import compress
from foxing.memory import Memory

pytestmark = pytest.mark.usefixtures("words_alone")

#: Headers of LiteLLM 1.110: the key of its configuration, and a digest of tenant and session.
HEADERS = {"Authorization": "Bearer a-long-random-string", "x-headroom-affinity": "5e" * 32}


def request(turns: int = 80) -> dict[str, Any]:
    """What LiteLLM 1.110 sends: no instructions, nothing of the model, and not the last user message."""
    lines = "\n".join(f"Step {line} opened the file and closed it again without any change." for line in range(30))
    rows = [{"role": "tool", "tool_call_id": f"call_{n}", "content": f"Order ORD-{n}.\n{lines}"} for n in range(turns)]
    return {
        "messages": [{"role": "user", "content": "Build it."}, *rows],
        "model": "claude-fable-5",
        "config": {"mode": "ccr"},
    }


def test_a_conversation_is_compressed_and_its_texts_are_retrieved(client: httpx.Client) -> None:
    body = request()
    answer = ok(client.post("/v1/compress", json=body, headers=HEADERS))
    assert set(answer) >= {"messages", "tokens_before", "tokens_after", "tokens_saved", "compression_ratio"}
    assert [message["role"] for message in answer["messages"]] == ["user", *["tool"] * 80]
    assert len(answer["ccr_hashes"]) == 70
    assert client.post("/v1/compress", json=body, headers=HEADERS).json()["messages"] == answer["messages"]
    (bank,) = ok(client.get("/v1/banks"))["banks"]
    assert bank["id"].startswith("compress-")
    assert bank["messages"] == 70
    path = f"/v1/retrieve/{answer['ccr_hashes'][3]}"
    whole = ok(client.get(path, headers=HEADERS))
    assert whole["original_content"] == body["messages"][4]["content"]
    part = ok(client.get(path, params={"query": "step 29"}, headers=HEADERS))["original_content"]
    assert "Step 29 opened" in part
    assert len(part) < len(whole["original_content"])
    assert ok(client.get(path, params={"query": ""}, headers=HEADERS)) == whole


def test_a_hash_is_answered_only_to_its_key_and_affinity(client: httpx.Client) -> None:
    (found, *_) = ok(client.post("/v1/compress", json=request(), headers=HEADERS))["ccr_hashes"]
    assert ok(client.get(f"/v1/retrieve/{found}", headers=HEADERS))
    others = [
        client.get(f"/v1/retrieve/{found}", headers=HEADERS | {"x-headroom-affinity": "6f" * 32}),
        client.get(f"/v1/retrieve/{found}", headers={"Authorization": HEADERS["Authorization"]}),
        client.get(f"/v1/retrieve/{found}", headers=HEADERS | {"Authorization": "Bearer another"}),
        client.get(f"/v1/retrieve/{found}"),
    ]
    unknown = client.get(f"/v1/retrieve/{'0' * 24}", headers=HEADERS)
    check_problem(unknown, 404, "not-found")
    for response in others:
        check_problem(response, 404, "not-found")
        assert response.json()["detail"] == unknown.json()["detail"].replace("0" * 24, found)
    for odd in ("x", "%20", "0" * 5_000):
        check_problem(client.get(f"/v1/retrieve/{odd}", headers=HEADERS), 404, "not-found")


def test_requests_that_are_refused(client: httpx.Client) -> None:
    body = request(1)
    for wrong in ({"messages": []}, {"messages": "text"}, {"messages": [3]}, {"model": 3}, {"config": "ccr"}):
        check_problem(client.post("/v1/compress", json=body | wrong), 422, "invalid-request")
    for message in ({}, {"role": "user", "content": 3}, {"role": "user", "content": [3]}):
        check_problem(client.post("/v1/compress", json={"messages": [message]}), 422, "invalid-input")
    long = client.post("/v1/compress", json=body, headers={"x-headroom-affinity": "x" * 201})
    check_problem(long, 422, "invalid-request")
    asked = client.get(f"/v1/retrieve/{'0' * 24}", params={"query": "x" * 10_001})
    check_problem(asked, 422, "invalid-request")
    assert ok(client.post("/v1/compress", json=body | {"token_budget": 5})) == ok(
        client.post("/v1/compress", json={"messages": body["messages"]})
    )
    assert ok(client.get("/v1/banks"))["banks"] == []


def test_a_service_with_a_key_asks_for_it(memory: Memory) -> None:
    with serve(memory, api_key="a-long-random-string") as client:
        check_problem(client.post("/v1/compress", json=request(1)), 401, "unauthorized")
        check_problem(client.get(f"/v1/retrieve/{'0' * 24}"), 401, "unauthorized")
        assert ok(client.post("/v1/compress", json=request(1), headers=HEADERS))


def test_the_response_and_the_log_say_why_nothing_is_replaced(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, Any]] = []
    logger = SimpleNamespace(info=lambda event, **fields: logged.append({"event": event, **fields}))
    monkeypatch.setattr(compress, "get_logger", lambda: logger)
    long = request()
    short = {"messages": [{"role": "user", "content": f"note {n}"} for n in range(40)]}
    expected = {
        "no text of users or tools before their last 10 messages has 800 characters": short,
        "which does not yet pay": request(turns=13),
    }
    for reason, body in expected.items():
        answer = ok(client.post("/v1/compress", json=body, headers=HEADERS))
        assert reason in answer["note"]
        assert answer["new_hashes"] == 0
    assert ok(client.post("/v1/compress", json=long, headers=HEADERS))["note"] is None
    assert "was replaced before" in ok(client.post("/v1/compress", json=long, headers=HEADERS))["note"]
    assert [each["event"] for each in logged] == ["compress"] * 4
    assert "does not yet pay" in logged[1]["note"]
    assert logged[2]["saved"] > 0
