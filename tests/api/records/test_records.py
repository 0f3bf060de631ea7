"""Records over HTTP."""

from typing import Any

import httpx
from support.service import check_problem, ok

PATH = "/v1/banks/ana/records"
KEY = {"namespace": ["notes"], "key": "k"}


def write(client: httpx.Client, *writes: dict[str, Any], **headers: str) -> httpx.Response:
    return client.post(PATH, json={"writes": writes}, headers=headers)


def test_records_come_back_exactly(client: httpx.Client) -> None:
    value = {"z": 1, "a": 1.0, "text": "a\0b ☂", "none": None}
    written = ok(write(client, {"op": "put", **KEY, "value": value}))
    assert written == {"changes": [{"version": 1, "deleted": 0}]}
    found = ok(client.post(f"{PATH}/get", json={"records": [KEY, {**KEY, "key": "other"}]}))["records"]
    assert found[1] is None
    assert list(found[0]["value"].items()) == list(value.items())
    assert isinstance(found[0]["value"]["a"], float)
    listed = ok(client.post(f"{PATH}/search", json={"namespace": ["notes"]}))
    assert listed == {"records": [found[0]], "next_cursor": None}
    assert ok(client.post(f"{PATH}/namespaces", json={}))["namespaces"] == [["notes"]]
    assert ok(write(client, {"op": "clear", "namespace": ["notes"]}))["changes"] == [{"version": None, "deleted": 1}]


def test_a_repeated_request_does_nothing_twice(client: httpx.Client) -> None:
    body = {"op": "put", **KEY, "value": 1, "if_version": 0}
    first = ok(write(client, body, **{"Idempotency-Key": "one"}))
    assert ok(write(client, body, **{"Idempotency-Key": "one"})) == first
    check_problem(write(client, body), 409, "conflict")


def test_what_is_wrong_with_a_request(client: httpx.Client) -> None:
    check_problem(client.post(f"{PATH}/get", json={"records": [KEY]}), 404, "not-found")
    for writes in ([], [{"op": "put", **KEY}], [{"op": "put", "namespace": [""], "key": "k", "value": 1}], [{"op": 1}]):
        check_problem(client.post(PATH, json={"writes": writes}), 422, "invalid-request")
    large = {"op": "put", **KEY, "value": "x" * (1 << 20)}
    assert "split the record" in check_problem(write(client, large), 422, "invalid-request")["detail"]
    ok(write(client, {"op": "put", **KEY, "value": 1}))
    check_problem(client.post(f"{PATH}/search", json={"cursor": "WyJhIiwxXQ"}), 422, "invalid-cursor")
    check_problem(client.post(f"{PATH}/search", json={"limit": 501}), 422, "invalid-request")
    check_problem(client.get(PATH), 405, "method-not-allowed")
