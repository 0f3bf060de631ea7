"""Faults made on purpose against real services, scraped by a real Prometheus: each fires its alert.

python -m benchmarks.alerts --json

Needs the program `prometheus`, as packaged by Debian, and the rights to mount a small disk. Durations of the rules are
divided by `SPEED`; expressions and thresholds are those of examples/deploy/alerts.yaml.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import yaml

from foxing.memory import Memory

from .command_line import add_json_option, at_least, write_result
from .idle_banks import copy_bank
from .load.banks import merge_banks
from .load.processes import FoxingProcess, Service, checked
from .postgresql import PostgresServer

RULES = Path(__file__).resolve().parents[1] / "examples" / "deploy" / "alerts.yaml"
#: Divisor of the durations of the rules.
SPEED = 20
SCRAPE_S = 3
#: Seconds for which a service is healthy before its fault, and within which the alert must fire.
HEALTHY_S = 6.0
FIRES_WITHIN_S = 180.0
KEY = "key-of-the-scraper"
BANK = "/v1/banks/ana"
STORE = {"messages": [{"role": "user", "content": "The delivery of order 17 to Porto is late, as Mina said."}]}
_MINUTES = re.compile(r"(\d+)m\b")


@dataclass(frozen=True)
class Fired:
    """A fault and the alerts that it fired."""

    alert: str
    fault: str
    #: Seconds from the fault to the alert; None if it did not fire.
    fired_s: float | None
    #: Value of the expression of its rule when it fired.
    value: float | None
    #: Other alerts that fired.
    others: list[str]
    #: Why the fault could not be made.
    error: str | None = None


@dataclass(frozen=True)
class Healthy:
    """A healthy service under a light load."""

    seconds: float
    #: Alerts that fired.
    alerts: list[str]


@dataclass(frozen=True)
class AlertTrial:
    """Result of all faults."""

    rules: int
    #: Number of rules that their faults fired.
    fired: int
    healthy: Healthy
    faults: list[Fired]


class Site:
    """Processes of one fault, and the Prometheus that scrapes them."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self._program = program
        #: (job, address) of what is scraped.
        self._targets: list[tuple[str, str]] = []
        self._url = ""
        self._ended = Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.stack.close()

    @property
    def database(self) -> Path:
        """Path of the SQLite database."""
        return self.folder / "bench.db"

    def serve(self, *, database: str | None = None, descriptors: int | None = None, **settings: Any) -> Service:
        """Starts a service that is scraped."""
        environment = _environment(settings)
        service = Service(self.folder, descriptors, environment, database)
        self.stack.enter_context(service)
        self._targets.append(("foxing", urlsplit(service.url()).netloc))
        return service

    def work(self, **settings: object) -> FoxingProcess:
        """Starts a worker that is scraped."""
        port = _free_port()
        environment = _environment({"worker_http": f"127.0.0.1:{port}", **settings})
        worker = FoxingProcess(self.folder, "worker", environment=environment)
        self.stack.enter_context(worker)
        self._targets.append(("foxing-worker", f"127.0.0.1:{port}"))
        return worker

    def client(self, key: str = KEY, timeout_s: float = 60.0) -> httpx.Client:
        """Returns a client of the service."""
        headers = {"Authorization": f"Bearer {key}"}
        address = f"http://{self._targets[0][1]}"
        client = httpx.Client(base_url=address, headers=headers, timeout=timeout_s, trust_env=False)
        return self.stack.enter_context(client)

    def repeat(self, call: Callable[[], object], *, callers: int = 1, pause_s: float = 0.2) -> None:
        """Calls without end, by several callers at once."""

        def run() -> None:
            while not self._ended.wait(pause_s):
                with suppress(httpx.HTTPError, OSError):
                    call()

        for _ in range(callers):
            Thread(target=run, daemon=True).start()

    def repeat_post(self, path: str, body: object, *, callers: int = 1, pause_s: float = 0.2, key: str = KEY) -> None:
        """Sends a request without end, by several callers at once."""
        client = self.client(key)
        self.repeat(lambda: client.post(path, json=body), callers=callers, pause_s=pause_s)

    def scrape(self) -> None:
        """Starts Prometheus, with the rules at `SPEED`."""
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        (self.folder / "rules.yaml").write_text(faster_rules(), encoding="utf-8")
        jobs = dict.fromkeys(job for job, _ in self._targets)
        scrapes = [
            {
                "job_name": job,
                "authorization": {"credentials": KEY},
                "static_configs": [{"targets": [address for name, address in self._targets if name == job]}],
            }
            for job in jobs
        ]
        interval = f"{SCRAPE_S}s"
        times = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
        config = {"global": times, "rule_files": ["rules.yaml"], "scrape_configs": scrapes}
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [
            self._program,
            *(f"--config.file={self.folder / 'prometheus.yaml'}", f"--storage.tsdb.path={self.folder / 'series'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        ]
        with (self.folder / "prometheus.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        self._wait(lambda: len(self._query("up == 1")) == len(self._targets), "Prometheus scrapes")

    def firing(self) -> dict[str, float]:
        """Returns the alerts that fire, with the values of their expressions."""
        with suppress(httpx.HTTPError, ValueError):
            answer = httpx.get(f"{self._url}/api/v1/alerts", timeout=10.0, trust_env=False).json()
            alerts = answer["data"]["alerts"]
            return {a["labels"]["alertname"]: float(a["value"]) for a in alerts if a["state"] == "firing"}
        return {}

    def _query(self, expression: str) -> list[Any]:
        with suppress(httpx.HTTPError, ValueError):  # it answers before it is ready
            query = {"query": expression}
            answer = httpx.get(f"{self._url}/api/v1/query", params=query, timeout=10.0, trust_env=False).json()
            result: list[Any] = answer.get("data", {}).get("result", [])
            return result
        return []

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + FIRES_WITHIN_S
        while not is_so():
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: not within {FIRES_WITHIN_S:.0f} s; see {self.folder}")
            time.sleep(0.5)


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    values = {"api_key": KEY, "ageing_enabled": "false", "warm_cache": "false", "embedder": "none", **settings}
    return {f"FOXING_{name.upper()}": str(value) for name, value in values.items()}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def faster_rules() -> str:
    """Returns the rules with all durations divided by `SPEED`."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in document["groups"][0]["rules"]:
        rule["expr"] = _faster(rule["expr"])
        if "for" in rule:
            rule["for"] = _faster(rule["for"])
    return str(yaml.safe_dump(document))


def _faster(text: str) -> str:
    return _MINUTES.sub(lambda match: f"{int(match[1]) * 60 // SPEED}s", text)


class Embeddings:
    """An embedding endpoint in the format of OpenAI, which answers late or fails on request."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.fails = False
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Answers a request for embeddings."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(endpoint.delay_s)
                texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
                vectors = [{"index": n, "embedding": [1.0, *[0.5] * 63]} for n in range(len(texts))]
                document = json.dumps({"data": vectors, "model": body["model"]}).encode()
                self.send_response(500 if endpoint.fails else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                with suppress(OSError):  # the service has ended
                    self.wfile.write(document)

            def log_message(self, format: str, *args: object) -> None:
                """Logs nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.settings: dict[str, Any] = {
            "embedder": "openai",
            "embedder_url": f"http://127.0.0.1:{self._server.server_address[1]}/v1",
            "embedder_model": "vectors",
            "embedder_timeout_s": "30",
        }

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _killed_service(site: Site) -> Iterator[None]:
    service = site.serve()
    yield
    service.kill()
    yield


def _full_disk(site: Site) -> Iterator[None]:
    mounted = site.folder / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)], check=True, capture_output=True)
    site.stack.callback(lambda: subprocess.run(["umount", "-l", str(mounted)], check=True))
    site.serve(database=str(mounted / "bench.db"))
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield
    filler = os.open(mounted / "filler", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(filler, bytes(4096))
    os.close(filler)
    body = {"messages": [{"role": "user", "content": "x" * 50_000}]}
    site.repeat_post(f"{BANK}/messages", body)
    yield


def _locked_database(site: Site) -> Iterator[None]:
    site.serve()
    client = site.client()
    checked(client.post(f"{BANK}/messages", json=STORE))
    yield
    other = sqlite3.connect(site.database, check_same_thread=False, isolation_level=None, timeout=60)

    def hold() -> None:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(2.5)
        other.execute("ROLLBACK")

    site.repeat(hold)
    site.repeat_post(f"{BANK}/messages", STORE, callers=4)
    yield


def _slow_embedder(site: Site) -> Iterator[None]:
    embeddings = site.stack.enter_context(Embeddings())
    site.serve(**embeddings.settings)
    client = site.client()
    checked(client.post(f"{BANK}/messages", json=STORE))
    checked(client.post(f"{BANK}/recall", json={"query": "Porto"}))
    yield
    embeddings.delay_s = 4.5
    site.repeat(lambda: client.post(f"{BANK}/recall", json={"query": f"order {time.time()}"}), callers=4)
    yield


def _too_many_callers(site: Site) -> Iterator[None]:
    site.serve(codec_threads=1)
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield
    site.repeat_post(f"{BANK}/recall", {"query": "Porto"}, callers=40, pause_s=0.0)
    yield


def _many_faded_pages(site: Site) -> Iterator[None]:
    with Memory(site.database) as memory:
        now = memory.now()
        memory.set_policy("ana", {"fresh": "base", "steps": [{"after": "PT1S", "tier": "small"}]})
        for number in range(40):
            memory.store("ana", [{"role": "user", "content": f"Order {number} to Porto is late, as Mina said."}])
            memory.seal("ana")
        memory.age("ana", now=now + timedelta(days=1))
        memory.tick(now=now + timedelta(days=30))
    copy_bank(site.database, 4)
    merge_banks(f"sqlite:///{site.database}")
    site.serve(page_cache_bytes=0)
    yield
    site.repeat_post(f"{BANK}/recall", {"limit": 500}, callers=16, pause_s=0.0)
    yield


def _locked_table(site: Site) -> Iterator[None]:
    import psycopg

    server = site.stack.enter_context(PostgresServer(site.folder))
    site.serve(database=server.url, database_pool_size=4, database_max_overflow=0)
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield
    other = site.stack.enter_context(psycopg.connect(server.url))
    other.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
    site.stack.callback(other.rollback)
    client = site.client()
    site.repeat(lambda: client.get(BANK), callers=8)
    yield


def _failing_embedder(site: Site) -> Iterator[None]:
    embeddings = site.stack.enter_context(Embeddings())
    site.serve(ageing_enabled=True, ageing_interval_s=1, **embeddings.settings)
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield
    embeddings.fails = True
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield


def _no_worker(site: Site) -> Iterator[None]:
    """A service without a worker; two hours pass, which the database is made to say."""
    site.serve()
    client = site.client()
    checked(client.post(f"{BANK}/messages", json=STORE))
    yield
    checked(client.post(f"{BANK}/seal"))
    past = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite3.connect(site.database, timeout=60) as connection:
        connection.execute("UPDATE pages SET sealed_at = ?", [past])
    yield


def _killed_worker(site: Site) -> Iterator[None]:
    worker = site.work(ageing_enabled=True)
    site.serve()
    yield
    worker.kill()
    yield


def _stopped_worker(site: Site) -> Iterator[None]:
    """A frozen worker holds its job; the others wait for eleven minutes, which the database is made to say."""
    site.serve()
    client = site.client()
    for number in range(3):
        checked(client.put(f"/v1/banks/b{number}/policy", json={"seal_after": "PT1S"}))
        checked(client.post(f"/v1/banks/b{number}/messages", json=STORE))
    yield
    worker = site.work(ageing_enabled=True, ageing_interval_s=1)
    queued = "SELECT count(*) FROM jobs"
    with sqlite3.connect(site.database, timeout=60) as connection:
        while not connection.execute(queued).fetchone()[0]:
            time.sleep(0.01)
        worker.signal(signal.SIGSTOP)
        past = (datetime.now(UTC) - timedelta(minutes=11)).strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.execute("UPDATE jobs SET run_after = ?", [past])
    yield


def _dead_database(site: Site) -> Iterator[None]:
    server = site.stack.enter_context(PostgresServer(site.folder))
    site.serve(database=server.url, ageing_enabled=True, ageing_interval_s=1)
    checked(site.client().post(f"{BANK}/messages", json=STORE))
    yield
    server.kill()
    yield


def _wrong_key(site: Site) -> Iterator[None]:
    site.serve()
    yield
    site.repeat_post(f"{BANK}/recall", {}, key="another-key-of-this-caller")
    yield


def _low_limit(site: Site) -> Iterator[None]:
    service = site.serve()
    address = urlsplit(str(site.client().base_url))
    yield
    service.limit_files(160)
    connections: list[socket.socket] = []

    @site.stack.callback
    def close() -> None:
        for connection in connections:
            connection.close()

    def connect() -> None:
        while service.open_files() < 136:
            connections.append(socket.create_connection((address.hostname or "", address.port or 0), timeout=5))

    site.repeat(connect)
    yield


#: Alert → what is done to fire it.
FAULTS: Sequence[tuple[str, str, Callable[[Site], Iterator[None]]]] = (
    ("FoxingDown", "a killed service", _killed_service),
    ("FoxingDown", "a killed worker", _killed_worker),
    ("FoxingErrors", "a full disk", _full_disk),
    ("FoxingStoreSlow", "another process that locks SQLite", _locked_database),
    ("FoxingRecallSlow", "a slow embedder", _slow_embedder),
    ("FoxingCallsWait", "40 callers at once", _too_many_callers),
    ("FoxingDecodeQueue", "recalls of many faded pages", _many_faded_pages),
    ("FoxingConnectionsExhausted", "a table that another session locks", _locked_table),
    ("FoxingJobsFail", "a failing embedder", _failing_embedder),
    ("FoxingAgeingLate", "no worker", _no_worker),
    ("FoxingJobsWait", "a frozen worker", _stopped_worker),
    ("FoxingTicksFail", "a dead database", _dead_database),
    ("FoxingRefusals", "a caller with a wrong key", _wrong_key),
    ("FoxingFilesExhausted", "clients that keep connections open, and a low limit", _low_limit),
)


def try_fault(folder: Path, program: str, alert: str, title: str, make: Callable[[Site], Iterator[None]]) -> Fired:
    """Makes a fault against services of its own and waits for its alert, which must not fire before."""
    place = folder / title.replace(" ", "-")
    place.mkdir(mode=0o755)
    firing: dict[str, float] = {}
    try:
        with Site(place, program) as site:
            trial = make(site)
            next(trial)
            site.scrape()
            time.sleep(HEALTHY_S)
            before = site.firing()
            if before:
                raise RuntimeError(f"{', '.join(before)} fired before the fault")
            next(trial)
            began = time.monotonic()
            while alert not in firing and time.monotonic() - began < FIRES_WITHIN_S:
                time.sleep(0.5)
                firing = site.firing()
            fired_s = round(time.monotonic() - began, 1) if alert in firing else None
            result = Fired(alert, title, fired_s, firing.get(alert), sorted(firing.keys() - {alert}))
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        result = Fired(alert, title, None, None, [], str(error))
    print(result, file=sys.stderr, flush=True)
    return result


def try_healthy(folder: Path, program: str, seconds: float) -> Healthy:
    """Runs a service with its worker under a light load, and returns the alerts that fire."""
    place = folder / "healthy"
    place.mkdir(mode=0o755)
    with Site(place, program) as site:
        site.serve(ageing_enabled=True, ageing_interval_s=5)
        checked(site.client().post(f"{BANK}/messages", json=STORE))
        site.scrape()
        site.repeat_post(f"{BANK}/messages", STORE, pause_s=0.5)
        site.repeat_post(f"{BANK}/recall", {"query": "Porto"}, pause_s=0.5)
        alerts: set[str] = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            alerts |= site.firing().keys()
    return Healthy(seconds, sorted(alerts))


def try_all(folder: Path, program: str, faults: Sequence[Any], together: int, healthy_s: float = 60.0) -> AlertTrial:
    """Makes the faults, several at the same time, and then none."""
    with ThreadPoolExecutor(together) as pool:
        fired = list(pool.map(lambda fault: try_fault(folder, program, *fault), faults))
    healthy = try_healthy(folder, program, healthy_s)
    print(healthy, file=sys.stderr, flush=True)
    alerts = {result.alert for result in fired if result.fired_s is not None}
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return AlertTrial(len(rules), len(alerts), healthy, fired)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with status 1 if an alert does not fire."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alerts",
        description="Make faults against real services, scraped by a real Prometheus with the rules of "
        f"examples/deploy, their durations divided by {SPEED}, and see that each fires its alert.",
    )
    parser.add_argument("--prometheus", default="prometheus", metavar="PROGRAM", help="The program (%(default)s).")
    parser.add_argument("--together", type=at_least(1), default=2, metavar="N", help="Faults at once (%(default)s).")
    parser.add_argument(
        "--only", action="append", metavar="ALERT", choices=sorted({alert for alert, *_ in FAULTS}), help="This alert."
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    program = shutil.which(options.prometheus)
    if program is None:
        sys.exit(f"error: there is no program '{options.prometheus}'; install Prometheus, or name it with --prometheus")
    faults = [fault for fault in FAULTS if options.only is None or fault[0] in options.only]
    with TemporaryDirectory(prefix="foxing-alerts-") as folder:
        Path(folder).chmod(0o755)  # for PostgreSQL, which runs as another user
        result = try_all(Path(folder), program, faults, options.together)
    write_result(options, result)
    missing = [row.fault for row in result.faults if row.fired_s is None]
    if missing or result.healthy.alerts:
        sys.exit(f"error: without an alert: {', '.join(missing) or 'none'}; healthy: {result.healthy.alerts}")


if __name__ == "__main__":
    main()
