"""Failures of databases: connections that are cut, disks that are full, and processes that are killed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection, Engine
from support.databases import execute

PAGE_BYTES = 4096  # of SQLite


@contextmanager
def at_each_statement(url: str, act: Callable[[int, Connection], None]) -> Iterator[Callable[[], int]]:
    """Calls `act` with a number, from 1 on, before each statement and each commit of this process in a database. Yields
    what gives their number so far."""
    name, count = make_url(url).database, [0]

    def count_up(connection: Connection, *_: Any) -> None:
        if connection.engine.url.database == name:
            count[0] += 1
            act(count[0], connection)

    for moment in ("before_cursor_execute", "commit"):
        event.listen(Engine, moment, count_up)
    try:
        yield lambda: count[0]
    finally:
        for moment in ("before_cursor_execute", "commit"):
            event.remove(Engine, moment, count_up)


@contextmanager
def cut_at(url: str, outside: str, number: int) -> Iterator[Callable[[], int]]:
    """Has PostgreSQL end the connection to the database `url` in the middle of its transaction, before statement
    `number`. `outside`: another database of the server."""

    def cut(reached: int, connection: Connection) -> None:
        if reached == number:
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            execute(outside, "SELECT pg_terminate_backend(:pid, 10000)", pid=pid)

    with at_each_statement(url, cut) as count:
        yield count


@contextmanager
def full_sqlite(path: Path, more_bytes: int) -> Iterator[None]:
    """A limit for new connections to SQLite in place of a full disk: the file may grow by so many bytes."""
    pages = path.stat().st_size // PAGE_BYTES + more_bytes // PAGE_BYTES

    def limit(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


class SmallDisk:
    """A disk of its own in memory, which can be filled up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, leave_bytes: int) -> None:
        """Leaves so many bytes free."""
        room = shutil.disk_usage(self.folder).free - leave_bytes
        with self._filler.open("ab") as filler:
            filler.write(bytes(max(0, room)))

    def free(self) -> None:
        """Frees what was filled."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mounts a disk at `folder`. Skips the test where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)]
    if os.name != "posix" or shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
