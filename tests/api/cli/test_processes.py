"""`serve` and `worker` as processes: how they start, and how they end on a signal."""

import itertools
import json
import signal
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Semaphore

import httpx
import pytest
from support.command_line import start, start_anew
from support.databases import execute
from support.operations.checks import check, examples
from support.processes import start_python

from foxing.memory import Memory

SENT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.both_databases
def test_serve_answers_and_exits_on_sigterm(database_url: str) -> None:
    begin = start_anew if database_url.startswith("sqlite") else start
    process = begin("--database", database_url, "serve", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        body = json.dumps({"messages": [{"role": "user", "content": "kept"}]}).encode()
        request = urllib.request.Request(
            f"{url}/v1/banks/b/messages", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            assert response.status == 201
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out == ""
    events = [json.loads(line) for line in log.splitlines()]
    assert {"started", "request", "stopped"} <= {event["event"] for event in events}
    assert not any("exception" in event for event in events)
    with Memory(database_url) as memory:
        assert memory.bank("b").messages == 1


@pytest.mark.slow
def test_worker_exits_on_sigterm_between_jobs(database_url: str) -> None:
    with Memory(database_url) as memory:
        memory.set_policy("b", {"age_from": "message"})
        memory.store("b", [{"role": "user", "content": "old", "created_at": SENT_AT}])
    process = start("--database", database_url, "worker", "--json", FOXING_AGEING_INTERVAL_S="3600")
    try:
        assert json.loads(process.stderr.readline())["event"] == "job"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    ended = json.loads(out)
    assert (ended["ticks"], ended["failed_ticks"], ended["failed_jobs"]) == (1, 0, 0)
    assert ended["jobs"] >= 1
    with Memory(database_url) as memory:
        assert memory.bank("b").pages == 1


@pytest.mark.slow
def test_a_port_in_use_is_reported(database_url: str) -> None:
    first = start("--database", database_url, "serve", "--port", "0", "--json")
    try:
        port = json.loads(first.stdout.readline())["url"].rpartition(":")[2]
        second = start("--database", database_url, "serve", "--port", port)
        _, error = second.communicate(timeout=120)
        assert second.returncode == 2
        assert f"port {port}" in error
        assert "Traceback" not in error
    finally:
        first.terminate()
        first.communicate(timeout=120)
    assert first.returncode == 0


OPENING = """
import sys, time
from foxing.api import memory_factory
from foxing.api.cli.main import main

def opening(*_, **__):
    print("opening", flush=True)
    time.sleep(600)

memory_factory.open_memory = opening
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"]], ids=["serve", "worker"])
def test_a_service_that_still_starts_exits_on_sigterm(database_url: str, command: list[str]) -> None:
    process = start_python(OPENING, "--database", database_url, *command)
    try:
        assert process.stdout.readline() == "opening\n"
        process.terminate()
        out, log = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in log


@pytest.mark.slow
@pytest.mark.both_databases
def test_serve_loses_nothing_that_it_acknowledged_when_it_is_told_to_stop_under_load(database_url: str) -> None:
    """Clients store, recall and erase, and the clock seals, when SIGTERM comes."""
    service = start("--database", database_url, "serve", "--port", "0", "--json", FOXING_AGEING_INTERVAL_S="0.1")
    acknowledged: list[str] = []
    begun = Semaphore(0)
    try:
        url = json.loads(service.stdout.readline())["url"]

        def work(number: int) -> None:
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                for count in itertools.count():
                    key = f"{number}-{count}"
                    content = f"Note {key}. " + 40 * "The delivery is late again. "
                    try:
                        body = {"messages": [{"id": key, "role": "user", "content": content}]}
                        if client.post("/v1/banks/b/messages", json=body).is_success:
                            acknowledged.append(key)
                        client.post("/v1/banks/b/recall", json={"query": "delivery"})
                    except httpx.HTTPError:  # it has stopped
                        return
                    begun.release()

        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(work, number) for number in range(4)]
            for _ in range(40):
                assert begun.acquire(timeout=120)
            service.send_signal(signal.SIGTERM)
            _, log = service.communicate(timeout=120)
            for client in clients:
                client.result(120)
    finally:
        service.kill()
        service.communicate()
    assert service.returncode == 0, log
    assert "Traceback" not in log
    leases = "SELECT count(*) FROM {} WHERE lease_owner IS NOT NULL"
    assert [execute(database_url, leases.format(table))[0][0] for table in ("jobs", "pages")] == [0, 0]
    with Memory(database_url) as memory:
        assert {span.message_id for span in memory.export("b")} >= set(acknowledged)
    assert examples(check(database_url, embedder="use")) == []
