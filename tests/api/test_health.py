"""Readiness and metrics."""

import httpx
from support.service import BANK_PATH, check_problem, metric_samples, ok, serve

from foxing.api.metrics import Metrics


def test_the_service_is_ready_when_codec_and_database_are(bank_client: httpx.Client) -> None:
    assert ok(bank_client.get("/readyz")) == {"status": "ok"}


def test_a_service_with_an_unknown_codec_is_not_ready(database_url: str) -> None:
    with serve(database_url=str(database_url), codec="papyrus") as client:
        assert "FOXING_CODEC" in check_problem(client.get("/readyz"), 500, "codec")["detail"]
        body = {"messages": [{"role": "user", "content": "x"}]}
        assert client.post(f"{BANK_PATH}/messages", json=body).status_code == 201


def test_requests_and_messages_are_counted(client: httpx.Client) -> None:
    body = {"messages": [{"id": str(n), "role": "user", "content": "x"} for n in range(3)]}
    for _ in range(2):
        client.post("/v1/banks/b/messages", json=body)
    client.post("/v1/banks/b/recall", json={})
    client.get("/v1/banks/nobody")
    client.get("/nothing/at/all")
    client.request("BREW", "/v1/banks")
    samples = metric_samples(client)
    assert samples["foxing_messages_stored_total"] == 3
    assert samples["foxing_messages_duplicate_total"] == 3
    assert samples["foxing_recalls_total{format=text}"] == 1
    assert samples["foxing_recalled_spans_total{source=open}"] == 3
    assert samples["foxing_decode_queue_pages"] == 0
    route = "/v1/banks/{bank}/messages"
    assert samples[f"foxing_http_requests_total{{method=POST,route={route},status=201}}"] == 2
    assert samples[f"foxing_http_request_duration_seconds_count{{method=POST,route={route}}}"] == 2
    assert samples["foxing_http_requests_total{method=GET,route=/v1/banks/{bank},status=404}"] == 1
    assert samples["foxing_http_requests_total{method=GET,route=unmatched,status=404}"] == 1
    assert sum(value for name, value in samples.items() if "requests_total{method=OTHER" in name) == 1


def test_each_application_has_its_own_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.http.record_request("GET", "/x", 200, 0.1)
    assert b'status="200"' in first.expose()
    assert b'status="200"' not in second.expose()
