"""Context over HTTP."""

import httpx
import pytest
from support.service import BANK_PATH, check_problem, ok, seal

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


def test_context_for_a_reader(bank_client: httpx.Client) -> None:
    seal(bank_client)
    body = {"reader": "claude", "budget": 600, "query": "when does Titan ship?"}
    answer = ok(bank_client.post(f"{BANK_PATH}/context", json=body))
    assert {block["type"] for block in answer["content"]} == {"text"}
    assert answer["billed_tokens"] <= 600
    assert "Titan" in answer["content"][0]["text"]
    prompt = [{"role": "user", "content": "when does Titan ship?"}]
    given = {"reader": "gemini-3", "budget": 600, "messages": prompt, "as": "gemini", "keepsakes": False}
    answer = ok(bank_client.post(f"{BANK_PATH}/context", json=given))
    assert {key for block in answer["content"] for key in block} == {"text"}


def test_a_request_for_context_that_cannot_be_met(bank_client: httpx.Client) -> None:
    path = f"{BANK_PATH}/context"
    unknown = bank_client.post(path, json={"reader": "cluade", "budget": 600})
    check_problem(unknown, 422, "unknown-reader")
    assert "'claude'" in unknown.json()["detail"]
    check_problem(bank_client.post(path, json={"reader": "text", "budget": 3}), 422, "invalid-input")
    for wrong in ({"budget": 0}, {"budget": 10**9}, {"as": "cohere"}, {"messages": "hello"}, {"colour": "red"}):
        check_problem(bank_client.post(path, json={"reader": "text", "budget": 600} | wrong), 422, "invalid-request")


def test_messages_are_fetched_by_reference(bank_client: httpx.Client) -> None:
    spans = ok(bank_client.post(f"{BANK_PATH}/recall", json={"refs": True}))["spans"]
    first, second = spans[0], spans[1]
    path = f"{BANK_PATH}/fetch"
    assert ok(bank_client.get(path, params={"ref": first["ref"]})) == {"messages": [first], "missing": []}
    both = ok(bank_client.get(path, params={"ref": [f"[{second['ref']}]", first["ref"], "zzzz"]}))
    assert [message["message_id"] for message in both["messages"]] == [second["message_id"], first["message_id"]]
    assert both["missing"] == [{"ref": "zzzz", "reason": "unknown"}]
    ok(bank_client.delete(f"{BANK_PATH}/messages/{first['message_id']}"))
    gone = bank_client.get(path, params={"ref": first["ref"]})
    check_problem(gone, 410, "forgotten")
    assert first["ref"] in gone.json()["detail"]
    check_problem(bank_client.get(path, params={"ref": "zzzz"}), 404, "not-found")
    check_problem(bank_client.get("/v1/banks/none/fetch", params={"ref": "k7"}), 404, "not-found")
    check_problem(bank_client.get(path), 422, "invalid-request")
    check_problem(bank_client.get(path, params={"ref": ["k7"] * 101}), 422, "invalid-request")
