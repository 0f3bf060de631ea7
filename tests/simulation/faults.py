"""Faults at a statement or a commit: a process that ends, a disk that is full, a file that may not be written, a clock
that jumps."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from .steps import Fault
from .surroundings import Clock

MESSAGES = {"full": "database or disk is full", "read-only": "attempt to write a readonly database"}
#: Seconds by which the clock jumps.
AHEAD = (90, 10_000, 2 * 86_400, 400 * 86_400)
BACK = (1, 900, 10_000, 2 * 86_400, 400 * 86_400)
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN IMMEDIATE")


class Killed(BaseException):
    """The process ends here: it runs nothing more that the database would see."""


def _statement_error(message: str) -> Exception:
    return OperationalError("", {}, sqlite3.OperationalError(message))


class Faults:
    """Fault of one step. Once the process is killed, no statement or commit is run."""

    def __init__(self, fault: Fault | None, clock: Clock) -> None:
        self.fault = fault
        self.clock = clock
        self.count = 0
        self.happened = False
        self.dead = False

    def at_statement(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        self._act(write=statement.lstrip().upper().startswith(_WRITES))

    def before_commit(self) -> None:
        """Called before a commit is made."""
        self._act(write=True, error=sqlite3.OperationalError)

    def _act(self, *, write: bool, error: Callable[[str], Exception] = _statement_error) -> None:
        if self.dead:
            raise Killed
        self.count += 1
        fault = self.fault
        if fault is None or self.count < fault.at:
            return
        if fault.kind == "kill" and self.count == fault.at:
            self.happened = self.dead = True
            raise Killed
        if fault.kind == "clock-runs":  # else it stands still during a step
            self.happened = True
            self.clock.move(1)
        elif fault.kind == "clock-ahead" and not self.happened:
            self.happened = True
            self.clock.move(AHEAD[fault.at % len(AHEAD)])
        elif fault.kind == "clock-back" and not self.happened:
            self.happened = True
            self.clock.move(-BACK[fault.at % len(BACK)])
        if fault.kind in MESSAGES and write:  # until the end of the step
            self.happened = True
            raise error(MESSAGES[fault.kind])

    def after_commit(self) -> None:
        """Called once a commit has been made."""
        if self.fault is not None and self.fault.kind == "kill-after-commit" and self.count >= self.fault.at:
            self.happened = self.dead = True
            raise Killed


@contextmanager
def during(fault: Fault | None, clock: Clock) -> Iterator[Faults]:
    """Has a fault happen within the block, in all databases of this process."""
    faults = Faults(fault, clock)
    if fault is None:
        yield faults
        return
    from sqlalchemy.engine.default import DefaultDialect

    commit: Callable[[Any, Any], None] = DefaultDialect.do_commit

    def commit_with_fault(dialect: Any, connection: Any) -> None:
        try:
            faults.before_commit()
        except sqlite3.OperationalError:
            connection.rollback()  # as SQLite does when a commit fails
            raise
        commit(dialect, connection)
        faults.after_commit()

    event.listen(Engine, "before_cursor_execute", faults.at_statement)
    DefaultDialect.do_commit = commit_with_fault  # type: ignore[method-assign]
    try:
        yield faults
    finally:
        DefaultDialect.do_commit = commit  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", faults.at_statement)
