"""Processes of tests, forked from one that has loaded the package, its codec and its embedder: Python and torch take
seconds to start."""

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["support.preloaded"])


def forking_context() -> ForkServerContext:
    """Has the process that forks started, and returns the context of multiprocessing whose processes come from it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            monkeypatch.setenv(name, "1")  # it must have no other threads
        forkserver.ensure_running()
    return _context


class ForkedProcess:
    """What a test uses of `subprocess.Popen`, with text for pipes."""

    def __init__(self, code: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        pipes = [_context.Pipe(duplex=False) for _ in range(3)]
        (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = pipes
        self._process = forking_context().Process(
            target=_execute, args=(code, arguments, dict(environment), str(Path.cwd()), stdin, stdout, stderr)
        )
        self._process.start()
        for end in (stdin, stdout, stderr):
            end.close()
        self.stdin = _file(to_stdin, "w")
        self.stdout = _file(from_stdout, "r")
        self.stderr = _file(from_stderr, "r")

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    @property
    def returncode(self) -> int | None:
        """The exit status, or the number of the signal that ended it, negative; None while it runs."""
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("forked process", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it writes to stdout and stderr until it ends. Raises `subprocess.TimeoutExpired`."""
        with suppress(OSError):
            self.stdin.close()
        with ThreadPoolExecutor(2) as pool:
            written = [pool.submit(_rest, file) for file in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, error = (text.result() for text in written)
            return out, error

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended in the meantime
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()
        self.communicate()


def start_python(code: str, *arguments: str, **environment: str) -> ForkedProcess:
    """Starts a process that executes `code` as `python -c` does, with `sys.argv[1:]` = `arguments`; `environment` is
    added to that of the test."""
    return ForkedProcess(code, arguments, {**os.environ, **environment})


def _file(end: Connection, mode: str) -> io.TextIOBase:
    with end:
        opened: Any = os.fdopen(os.dup(end.fileno()), mode, encoding="utf-8")
    return opened  # type: ignore[no-any-return]


def _rest(file: Any) -> str:
    if file.closed:
        return ""
    with file:
        return str(file.read())


def _execute(
    code: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    folder: str,
    stdin: Connection,
    stdout: Connection,
    stderr: Connection,
) -> None:
    for number, end in enumerate((stdin, stdout, stderr)):
        with end:
            os.dup2(end.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    warnings.simplefilter("ignore")
    exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})
