"""Values of the wrong type, which a lax reading would take for something else."""

from typing import Any

import httpx
import pytest
from support.service import BANK_PATH, LATER, NOW, check_problem, ok

from foxing.memory import InvalidTime, Memory

MESSAGE = {"role": "user", "content": "x"}


@pytest.mark.parametrize("body", [{"dry_run": 0}, {"dry_run": "no"}, {"dry_run": 1, "preview": 8}, {"preview": "8"}])
def test_what_is_no_boolean_does_not_age(shared_client: httpx.Client, body: dict[str, Any]) -> None:
    ok(shared_client.post(f"{BANK_PATH}/seal", json={"now": NOW}))
    check_problem(shared_client.post(f"{BANK_PATH}/age", json={**body, "now": LATER}), 422, "invalid-request")
    assert [page["tier"] for page in ok(shared_client.get(f"{BANK_PATH}/pages"))["pages"]] == ["base"]


@pytest.mark.parametrize(
    "policy",
    [
        {"undo_window": False},
        {"undo_window": 0},
        {"seal_after": 3600},
        {"seal_after": "3600"},
        {"steps": [{"after": 1, "tier": "small"}]},
    ],
)
def test_a_number_is_no_duration(shared_client: httpx.Client, policy: dict[str, Any]) -> None:
    document = check_problem(shared_client.put("/v1/banks/b/policy", json=policy), 422, "invalid-policy")
    assert "ISO 8601" in document["detail"]


@pytest.mark.parametrize("time", [0, 1_700_000_000, "0", "1700000000", True, 1.5])
def test_a_number_is_no_time(shared_memory: Memory, shared_client: httpx.Client, time: object) -> None:
    body = {"messages": [{**MESSAGE, "created_at": time}]}
    document = check_problem(shared_client.post("/v1/banks/b/messages", json=body), 422, "invalid-request")
    assert "RFC 3339" in document["detail"]
    with pytest.raises(InvalidTime, match="RFC 3339"):
        shared_memory.store("b", body["messages"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("recall", {"limit": "5"}),
        ("recall", {"limit": True}),
        ("recall", {"max_tokens": "100"}),
        ("recall", {"query": 7}),
        ("messages", {"messages": [{**MESSAGE, "id": 7}]}),
        ("messages", {"messages": [{**MESSAGE, "content": 7}]}),
        ("messages", {"messages": [MESSAGE], "thread": 7}),
    ],
)
def test_numbers_texts_and_booleans_are_different(shared_client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    check_problem(shared_client.post(f"/v1/banks/b/{path}", json=body), 422, "invalid-request")
