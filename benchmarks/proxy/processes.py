"""Processes of the benchmarks: a proxy, and a service that holds its bank."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from benchmarks.load.processes import FOXING

_START_S = 60.0


class FoxingProcess:
    """A command of Foxing that listens, in a process of its own. A context manager."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """`folder`: that of the database, and of the user's data."""
        self._folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Starts the process, and waits until it answers."""
        environment = {
            **os.environ,
            "XDG_DATA_HOME": str(self._folder),
            "FOXING_EMBEDDER": "none",
            "OMP_NUM_THREADS": "1",
            "PYTHONFAULTHANDLER": "1",
        }
        command = [*FOXING, "--database", str(self._folder / "bank.db")]
        log = self._folder / f"{self._arguments[0]}.log"
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [*command, *self._arguments, "--json"],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _START_S)[0]:
            self._end(signal.SIGABRT)  # so that it writes its stacks
        line = self._process.stdout.readline() if self._process is not None else ""
        if not line:
            raise RuntimeError(f"{self._arguments[0]} did not start: {log.read_text()[-6000:]}")
        self.url = json.loads(line)["url"]
        path = "/foxing/status" if self._arguments[0] == "proxy" else "/healthz"
        httpx.get(f"{self.url}{path}", timeout=120).raise_for_status()  # answered once it has started

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kills the process."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
