"""`foxing serve` and `foxing worker` as processes on a database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from foxing.memory.storage.database import database_url

#: Runs the command as its script does: `-m` loads its module twice, and collects garbage while it loads.
FOXING = (sys.executable, "-c", "from foxing.api.cli import main; main()")
STOP_S = 600.0  # limit for the exit of a process
IDLE_S = 2.0  # in which an idle process uses less than one second of CPU time


def start_foxing(
    arguments: Sequence[str], log_path: Path, environment: Mapping[str, str], descriptors: int | None
) -> subprocess.Popen[str]:
    """Starts `foxing` with `arguments`. Its log is appended to a file; for the rest see `FoxingProcess`."""
    limit = [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors} && exec "$0" "$@"']
    command = [*limit, *FOXING, *arguments]
    with log_path.open("ab") as log:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
        )


class FoxingProcess:
    """A `foxing` command on the database of a folder, or at the URL `database`, started on construction. Leaving the
    context kills it.

    `descriptors`: limit of open files. `environment`: additional settings. The log goes to a file.
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
        #: size of the log at the start, in bytes; earlier processes may have written to it
        self.log_size = self.log_path.stat().st_size if self.log_path.exists() else 0
        arguments = ("--database", database or str(folder / "bench.db"), *command)
        self._process = start_foxing(arguments, self.log_path, environment or {}, descriptors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """Kills the process without a shutdown."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> float:
        """Sends SIGTERM, waits for the exit, and returns the seconds that it took. Raises `RuntimeError` if the exit
        status is not 0."""
        started = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=STOP_S)
        if self._process.returncode:
            raise RuntimeError(f"the process ended with status {self._process.returncode}; see {self.log_path}")
        return time.perf_counter() - started

    def signal(self, number: int) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def open_files(self) -> int:
        """Returns the number of open files of the process."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def limit_files(self, number: int) -> None:
        """Sets the limit of open files of the process."""
        import resource

        resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (number, number))

    def run(self) -> int:
        """Waits for the exit and returns the status."""
        self._process.communicate()
        return self._process.returncode

    def first_line(self) -> str:
        """Returns the first line on stdout. Raises `RuntimeError` if the process ends before it."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the process did not start: {self.log_path.read_text(errors='replace')[-2000:]}")
        return line

    def memory_mib(self) -> float:
        """Returns the resident memory of the process in MiB."""
        return round(int(self._ps("rss")) / 1024, 1)

    def processor_s(self) -> float:
        """Returns the user and system CPU time of the process since its start, in seconds."""
        return processor_s(self._process.pid)

    def wait_until_idle(self, limit_s: float) -> float:
        """Waits until the process and those that it has started have used hardly any CPU time for `IDLE_S`, or for
        `limit_s`; returns the seconds taken."""
        started, computed = time.perf_counter(), -1
        while computed != (computed := int(self.tree_processor_s())) and time.perf_counter() - started < limit_s:
            time.sleep(IDLE_S)
        return time.perf_counter() - started

    def tree_processor_s(self) -> float:
        """Returns the CPU time of the process and of those that it has started and that run, in seconds."""
        return sum(processor_s(pid) for pid in (self._process.pid, *self.children()))

    def children(self) -> list[int]:
        """Returns the ids of the processes that it has started and that run, in the order of their start."""
        listing = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in listing.split()]

    def _ps(self, field: str) -> str:
        command = ["ps", "-o", f"{field}=", "-p", str(self._process.pid)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Service(FoxingProcess):
    """`foxing serve` on a port of the loopback interface, by default a free one."""

    def __init__(
        self,
        folder: Path,
        descriptors: int | None = None,
        environment: Mapping[str, str] | None = None,
        database: str | None = None,
        *,
        processes: int = 1,
        port: int = 0,
    ) -> None:
        command = ("serve", "--port", str(port), "--processes", str(processes), "--json")
        super().__init__(folder, *command, descriptors=descriptors, environment=environment, database=database)

    def url(self) -> str:
        """Waits until the service listens, and returns its URL."""
        url: str = json.loads(self.first_line())["url"]
        return url

    def tree_mib(self) -> float:
        """Returns the memory of the process and of those that it has started, shared memory counted once, in MiB."""
        kib = 0
        for pid in (self._process.pid, *self.children()):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return round(kib / 1024, 1)


def processor_s(pid: int, *, ended: bool = False) -> float:
    """Returns the user and system CPU time of a process in seconds. `ended`: includes the ended child processes that it
    has waited for."""
    fields = _fields(pid)
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def server_processor_s(database: str) -> float | None:
    """Returns the user and system CPU time in seconds of all processes of the PostgreSQL server at a URL; None if it is
    not PostgreSQL on this machine."""
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
    """Fields of /proc/PID/stat, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def client(url: str, timeout_s: float = 120.0) -> httpx.Client:
    """Returns an HTTP client that ignores proxies set in the environment."""
    return httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)


def checked(response: httpx.Response) -> httpx.Response:
    """Returns the response of a successful request. Raises `RuntimeError` for any other."""
    if not response.is_success:
        raise RuntimeError(f"the service answered {response.status_code}: {response.text[:500]}")
    return response
