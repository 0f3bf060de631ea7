"""`worker --http`: health, readiness and metrics of a worker process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from support.command_line import start
from support.service import check_problem, metric_samples, ok
from support.waiting import wait_until

from foxing.memory import Memory

SENT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = "a-long-random-text"


@contextmanager
def working(database_url: str, *, headers: dict[str, str] | None = None, **settings: str) -> Iterator[httpx.Client]:
    """A client of a worker that serves on a free port."""
    process = start("--database", database_url, "worker", "--http", "127.0.0.1:0", **settings)
    try:
        events = (json.loads(line) for line in process.stderr)
        url = next(event["url"] for event in events if event["event"] == "listening")
        with httpx.Client(base_url=url, timeout=120, trust_env=False, headers=headers) as client:
            yield client
        process.terminate()
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0


@pytest.mark.both_databases
def test_a_worker_answers_what_orchestrators_and_prometheus_ask(database_url: str) -> None:
    with Memory(database_url) as memory:
        memory.set_policy("b", {"age_from": "message"})
        memory.store("b", [{"role": "user", "content": "old", "created_at": SENT_AT}])
    with working(database_url) as client:
        assert ok(client.get("/healthz")) == ok(client.get("/readyz")) == {"status": "ok"}
        wait_until(lambda: metric_samples(client).get("foxing_pages_sealed_total{trigger=tick}") == 1)
        samples = metric_samples(client)
        assert samples["foxing_ticks_total"] >= 1
        assert samples["foxing_operation_duration_seconds_count{operation=seal}"] == 1
        assert client.get("/v1/banks").status_code == client.get("/docs").status_code == 404


@pytest.mark.slow
def test_metrics_of_a_worker_need_the_key_and_health_needs_none(database_url: str) -> None:
    with working(database_url, FOXING_API_KEY=KEY) as client:
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        check_problem(client.get("/metrics"), 401, "unauthorized")
        assert client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


@pytest.mark.slow
def test_a_worker_whose_codec_cannot_be_loaded_is_alive_and_not_ready(database_url: str) -> None:
    with working(database_url, FOXING_CODEC="papyrus") as client:
        assert "FOXING_CODEC" in check_problem(client.get("/readyz"), 500, "codec")["detail"]
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("address", ["0.0.0.0:0", "127.0.0.1", "127.0.0.1:70000", ":80"])
def test_an_address_that_is_open_without_a_key_or_none_is_refused(database_url: str, address: str) -> None:
    process = start("--database", database_url, "worker", "--http", address)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Traceback" not in error
    assert "API key" in error if address == "0.0.0.0:0" else "FOXING_WORKER_HTTP" in error
