"""`foxing serve` and `foxing worker` as processes on a database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from foxing.memory.storage.database import database_url

STOP_S = 600.0  # how long a process may take to end before it is killed
IDLE_S = 2.0  # in which a process that has nothing to do computes for less than the second that `ps` shows


class FoxingProcess:
    """A command of `foxing` on the database of a folder, or on that of the URL `database`, from its start; leaving the
    context kills it.

    `descriptors`: limit of open files. `environment`: settings beside those of the benchmark. The log goes to a file.
    """

    def __init__(
        self,
        folder: Path,
        *command: str,
        descriptors: int | None = None,
        environment: Mapping[str, str] | None = None,
        database: str | None = None,
    ) -> None:
        self.log_path = folder / f"{command[0]}.log"
        limit = [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors} && exec "$0" "$@"']
        place = database or str(folder / "bench.db")
        foxing = [sys.executable, "-m", "foxing.api.cli.main", "--database", place, *command]
        with self.log_path.open("ab") as log:
            #: of the log at the start, in bytes: processes before may have written to it
            self.log_size = log.tell()
            self._process = subprocess.Popen(
                limit + foxing, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **(environment or {})}
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self._process.stdout:
            self._process.stdout.close()

    def kill(self) -> None:
        """Kills the process, which gets no chance to finish anything."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> float:
        """Sends SIGTERM and waits for the end; returns the seconds that it took. Raises `RuntimeError` if the exit
        status is not 0."""
        started = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=STOP_S)
        if self._process.returncode:
            raise RuntimeError(f"the process ended with status {self._process.returncode}; see {self.log_path}")
        return time.perf_counter() - started

    def first_line(self) -> str:
        """The first line on stdout. Raises `RuntimeError` if the process ends before it."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the process did not start: {self.log_path.read_text(errors='replace')[-2000:]}")
        return line

    def memory_mib(self) -> float:
        """The resident memory of the process."""
        return round(int(self._ps("rss")) / 1024, 1)

    def processor_s(self) -> float:
        """User and system time of the process since its start."""
        return processor_s(self._process.pid)

    def wait_until_idle(self, limit_s: float) -> float:
        """Waits until the process has hardly computed for `IDLE_S`, or for `limit_s`; returns how long that took."""
        started, computed = time.perf_counter(), ""
        while computed != (computed := self._ps("time")) and time.perf_counter() - started < limit_s:
            time.sleep(IDLE_S)
        return time.perf_counter() - started

    def _ps(self, field: str) -> str:
        command = ["ps", "-o", f"{field}=", "-p", str(self._process.pid)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Service(FoxingProcess):
    """`foxing serve` on a free port of the loopback interface."""

    def __init__(
        self,
        folder: Path,
        descriptors: int | None = None,
        environment: Mapping[str, str] | None = None,
        database: str | None = None,
    ) -> None:
        command = ("serve", "--port", "0", "--json")
        super().__init__(folder, *command, descriptors=descriptors, environment=environment, database=database)

    def url(self) -> str:
        """Waits until it listens."""
        url: str = json.loads(self.first_line())["url"]
        return url


def processor_s(pid: int, *, ended: bool = False) -> float:
    """User and system time of a process in seconds; `ended`: with that of the processes that it has waited for."""
    fields = _fields(pid)
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def server_processor_s(database: str) -> float | None:
    """User and system time of all processes of the PostgreSQL server at a URL; None if there is none on this
    machine."""
    import psycopg

    url = database_url(database)
    if url.get_backend_name() != "postgresql":
        return None
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        backend = connection.info.backend_pid
        if _name(backend) != "postgres":
            return None
        server = int(_fields(backend)[1])
        total = processor_s(server, ended=True)
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdecimal() and int(_fields(int(folder.name))[1]) == server:
                    total += processor_s(int(folder.name), ended=True)
    return total


def _fields(pid: int) -> list[str]:
    """What Linux knows of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def client(url: str, timeout_s: float = 120.0) -> httpx.Client:
    """A client that keeps no environment's proxies."""
    return httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)


def checked(response: httpx.Response) -> httpx.Response:
    """The response of a request that succeeded. Raises `RuntimeError` otherwise."""
    if not response.is_success:
        raise RuntimeError(f"the service answered {response.status_code}: {response.text[:500]}")
    return response
