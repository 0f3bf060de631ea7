"""Bundles over HTTP."""

import httpx
from support.service import check_problem, ok

MESSAGES = {"messages": [{"id": f"m{n}", "role": "user", "content": f"Crate {n} goes to Oslo."} for n in range(40)]}


def test_a_bank_moves_over_http(client: httpx.Client) -> None:
    assert client.post("/v1/banks/a/messages", json=MESSAGES).status_code == 201
    ok(client.post("/v1/banks/a/seal"))
    response = client.get("/v1/banks/a/export")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-tar")
    bundle = response.content
    assert client.get("/v1/banks/a/export").content == bundle
    headers = {"Content-Type": "application/octet-stream"}

    check_problem(client.post("/v1/banks/a/bundle", content=bundle, headers=headers), 409, "conflict")
    for bad in (bundle[:-2_000], b"", b"no bundle" * 100):
        check_problem(client.post("/v1/banks/b/bundle", content=bad, headers=headers), 422, "invalid-bundle")
    check_problem(client.get("/v1/banks/b/export"), 404, "not-found")
    report = ok(client.post("/v1/banks/b/bundle", content=bundle, headers=headers))
    assert (report["bank"], report["messages"], report["pages"]) == ("b", 40, 1)
    assert (report["keeps_references"], report["renamed_pages"]) == (False, 1)
    spans = [ok(client.post(f"/v1/banks/{b}/recall", json={"query": "crate 7"}))["spans"] for b in "ab"]
    assert [span["message_id"] for span in spans[0]] == [span["message_id"] for span in spans[1]]
