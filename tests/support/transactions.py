"""Notices codec work on a thread that has an open database transaction, which it would hold for seconds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.memory.storage.database import Database

Open = Callable[[Database], AbstractContextManager[Connection]]


class DecodingWatch:
    """Counts the open transactions of each thread, and records where one decodes with a transaction open.

    A thread that only waits for another to decode holds its transaction just as long, so requests count.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.violations: list[str] = []
        self._open = threading.local()
        for name in ("read", "write"):
            monkeypatch.setattr(Database, name, self._counted(getattr(Database, name)))
        monkeypatch.setattr(DecodeQueue, "decode", self._checked(DecodeQueue.decode))

    def _counted(self, method: Open) -> Open:
        @contextmanager
        def opened(database: Database) -> Iterator[Connection]:
            with method(database) as connection:
                self._open.number = getattr(self._open, "number", 0) + 1
                try:
                    yield connection
                finally:
                    self._open.number -= 1

        return opened

    def _checked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def decode(*args: Any) -> Any:
            if getattr(self._open, "number", 0):
                self.violations.append(threading.current_thread().name)
                raise AssertionError("a page is decoded while this thread has a database transaction open")
            return method(*args)

        return decode
