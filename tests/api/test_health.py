"""Readiness and metrics."""

from pathlib import Path

import httpx
import pytest
from support.faded import BANK, make_faded_bank
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
    client.get("/console/banks/b/overview")
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
    assert samples["foxing_http_requests_total{method=GET,route=/console/banks/{bank}/overview,status=200}"] == 1
    assert sum(value for name, value in samples.items() if "requests_total{method=OTHER" in name) == 1


@pytest.mark.slow
def test_characters_that_may_be_misread_are_counted_by_tier(tmp_path: Path) -> None:
    make_faded_bank(tmp_path / "bank.db")
    with serve(database_url=f"sqlite:///{tmp_path / 'bank.db'}") as client:
        client.post(f"/v1/banks/{BANK}/messages", json={"messages": [{"role": "user", "content": "open still"}]})
        spans = ok(client.post(f"/v1/banks/{BANK}/recall", json={"limit": 500}))["spans"]
        samples = metric_samples(client)
    faded = [span for span in spans if span["tier"] == "micro"]
    flagged = sum(stop - start for span in faded for start, stop, _ in span["uncertain"])
    assert samples["foxing_recalled_characters_total{tier=micro}"] == sum(len(span["text"]) for span in faded)
    assert samples["foxing_flagged_characters_total{tier=micro}"] == flagged > 0
    assert samples["foxing_recalled_characters_total{tier=open}"] == len("open still")
    assert samples["foxing_flagged_characters_total{tier=open}"] == 0


def test_each_application_has_its_own_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.http.record_request("GET", "/x", 200, 0.1)
    assert b'status="200"' in first.expose()
    assert b'status="200"' not in second.expose()


def test_the_icon_that_browsers_ask_for(tmp_path: Path) -> None:
    with serve(database_url=str(tmp_path / "foxing.db"), api_key="k" * 32) as client:
        icon = client.get("/favicon.ico")
        assert icon.status_code == 200
        assert icon.headers["content-type"].startswith("image/svg+xml")
        assert icon.text.startswith("<svg")
        assert client.get("/console/static/icon.svg").text == icon.text
        assert "favicon.ico" in client.get("/docs").text
        assert "icon.svg" in client.get("/console/login").text
