"""Savings over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from support.service import check_problem, ok

PATH = "/v1/banks/agent/savings"


def call(number: int, **fields: Any) -> dict[str, Any]:
    given = {
        "id": f"call-{number}",
        "called_at": (datetime(2026, 11, 28, 9, tzinfo=UTC) + timedelta(minutes=number)).isoformat(),
        "session": "s",
        "model": "claude-fable-5-1",
        "wire": "anthropic",
        "folded": number > 0,
        "new_fold": number == 1,
        "fresh_tokens": 10,
        "written_tokens": 1_000,
        "read_tokens": 500 * (number > 1),
        "output_tokens": 20,
        "original_tokens": 5_000 + 1_000 * number,
        "original_prefix": 4_000 + 1_000 * number,
        "retries": int(number == 2),
    }
    return given | fields


def test_calls_are_recorded_and_summed_over_http(client: httpx.Client) -> None:
    first = ok(client.post(PATH, json={"calls": [call(0), call(1)]}))
    assert [each["id"] for each in first["recorded"]] == ["call-0", "call-1"]
    assert ok(client.post(PATH, json={"calls": [call(1), call(2)]}))["duplicates"] == 1
    shown = ok(client.get(PATH, params={"by": "model"}))
    assert [(row["key"], row["calls"], row["folded_calls"]) for row in shown["rows"]] == [("claude-fable-5-1", 3, 2)]
    total = shown["total"]
    assert total["saved"] == total["original"] - total["billed"] > 0
    table = client.get(f"{PATH}.csv", params={"by": "session", "since": "2026-11-28T09:01:00Z"})
    assert table.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[:2] for line in table.text.splitlines()] == [["session", "calls"], ["s", "2"]]
    metrics = client.get("/metrics").text
    for line in (
        'foxing_model_calls_total{folded="true",model="claude-fable-5-1"} 2.0',
        'foxing_model_tokens_total{kind="written",model="claude-fable-5-1"} 3000.0',
        'foxing_model_retries_total{model="claude-fable-5-1"} 1.0',
        f'foxing_model_input_price_total{{model="claude-fable-5-1",of="billed"}} {total["billed"]}',
        f'foxing_model_input_price_total{{model="claude-fable-5-1",of="original"}} {total["original"]}',
    ):
        assert line in metrics


def test_models_beyond_a_limit_share_a_label(client: httpx.Client) -> None:
    ok(client.post(PATH, json={"calls": [call(n, id=f"m{n}", model=f"model-{n}") for n in range(120)]}))
    counted = [
        line for line in client.get("/metrics").text.splitlines() if line.startswith("foxing_model_calls_total{")
    ]
    assert len(counted) <= 102
    assert any('model="other"' in line for line in counted)


def test_savings_that_are_refused(client: httpx.Client) -> None:
    check_problem(client.get(PATH), 404, "not-found")
    check_problem(client.get(f"{PATH}.csv"), 404, "not-found")
    for wrong in ({"by": "hour"}, {"since": "yesterday"}, {"limit": 0}):
        check_problem(client.get(PATH, params=wrong), 422, "invalid-request")
    check_problem(client.post(PATH, json={"calls": [call(0, fresh_tokens=-1)]}), 422, "invalid-request")
    check_problem(client.post(PATH, json={"calls": []}), 422, "invalid-request")
