"""Readiness and metrics."""

import platform
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from support.faded import BANK, make_faded_bank
from support.service import BANK_PATH, TIMEOUT_S, check_problem, metric_samples, ok, serve
from support.waiting import wait_until

from foxing.api import metrics
from foxing.api.metrics import Metrics
from foxing.memory import Memory
from foxing.memory.recall.search import SEARCHES


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


@pytest.mark.both_databases
def test_the_process_its_build_its_queues_and_its_connections_are_measured(database_url: str) -> None:
    with Memory(database_url) as memory, serve(memory) as client:
        samples = metric_samples(client)
        assert samples["process_resident_memory_bytes"] > 10 << 20
        assert samples["process_open_fds"] > 3
        assert samples["process_cpu_seconds_total"] > 0
        assert samples[f"foxing_build_info{{python={platform.python_version()},version={version('foxing')}}}"] == 1
        queues = ("calls", "codec_calls", "searches", "writers")
        assert [samples[f"foxing_waiting{{queue={name}}}"] for name in queues] == [0, 0, 0, 0]
        assert samples["foxing_database_connections_limit"] in (20, 65)
        with memory._database.read(), memory._database.read():
            assert metric_samples(client)["foxing_database_connections{state=in_use}"] >= 2


def test_calls_that_wait_for_a_thread_are_counted(database_url: str) -> None:
    with Memory(database_url) as memory, serve(memory, codec_threads=1) as client, ThreadPoolExecutor(3) as pool:
        ok(client.get("/readyz"))
        memory.store("b", [{"role": "user", "content": "x"}])
        semaphore = memory._recaller._semaphore
        for _ in range(SEARCHES):
            assert semaphore.acquire()
        with httpx.Client(base_url=client.base_url, timeout=TIMEOUT_S) as others:
            answers = [pool.submit(others.post, "/v1/banks/b/recall", json={"query": "x"}) for _ in range(3)]
            wait_until(lambda: metric_samples(client)["foxing_waiting{queue=codec_calls}"] == 2)
            wait_until(lambda: metric_samples(client)["foxing_waiting{queue=searches}"] == 1)
            for _ in range(SEARCHES):
                semaphore.release()
            assert all(answer.result().is_success for answer in answers)
        assert metric_samples(client)["foxing_waiting{queue=codec_calls}"] == 0


@pytest.mark.both_databases
def test_sizes_are_by_tenant_and_read_once_a_minute(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SIZES_S", 0)
    with Memory(database_url) as memory, serve(memory) as client:
        for bank in ("a", "b", "acme~a"):
            memory.store(bank, [{"role": "user", "content": "four"}])
        memory.store("acme~a", [{"role": "user", "content": "four"}])
        samples = metric_samples(client)
        assert samples["foxing_database_bytes"] > 1000
        assert (samples["foxing_banks{tenant=}"], samples["foxing_banks{tenant=acme}"]) == (2, 1)
        totals = [samples[f"foxing_tenant_messages_total{{tenant={tenant}}}"] for tenant in ("", "acme")]
        assert totals == [2, 2]
        assert samples["foxing_tenant_bytes_total{tenant=acme}"] == 8
        monkeypatch.setattr(metrics, "SIZES_S", 60)
        memory.store("c", [{"role": "user", "content": "four"}])
        assert metric_samples(client)["foxing_banks{tenant=}"] == 2
        monkeypatch.setattr(metrics, "SIZES_S", 0)
        monkeypatch.setattr(metrics, "MAX_TENANTS", 1)
        samples = metric_samples(client)
        assert (samples["foxing_banks{tenant=}"], samples["foxing_banks{tenant=other}"]) == (3, 1)
