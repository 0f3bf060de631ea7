"""The parent of the processes of a service: starts them, replaces those that die, and stops them.

uvicorn's `Multiprocess` is not used. It starts processes with `spawn`, so that each imports and loads everything
itself, restarts those that crash at once without end, and its processes outlive a parent that is killed.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvicorn

from foxing.api.app import create_app
from foxing.api.logs import configure_logs, get_logger
from foxing.api.memory_factory import open_loaded_memory, open_memory
from foxing.api.reloading import Reloader
from foxing.api.server import StartFailed, run
from foxing.api.settings import Settings
from foxing.renderer import FoxingError

from .member import Member
from .processes.listener import ABSENT, ConnectionCounts, SharedListener

#: Processes in a row that end before they answer requests, after which the service ends.
FAILED_STARTS = 5
#: Seconds before a process is replaced: the first time, and at most. Doubles while processes end within `STABLE_S`.
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
STABLE_S = 10.0
#: Interval at which the parent looks for signals and its processes look for their parent, in seconds.
POLL_S = 0.2
#: Seconds that a process whose parent was killed has for requests in progress.
ORPHAN_GRACE_S = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Reloads the settings; not on Windows, where several processes cannot serve.
RELOAD = getattr(signal, "SIGHUP", None)
_PREFIX = "foxing-processes-"


class ProcessesFailed(FoxingError):
    """The processes of the service end before they answer requests."""

    def __init__(self, status: int | None) -> None:
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        super().__init__(
            f"{FAILED_STARTS} processes of the service in a row ended before they answered requests, the last one "
            f"{how}; see the log for the reason"
        )


@dataclass
class _Slot:
    """The place of a process, which its replacements take."""

    member: Member
    process: BaseProcess
    #: Settings that it has.
    settings: Settings
    started_at: float
    #: Seconds before it is replaced, and when, on the monotonic clock; None while it runs.
    pause_s: float = FIRST_PAUSE_S
    due_at: float | None = None


class Supervisor:
    """Runs the processes of a service on a listening socket."""

    def __init__(
        self, settings: Settings, listener: socket.socket, first_listener: socket.socket, members: Sequence[Member]
    ) -> None:
        """`first_listener`: listens at `Member.first_url`."""
        self._settings = settings
        self._listener = listener
        self._first_listener = first_listener
        self._members = members
        # Forking shares what the parent has loaded. Elsewhere libraries of the system do not survive a fork.
        self._context: ForkContext | SpawnContext = (
            multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")
        )
        #: Connections of each process; see `ConnectionCounts`.
        self._counts = self._context.RawArray("i", [ABSENT] * len(members))
        self._failed_starts = 0
        self._slots: list[_Slot] = []
        self._reloader = Reloader(settings, Settings.check_host, partial(configure_logs, process=0), self._apply)
        self._reloads = False

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Runs the processes until `is_stopped()` returns True, then stops them and waits. Raises
        `ProcessesFailed`. SIGHUP has them reload their settings."""
        if RELOAD is not None:
            signal.signal(RELOAD, self._note_reload)
        try:
            for member in self._members:
                self._slots.append(self._started(member))
            while not is_stopped():
                connection.wait([slot.process.sentinel for slot in self._slots if slot.due_at is None], POLL_S)
                if self._reloads:
                    self._reload()
                for slot in self._slots:
                    self._look_after(slot)
        finally:
            _stop([slot.process for slot in self._slots])

    def _note_reload(self, number: int, frame: object) -> None:
        self._reloads = True

    def _reload(self) -> None:
        """Reloads the settings here, for processes that begin later. The others are told once they serve."""
        self._reloads = False
        self._reloader()

    def _update(self, slot: _Slot) -> None:
        """Has a process reload its settings if they are older than those of the parent."""
        if slot.settings is self._settings or slot.process.pid is None or RELOAD is None:
            return
        slot.settings = self._settings
        with suppress(ProcessLookupError):
            os.kill(slot.process.pid, RELOAD)

    def _apply(self, settings: Settings) -> None:
        self._settings = settings

    def _started(self, member: Member) -> _Slot:
        self._counts[member.number - 1] = ABSENT
        own_listener = self._first_listener if member.is_first else None
        process = self._context.Process(
            target=_serve,
            args=(self._settings, self._listener, own_listener, member, self._counts, os.getpid()),
            name=f"foxing {member.number}",
        )
        with _blocked_signals():  # until the process handles them itself
            process.start()
        get_logger().info("process started", number=member.number, pid=process.pid)
        return _Slot(member, process, self._settings, time.monotonic())

    def _serves(self, slot: _Slot) -> bool:
        """True if the process has answered requests."""
        return bool(self._counts[slot.member.number - 1] != ABSENT)

    def _look_after(self, slot: _Slot) -> None:
        """Replaces a process that has ended, after a pause."""
        now = time.monotonic()
        if self._serves(slot):
            self._failed_starts = 0
            self._update(slot)
        if slot.due_at is None and slot.process.exitcode is not None:
            self._note_end(slot, now)
        if slot.due_at is not None and now >= slot.due_at:
            replacement = self._started(slot.member)
            slot.process.close()
            slot.process = replacement.process
            slot.settings = replacement.settings
            slot.started_at = replacement.started_at
            slot.due_at = None

    def _note_end(self, slot: _Slot, now: float) -> None:
        status = slot.process.exitcode
        if not self._serves(slot):
            self._failed_starts += 1
        self._counts[slot.member.number - 1] = ABSENT
        if self._failed_starts >= FAILED_STARTS:
            raise ProcessesFailed(status)
        if now - slot.started_at >= STABLE_S:
            slot.pause_s = FIRST_PAUSE_S
        get_logger().error(
            "process ended", number=slot.member.number, pid=slot.process.pid, status=status, restart_in_s=slot.pause_s
        )
        slot.due_at = now + slot.pause_s
        slot.pause_s = min(2 * slot.pause_s, MAX_PAUSE_S)


def load_shared(settings: Settings) -> None:
    """Creates or upgrades the database, and loads what forked processes share: modules, the vocabulary and the
    embedder. Leaves no thread and no connection behind. Raises the errors of `open_memory`.

    Codecs are not loaded here: a context of CUDA does not survive a fork, and of the processes only the first, which
    ages, needs PyTorch with the native one."""
    open_loaded_memory(settings).close()
    gc.collect()
    gc.freeze()  # collections in a process would write to the memory that it shares


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder that the processes share, for the duration of the block."""
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    (folder / "metrics").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Deletes the folders of services that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # another user's
            continue


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Has processes finish their requests, and waits for them."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def _blocked_signals() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    settings: Settings,
    listener: socket.socket,
    own_listener: socket.socket | None,
    member: Member,
    counts: Any,
    parent: int,
) -> None:
    """Serves in a process of its own, until a signal or the end of the process `parent`. `own_listener`: that of the
    first process."""
    for number in SIGNALS:
        signal.signal(number, _exit)
    if RELOAD is not None:
        signal.signal(RELOAD, signal.SIG_IGN)  # until the server handles it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    configure_logs(settings, process=member.number)
    own_counts = ConnectionCounts(counts, member.number - 1)
    listeners = [SharedListener.of(listener, own_counts), *([] if own_listener is None else [own_listener])]

    def note_start(server: uvicorn.Server) -> None:
        own_counts.connections = server.server_state.connections
        own_counts.has_most()

    try:
        with open_memory(settings, embed_later=True, door="job") as memory:
            memory.operations.load()
            run(create_app(settings, memory, token=member.token, member=member), *listeners, on_start=note_start)
    except FoxingError as error:
        if not isinstance(error, StartFailed):  # which is in the log already
            get_logger().error("process cannot serve", reason=str(error))
        sys.exit(1)


def _exit(number: int, frame: object) -> None:
    """Handles a signal before the server does, and that which it raises again when it has stopped."""
    for stop_signal in SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise SystemExit(0)


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent. What was acknowledged is in the database."""
    while os.getppid() == parent:
        time.sleep(POLL_S)
    with suppress(OSError):
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)
