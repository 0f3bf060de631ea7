"""Several processes that serve one address: one database, one bank, one set of keys, sessions and metrics."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from support.command_line import start
from support.operations.checks import check, examples
from support.plugins import declare
from support.processes import ForkedProcess, start_python
from support.service import metric_samples, ok
from support.waiting import wait_until

from foxing.api.running_service import RunningService
from foxing.memory import Memory

pytestmark = pytest.mark.slow

KEY = "the-key-of-the-settings"
#: Connections of which, in all likelihood, each process accepts some.
CONNECTIONS = 24
MESSAGES = "/v1/banks/b/messages"


class Service:
    """A service of two processes."""

    def __init__(self, database: str, stack: ExitStack, *arguments: str, **environment: str) -> None:
        self.stack = stack
        self.process: ForkedProcess = start(
            "--database",
            database,
            "serve",
            "--processes",
            "2",
            "--json",
            *(arguments or ("--port", "0")),
            **environment,
        )
        #: Its log so far.
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        stack.callback(self._close)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.port = int(self.url.rpartition(":")[2])
        wait_until(lambda: sum("Application startup complete" in line for line in self.lines) == 2)

    def client(self, **options: Any) -> httpx.Client:
        """A client with connections of its own."""
        return self.stack.enter_context(httpx.Client(base_url=self.url, timeout=120, verify=False, **options))

    def clients(self, **options: Any) -> list[httpx.Client]:
        """Clients that are connected at the same time, so that each process has accepted some."""
        clients = [self.client(**options) for _ in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda client: client.get("/healthz"), clients))
        return clients

    def children(self) -> list[int]:
        """Ids of the processes that run."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> list[dict[str, Any]]:
        """Stops it and returns its log."""
        self.process.send_signal(signal.SIGTERM)
        return self.log()

    def log(self) -> list[dict[str, Any]]:
        """Waits until it has stopped and returns its log."""
        status = self.process.wait(120)
        self._reader.join(120)
        text = "".join(self.lines)
        assert status == 0, text
        assert self.process.stdout.read() == ""
        assert "Traceback" not in text
        return [json.loads(line) for line in self.lines]

    def _read(self) -> None:
        for line in iter(self.process.stderr.readline, ""):
            self.lines.append(line)

    def _close(self) -> None:
        self.process.kill()
        self.process.wait(120)
        self._reader.join(120)
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            file.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _message(content: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.both_databases
def test_all_processes_store_into_one_bank_and_count_together(database_url: str, stack: ExitStack) -> None:
    service = Service(database_url, stack)
    clients = service.clients()

    def store(numbered: tuple[int, httpx.Client]) -> Any:
        number, client = numbered
        once = client.post(MESSAGES, json=_message("the same"), headers={"Idempotency-Key": "k"})
        own = client.post(MESSAGES, json=_message(f"own {number}"))
        assert (once.status_code, own.status_code) == (201, 201)
        return once.json()["ids"]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        ids = list(pool.map(store, enumerate(clients)))
    assert len({str(each) for each in ids}) == 1
    for client in clients:
        samples = metric_samples(client)
        assert samples["foxing_messages_stored_total"] + samples["foxing_messages_duplicate_total"] >= CONNECTIONS + 1
        assert samples["foxing_jobs_waiting"] == 0
    stored = {
        metric_samples(client)["foxing_http_requests_total{method=POST,route=/v1/banks/{bank}/messages,status=201}"]
        for client in clients
    }
    assert stored == {2.0 * CONNECTIONS}
    log = service.stop()
    assert {entry["process"] for entry in log if entry["event"] == "request"} == {1, 2}
    assert {entry["process"]: entry["ageing"] for entry in log if entry["event"] == "started"} == {1: True, 2: False}
    with Memory(database_url) as memory:
        assert memory.bank("b").messages == CONNECTIONS + 1
    assert examples(check(database_url, embedder="use")) == []


def test_keys_and_sessions_are_those_of_all_processes(database_url: str, stack: ExitStack) -> None:
    service = Service(database_url, stack, FOXING_API_KEY=KEY)
    clients = service.clients()
    admin = {"Authorization": f"Bearer {KEY}"}
    key = clients[0].post("/v1/keys", json={"name": "n", "role": "admin"}, headers=admin).json()
    own = {"Authorization": f"Bearer {key['key']}"}
    assert {client.get("/v1/banks", headers=own).status_code for client in clients} == {200}
    assert clients[0].delete(f"/v1/keys/{key['id']}", headers=admin).is_success
    assert {client.get("/v1/banks", headers=own).status_code for client in clients} == {401}

    origin = {"Origin": service.url}
    session = clients[1].post("/console/login", data={"key": KEY}, headers=origin)
    cookie = {"Cookie": session.headers["set-cookie"].partition(";")[0]}
    assert {client.get("/console/banks", headers=cookie).status_code for client in clients} == {200}
    clients[2].post("/console/logout", headers=origin | cookie)
    assert {client.get("/console/banks", headers=cookie).status_code for client in clients} == {303}
    service.stop()


@pytest.mark.both_databases
def test_a_process_that_is_killed_is_replaced(database_url: str, stack: ExitStack) -> None:
    service = Service(database_url, stack)
    client = service.client(transport=httpx.HTTPTransport(retries=3))
    numbers = itertools.count()
    acknowledged: set[str] = set()

    def store() -> bool:
        key = f"m{next(numbers)}"
        body = {"messages": [{"id": key, "role": "user", "content": f"note {key}"}]}
        with httpx.Client(base_url=service.url, timeout=60, verify=False) as own:
            try:
                answer = own.post(MESSAGES, json=body)
            except httpx.TransportError:  # of the process that was killed
                return False
            if answer.is_success:
                acknowledged.add(key)
        return answer.is_success

    wait_until(store)
    for number in range(2):
        before = service.children()
        os.kill(before[number], signal.SIGKILL)
        wait_until(lambda before=before: store() and len(set(service.children()) - set(before)) == 1)
        wait_until(lambda: len(service.children()) == 2)
    wait_until(lambda: {client.get("/healthz").status_code for _ in range(4)} == {200})
    assert metric_samples(client)["foxing_messages_stored_total"] >= len(acknowledged)
    log = service.stop()
    assert [entry["status"] for entry in log if entry["event"] == "process ended"] == [-signal.SIGKILL] * 2
    with Memory(database_url) as memory:
        assert {span.message_id for span in memory.export("b")} >= acknowledged


def test_sighup_reloads_in_all_processes_and_in_those_that_replace_them(
    database_path: Path, tmp_path: Path, stack: ExitStack
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'api_key = "{KEY}"\n')
    service = Service(f"sqlite:///{database_path}", stack, FOXING_SETTINGS_FILE=str(file))

    def statuses(key: str) -> set[int]:
        headers = {"Authorization": f"Bearer {key}"}
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return set(pool.map(lambda client: client.get("/metrics", headers=headers).status_code, service.clients()))

    assert statuses(KEY) == {200}
    file.write_text('api_key = "another-key-of-the-settings"\n')
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: statuses(KEY) == {401})
    before = service.children()
    os.kill(before[1], signal.SIGKILL)
    wait_until(lambda: len(set(service.children()) - set(before)) == 1)
    wait_until(lambda: sum("Application startup complete" in line for line in service.lines) == 3)
    assert statuses(KEY) == {401}
    assert statuses("another-key-of-the-settings") == {200}
    log = service.stop()
    numbers = {entry.get("process") for entry in log if entry["event"] == "settings reloaded"}
    assert numbers == {0, 1, 2}


def test_processes_end_with_their_parent(database_path: Path, stack: ExitStack) -> None:
    service = Service(f"sqlite:///{database_path}", stack)
    assert {client.post(MESSAGES, json=_message("kept")).status_code for client in service.clients()} == {201}
    children = service.children()
    assert len(children) == 2
    service.process.kill()
    service.process.wait(60)
    killed_at = time.monotonic()
    wait_until(lambda: not any(_runs(pid) for pid in children))
    assert time.monotonic() - killed_at < 10  # 1.2 s where no other program computes
    assert RunningService.of(database_path) is None
    again = Service(f"sqlite:///{database_path}", stack, "--port", str(service.port))
    assert again.url == service.url
    assert again.client().get("/v1/banks/b").json()["messages"] == CONNECTIONS
    again.stop()


def test_the_announcement_is_that_of_the_parent(database_path: Path, stack: ExitStack) -> None:
    service = Service(f"sqlite:///{database_path}", stack)
    announced = RunningService.of(database_path)
    assert announced is not None
    assert announced.announcement.pid == service.process.pid
    assert announced.announcement.port != service.port  # where the first process alone answers
    assert announced.get("/healthz") is not None
    assert announced.get("/x/hooks/status") is not None
    assert {client.get("/x/hooks/status").status_code for client in service.clients()} == {200}
    os.kill(service.children()[0], signal.SIGKILL)
    wait_until(lambda: announced.get("/healthz") is not None)
    service.stop()
    assert RunningService.of(database_path) is None


def test_it_stops_on_ctrl_c(database_url: str, stack: ExitStack) -> None:
    service = Service(database_url, stack)
    assert ok(service.client().get("/healthz"))
    for pid in (service.process.pid, *service.children()):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    service.log()


CRASHING = """
import os, signal

def make_app(memory):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_that_die_at_once_end_the_service(database_url: str, tmp_path: Path) -> None:
    """An app of another package crashes each process that starts it."""
    (tmp_path / "crashing.py").write_text(CRASHING, encoding="utf-8")
    declare(tmp_path, "crashing-app", {"foxing.apps": {"crashing": "crashing:make_app"}})
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from foxing.api.plugins.apps import APPS; APPS.refresh()\n"
    code += "from foxing.api.cli.main import main; main()"
    process = start_python(code, "--database", database_url, "serve", "--port", "0", "--processes", "2")
    try:
        _, log = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 1
    assert "5 processes of the service in a row ended before they answered requests, the last one by signal 9" in log
    assert "Traceback" not in log


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
