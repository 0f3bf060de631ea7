"""Sealing, ageing and policies."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from support.service import (
    BANK_PATH,
    LATER,
    MESSAGES,
    NOW,
    STARTS_AT,
    check_problem,
    ok,
    seal,
    serve,
    store_conversation,
)

from foxing.memory import Memory, Policy

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


@pytest.mark.both_databases
def test_a_page_is_sealed_and_ages(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    listed = ok(bank_client.get(f"{BANK_PATH}/pages"))
    assert [page["id"] for page in listed["pages"]] == [page_id]
    assert listed["next_cursor"] is None
    page = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))
    assert page == listed["pages"][0]
    assert (page["tier"], page["text_kept"], page["pinned"], page["messages"]) == ("base", True, False, 24)
    assert ok(bank_client.get(f"{BANK_PATH}/messages/m3"))["source"] == "text"

    preview = ok(bank_client.post(f"{BANK_PATH}/age", json={"dry_run": True, "now": LATER}))
    assert [move["to_tier"] for move in preview["moved"]] == ["tiny"]
    assert ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))["tier"] == "base"

    report = ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))
    assert not report["dry_run"]
    assert [(m["from_tier"], m["to_tier"], m["drops_text"]) for m in report["moved"]] == [("base", "tiny", True)]
    assert report["vision_tokens_before"] == preview["vision_tokens_before"] >= report["vision_tokens_after"]
    assert preview["vision_tokens_after"] > 0  # an estimate
    page = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))
    assert (page["tier"], page["text_kept"]) == ("tiny", False)
    assert report["vision_tokens_after"] == page["vision_tokens"]
    assert ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))["moved"] == []

    message = ok(bank_client.get(f"{BANK_PATH}/messages/m3"))
    assert (message["source"], message["tier"], message["page_ids"]) == ("decoded", "tiny", [page_id])
    assert 0 < message["confidence"] <= 1
    assert ok(bank_client.get(f"{BANK_PATH}/pages?tier=base"))["pages"] == []
    assert len(ok(bank_client.get(f"{BANK_PATH}/pages?tier=tiny"))["pages"]) == 1
    bank = ok(bank_client.get(BANK_PATH))
    assert bank["tiers"]["tiny"]["pages"] == 1
    assert bank["bytes"]["total"] == sum(size for name, size in bank["bytes"].items() if name != "total")


@pytest.mark.both_databases
def test_a_policy_is_set_and_applied(bank_client: httpx.Client) -> None:
    assert ok(bank_client.get(f"{BANK_PATH}/policy"))["steps"][0] == {"after": "P7D", "tier": "small"}
    step = {"after": "PT1H", "tier": "micro"}
    policy = {"fresh": "large", "steps": [step], "keep_text": "until:micro", "age_from": "message"}
    stored = ok(bank_client.put(f"{BANK_PATH}/policy", json=policy))
    assert Policy.model_validate(stored) == Policy.model_validate(policy)
    assert ok(bank_client.get(f"{BANK_PATH}/policy")) == stored
    seal(bank_client)
    moved = ok(bank_client.post(f"{BANK_PATH}/age", json={"now": NOW}))["moved"]
    assert [(move["from_tier"], move["to_tier"]) for move in moved] == [("large", "micro")]


def test_setting_a_policy_creates_the_bank(bank_client: httpx.Client) -> None:
    check_problem(bank_client.get("/v1/banks/new/policy"), 404, "not-found")
    assert ok(bank_client.put("/v1/banks/new/policy", json={"keep_text": "always"}))["keep_text"] == "always"
    assert ok(bank_client.get("/v1/banks/new"))["messages"] == 0
    check_problem(bank_client.put("/v1/banks/a%20b/policy", json={}), 422, "invalid-input")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"steps": [{"after": "P7D", "tier": "large"}]}, "lower tiers"),
        ({"steps": [{"after": "P9D", "tier": "small"}, {"after": "P7D", "tier": "tiny"}]}, "ascend"),
        ({"steps": [{"after": "P7D", "tier": "huge"}]}, "'micro'"),
        ({"keep_text": "sometimes"}, "keep_text"),
        ({"undo_window": "a week"}, "undo_window"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_invalid_policy_is_refused_with_a_reason(
    bank_client: httpx.Client, policy: dict[str, Any], expected: str
) -> None:
    before = ok(bank_client.get(f"{BANK_PATH}/policy"))
    response = bank_client.put(f"{BANK_PATH}/policy", json=policy)
    assert expected in check_problem(response, 422, "invalid-policy")["detail"]
    assert ok(bank_client.get(f"{BANK_PATH}/policy")) == before


def test_a_policy_must_be_an_object(bank_client: httpx.Client) -> None:
    check_problem(bank_client.put(f"{BANK_PATH}/policy", json=[1]), 422, "invalid-request")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "moment"),
    [
        ("2026-02-20T12:00:00Z", "2026-02-20T12:00:00Z"),
        ("2026-02-20 12:00", "2026-02-20T03:00:00Z"),
        ("2026-02-20", "2026-02-19T15:00:00Z"),
        ("20 February 2026", "2026-02-19T15:00:00Z"),
        ("2026-02", "2026-01-31T15:00:00Z"),
        ("2026년 2월 20일", "2026-02-19T15:00:00Z"),
    ],
)
def test_now_is_read_alike_by_seal_age_and_recall(bank_client: httpx.Client, now: str, moment: str) -> None:
    body = {"now": now, "timezone": "Asia/Seoul"}
    seal = bank_client.post(f"{BANK_PATH}/seal", json=body)
    page_id = ok(seal)["pages"][0]
    assert ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))["sealed_at"] == moment
    assert ok(bank_client.post(f"{BANK_PATH}/age", json={**body, "dry_run": True}))["now"] == moment
    days = (datetime.fromisoformat(moment) - STARTS_AT).days
    recalled = ok(bank_client.post(f"{BANK_PATH}/recall", json={**body, "since": f"{days + 1} days ago"}))
    assert len(recalled["spans"]) == 20
    assert ok(bank_client.post(f"{BANK_PATH}/recall", json={**body, "since": f"{days - 1} days ago"}))["spans"] == []


@pytest.mark.parametrize(
    ("now", "timezone"), [("noon or so", None), ("2026-02-30", None), ("2026-02-20", "Mars/Olympus")]
)
def test_an_unreadable_now_is_refused(bank_client: httpx.Client, now: str, timezone: str | None) -> None:
    for path in ("seal", "age", "recall"):
        body = {"now": now, "timezone": timezone}
        check_problem(bank_client.post(f"{BANK_PATH}/{path}", json=body), 422, "invalid-time")
    assert ok(bank_client.get(BANK_PATH))["open_messages"] == MESSAGES


def test_without_time_travel_only_a_dry_run_accepts_now(memory: Memory) -> None:
    store_conversation(memory)
    with serve(memory) as client:
        for path in ("seal", "age", "recall"):
            response = client.post(f"{BANK_PATH}/{path}", json={"now": LATER})
            assert "FOXING_TIME_TRAVEL" in check_problem(response, 403, "time-travel-forbidden")["detail"]
        assert ok(client.post(f"{BANK_PATH}/age", json={"now": LATER, "dry_run": True}))["dry_run"]
        assert ok(client.get(BANK_PATH))["open_messages"] == 24
        assert len(ok(client.post(f"{BANK_PATH}/seal"))["pages"]) == 1  # without a body
        assert ok(client.post(f"{BANK_PATH}/age", content=b""))["dry_run"] is False


@pytest.mark.both_databases
def test_what_ageing_dropped_comes_back_until_it_is_purged(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    before = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))
    ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))
    report = ok(bank_client.post(f"{BANK_PATH}/undo", json={"now": LATER, "page": page_id}))
    [restored] = report["restored"]
    assert (restored["page_id"], restored["to_tier"], restored["text_restored"]) == (page_id, "base", True)
    assert report["bytes_after"] >= report["bytes_before"]  # the tokens of both tiers hold the whole page
    assert ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}")) == {**before, "pinned": True}
    assert ok(bank_client.post(f"{BANK_PATH}/undo", json={"now": LATER}))["restored"] == []
    ok(bank_client.delete(f"{BANK_PATH}/pages/{page_id}/pin"))
    ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))
    much_later = {"now": "2027-06-01T00:00:00Z"}
    assert ok(bank_client.post(f"{BANK_PATH}/undo", json=much_later))["purged"] == [page_id]
    gone = bank_client.post(f"{BANK_PATH}/undo", json={**much_later, "page": page_id})
    check_problem(gone, 410, "forgotten")
    check_problem(bank_client.post(f"{BANK_PATH}/undo", json={"page": "0" * 32}), 404, "not-found")
    check_problem(bank_client.post(f"{BANK_PATH}/undo", json={"since": "whenever"}), 422, "invalid-time")


@pytest.mark.both_databases
def test_messages_threads_and_banks_are_erased(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    thread = ok(bank_client.get(f"{BANK_PATH}/messages/m3"))["thread"]
    report = ok(bank_client.delete(f"{BANK_PATH}/messages/m3"))
    assert (report["messages"], report["pages"][0]["page_id"], report["log_erased"]) == (1, page_id, True)
    check_problem(bank_client.get(f"{BANK_PATH}/messages/m3"), 404, "not-found")
    check_problem(bank_client.delete(f"{BANK_PATH}/messages/m3"), 404, "not-found")
    slashed = {"messages": [{"id": "a/b", "role": "user", "content": "x", "thread": "c/d"}]}
    assert bank_client.post(f"{BANK_PATH}/messages", json=slashed).status_code == 201
    assert ok(bank_client.delete(f"{BANK_PATH}/threads/c%2Fd"))["messages"] == 1
    left = ok(bank_client.get(BANK_PATH))["messages"]
    assert ok(bank_client.delete(f"{BANK_PATH}/threads/{thread}"))["messages"] <= left
    check_problem(bank_client.delete(f"{BANK_PATH}/threads/{thread}"), 404, "not-found")
    assert ok(bank_client.delete(BANK_PATH))["bytes_after"] == 0
    check_problem(bank_client.get(BANK_PATH), 404, "not-found")
    check_problem(bank_client.delete(BANK_PATH), 404, "not-found")
