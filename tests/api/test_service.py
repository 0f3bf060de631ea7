"""The clock of the service, its figures and its logs."""

import io
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from foxing.api.app import create_app
from foxing.api.logs import configure_logs, get_logger
from foxing.api.metrics import Metrics
from foxing.api.scheduler import Clock
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

WAIT_S = 60.0


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        yield memory


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def eventually(condition: Callable[[], bool]) -> None:
    """Waits for something that another thread does."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def figures(client: httpx.Client) -> dict[str, float]:
    """Every sample of /metrics under "name{labels}"."""
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_requests_and_messages_are_counted(memory: Memory) -> None:
    app = create_app(load_settings({"ageing_enabled": False}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        body = {"messages": [{"id": str(n), "role": "user", "content": "x"} for n in range(3)]}
        for _ in range(2):
            client.post("/v1/banks/b/messages", json=body)
        client.post("/v1/banks/b/recall", json={})
        client.get("/v1/banks/nobody")
        client.get("/nothing/at/all")
        client.request("BREW", "/v1/banks")
        found = figures(client)
    assert found["foxing_messages_stored_total"] == 3
    assert found["foxing_messages_duplicate_total"] == 3
    assert found["foxing_recalls_total{format=text}"] == 1
    assert found["foxing_recalled_spans_total{source=open}"] == 3
    assert found["foxing_decode_queue_pages"] == 0
    route = "/v1/banks/{bank}/messages"
    assert found[f"foxing_http_requests_total{{method=POST,route={route},status=201}}"] == 2
    assert found[f"foxing_http_request_duration_seconds_count{{method=POST,route={route}}}"] == 2
    assert found["foxing_http_requests_total{method=GET,route=/v1/banks/{bank},status=404}"] == 1
    assert found["foxing_http_requests_total{method=GET,route=unmatched,status=404}"] == 1
    assert sum(value for name, value in found.items() if "requests_total{method=OTHER" in name) == 1


def test_applications_count_for_themselves(memory: Memory) -> None:
    first, second = Metrics(), Metrics()
    first.request("GET", "/x", 200, 0.1)
    assert b'status="200"' in first.expose()
    assert b'status="200"' not in second.expose()


def test_the_clock_seals_and_ages(memory: Memory) -> None:
    memory.store("b", [{"role": "user", "content": "soon a page", "created_at": datetime.now(UTC) - timedelta(days=9)}])
    memory.set_policy("b", {"seal_after": "PT1S", "steps": [{"after": "PT2S", "tier": "tiny"}]})
    app = create_app(load_settings({"ageing_interval_s": 0.05}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        eventually(lambda: [page.tier for page in memory.pages("b").pages] == ["tiny"])
        eventually(lambda: figures(client).get("foxing_pages_aged_total{trigger=tick}") == 1)
        found = figures(client)
    assert found["foxing_pages_sealed_total{trigger=tick}"] == 1
    assert found["foxing_ticks_total"] >= 1
    assert found["foxing_tick_failures_total"] == 0
    assert time.time() - found["foxing_last_tick_timestamp_seconds"] < WAIT_S


def test_a_failing_tick_is_counted_and_the_next_one_comes(
    memory: Memory, database_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(load_settings({"ageing_interval_s": 0.02}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        with closing(sqlite3.connect(database_path, timeout=WAIT_S)) as connection:
            connection.execute("ALTER TABLE banks RENAME TO elsewhere")
        eventually(lambda: figures(client)["foxing_tick_failures_total"] >= 2)
        assert client.get("/healthz").status_code == 200
        before = figures(client)["foxing_ticks_total"]
        with closing(sqlite3.connect(database_path, timeout=WAIT_S)) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO banks")
        eventually(lambda: figures(client)["foxing_ticks_total"] > before)
    assert any("tick failed" in record.getMessage() for record in caplog.records)


def test_the_clock_can_be_off(memory: Memory) -> None:
    app = create_app(load_settings({"ageing_enabled": False, "ageing_interval_s": 0.01}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        time.sleep(0.1)
        assert figures(client)["foxing_ticks_total"] == 0


def test_a_clock_that_starts_at_once_does_not_wait(memory: Memory) -> None:
    clock = Clock(memory, 3600, Metrics())
    clock.start(at_once=True)
    eventually(lambda: clock.ticks == 1)
    clock.stop()
    assert clock.failures == 0


def test_a_log_line_is_one_json_object(root_logger: None) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({}), stream)
    get_logger().info("한국어\nand a new line", bank="b")
    logging.getLogger("some.library").warning("%s is odd", "this", extra={"why": "because"})
    try:
        raise RuntimeError("told")
    except RuntimeError:
        get_logger().exception("failed")
    get_logger().debug("not wanted")
    for library in ("httpx", "httpcore.http11"):
        logging.getLogger(library).info("POST http://bob:hunter2@host/v1")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["한국어\nand a new line", "this is odd", "failed"]
    assert lines[0]["bank"] == "b"
    assert (lines[1]["level"], lines[1]["logger"], lines[1]["why"]) == ("warning", "some.library", "because")
    assert "RuntimeError: told" in lines[2]["exception"]
    assert all(datetime.fromisoformat(line["time"]).tzinfo is not None for line in lines)


def test_a_log_may_be_for_people(root_logger: None) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({"log_format": "text", "log_level": "warning"}), stream)
    get_logger().info("not wanted")
    get_logger().warning("look here", bank="b")
    assert "look here" in stream.getvalue()
    assert "bank=b" in stream.getvalue()
    assert "not wanted" not in stream.getvalue()
