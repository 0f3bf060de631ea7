"""Traces of requests and jobs, and the figures of the queue: which steps, of which banks and pages, and no text."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.service import BANK, BANK_PATH, FACTS, LATER, MESSAGES, STARTS_AT, metric_samples, ok, seal

from foxing.api.app import create_app
from foxing.api.metrics import Metrics
from foxing.api.server import BackgroundServer
from foxing.api.settings import InvalidSettings, load_settings
from foxing.api.tracing import Tracing
from foxing.api.worker import Worker
from foxing.memory import Memory

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: STARTS_AT + timedelta(hours=3)) as opened:
        yield opened


@pytest.fixture
def client(memory: Memory, exporter: InMemorySpanExporter) -> Iterator[httpx.Client]:
    settings = load_settings({"ageing_enabled": False, "time_travel": True})
    app = create_app(settings, memory, Tracing(exporter, batched=False))
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=600) as opened:
        yield opened


def conversation() -> dict[str, Any]:
    return {
        "messages": [
            {
                "role": "user",
                "content": FACTS[number % 3],
                "created_at": (STARTS_AT + timedelta(minutes=number)).isoformat(),
            }
            for number in range(MESSAGES)
        ]
    }


def wait_for_requests(exporter: InMemorySpanExporter, number: int) -> None:
    """Waits until so many requests have ended, which is after their answers have come."""
    deadline = time.monotonic() + 60
    while sum(" " in span.name for span in exporter.get_finished_spans()) < number:
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


def trees(exporter: InMemorySpanExporter) -> dict[str, list[str]]:
    """Name of each span without parent → names of the spans below it, in the order in which they began."""
    spans = sorted(exporter.get_finished_spans(), key=lambda span: span.start_time)
    roots = {span.context.trace_id: span.name for span in spans if span.parent is None or span.parent.is_remote}
    result: dict[str, list[str]] = {name: [] for name in roots.values()}
    for span in spans:
        if span.parent is not None and not span.parent.is_remote:
            result[roots[span.context.trace_id]].append(span.name.removeprefix("foxing."))
    return result


def attributes(exporter: InMemorySpanExporter, name: str) -> dict[str, Any]:
    """Those of the last span of a name."""
    return dict([span for span in exporter.get_finished_spans() if span.name == name][-1].attributes or {})


def test_requests_and_their_steps_are_traced_without_text(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert client.post(f"{BANK_PATH}/messages", json=conversation(), headers=headers).status_code == 201
    page = seal(client)
    aged = ok(client.post(f"{BANK_PATH}/age", json={"now": LATER}))
    ok(client.post(f"{BANK_PATH}/recall", json={"query": "When does Titan ship?"}))
    assert client.get("/v1/banks/nobody").status_code == 404

    wait_for_requests(exporter, 5)
    found = trees(exporter)
    assert found["POST /v1/banks/{bank}/messages"] == ["store"]
    assert found["POST /v1/banks/{bank}/seal"] == ["seal", "encode", "decode"]  # is the text read as said?
    assert found["POST /v1/banks/{bank}/age"][:2] == ["age", "draw"]  # what was just sealed need not be decoded
    assert found["POST /v1/banks/{bank}/recall"][0] == "recall"
    assert {"search", "decode"} <= set(found["POST /v1/banks/{bank}/recall"])
    assert attributes(exporter, "foxing.store") == {"foxing.bank": BANK, "foxing.messages": 24, "foxing.stored": 24}
    assert attributes(exporter, "foxing.seal")["foxing.pages"] == (page,)
    assert attributes(exporter, "foxing.age")["foxing.pages"] == tuple(move["page_id"] for move in aged["moved"])
    assert attributes(exporter, "foxing.recall")["foxing.pages"] == (page,)
    assert attributes(exporter, "GET /v1/banks/{bank}")["http.response.status_code"] == 404
    stored = next(span for span in exporter.get_finished_spans() if span.name == "foxing.store")
    assert f"{stored.context.trace_id:032x}" == TRACE
    said = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert not any(word in said for word in ("Titan", "staging", "Mina"))


def test_a_step_that_fails_says_so_without_the_message_of_the_error(
    client: httpx.Client, exporter: InMemorySpanExporter
) -> None:
    body = {"messages": [{"id": "m", "role": "user", "content": "one"}]}
    assert client.post(f"{BANK_PATH}/messages", json=body).status_code == 201
    body["messages"][0]["content"] = "another"
    assert client.post(f"{BANK_PATH}/messages", json=body).status_code == 409
    failed = [span for span in exporter.get_finished_spans() if span.name == "foxing.store"][-1]
    assert (failed.status.is_ok, failed.status.description, list(failed.events)) == (False, "Conflict", [])


def test_jobs_are_traced(memory: Memory, exporter: InMemorySpanExporter) -> None:
    memory.store(BANK, conversation()["messages"])
    memory.operations.jobs.fill(memory.now())
    tracing = Tracing(exporter, batched=False)
    tracing.start()
    worker = Worker(memory, Metrics())
    worker.start()
    while memory.operations.jobs.length().waiting or memory.operations.jobs.length().running:
        pass
    worker.stop()
    tracing.stop()
    assert attributes(exporter, "foxing.job") == {"foxing.bank": BANK, "foxing.kind": "seal"}


def test_nothing_is_traced_unless_it_is_chosen(
    memory: Memory, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracing = Tracing.chosen(load_settings({}))
    tracing.start()
    memory.store(BANK, conversation()["messages"])
    tracing.stop()
    assert exporter.get_finished_spans() == ()
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InvalidSettings, match=r"foxing\[otel\]"):
        create_app(load_settings({"tracing": "otlp"}), memory)


def test_metrics_show_how_late_the_work_is_and_how_long_steps_take(memory: Memory, client: httpx.Client) -> None:
    memory.set_policy(BANK, {"age_from": "message"})
    assert client.post(f"{BANK_PATH}/messages", json=conversation()).status_code == 201
    seal(client)
    memory.tick()  # works out when the page is due
    before = metric_samples(client)
    assert (before["foxing_oldest_due_page_seconds"], before["foxing_oldest_job_seconds"]) == (0, 0)
    memory._clock = lambda: STARTS_AT + timedelta(days=8)
    memory.operations.jobs.fill(memory.now())
    after = metric_samples(client)
    due = STARTS_AT + timedelta(minutes=MESSAGES - 1, days=7)  # its last message is a week old
    assert after["foxing_oldest_due_page_seconds"] == (memory.now() - due).total_seconds()
    assert after["foxing_oldest_job_seconds"] > 0
    assert (after["foxing_jobs_waiting"], after["foxing_jobs_running"]) == (1, 0)
    steps = {
        name: after[f"foxing_operation_duration_seconds_count{{operation={name}}}"]
        for name in ("store", "seal", "encode")
    }
    assert steps == {"store": 1, "seal": 1, "encode": 1}
