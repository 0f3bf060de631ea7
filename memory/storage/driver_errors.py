"""What the driver's errors mean to whoever runs the database, and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from foxing.memory.errors import ConnectionLost, StorageError, WriteConflict

_LOST = (
    "closed the connection in the middle of a write, of which all or nothing is stored; try again, and give messages "
    "the same ids as before"
)
_LOST_READING = "closed the connection while it was being read; try again"
_OTHER_SCHEMA = (
    "of this version; if another version of Foxing has migrated the database meanwhile, restart this one, which says "
    "what to do; else restore a backup"
)
_LOCKED = "was locked by another process for too long; try again"
_READ_ONLY = "is read-only; give foxing write permission for the file and its folder"
_FULL = "is on a full disk, and nothing was stored; free some space and try again"
_STARTING = "is starting up; try again"
_DAMAGED = "is damaged; restore a backup"
_PASSWORD = "rejects the password or the user; correct them"
_FULL_HOUSE = "has no connection left; raise its max_connections, or make the pools of connections smaller"

#: Parts of the drivers' messages, and what is wrong and what to do.
_ADVICE = (
    ("readonly database", _READ_ONLY),
    ("attempt to write a readonly", _READ_ONLY),
    ("disk is full", _FULL),
    ("no space left on device", _FULL),
    ("disk i/o error", "cannot be written (disk error or full disk), and nothing was stored; check the disk"),
    ("lock timeout", _LOCKED),
    ("database is locked", _LOCKED),
    ("unable to open database file", "cannot be opened; check that the folder exists and is writable"),
    ("file is not a database", "is not a SQLite database; choose another file"),
    ("malformed", _DAMAGED),
    ("could not decode to utf-8", _DAMAGED),  # the driver would show the text
    ("no such table", f"lacks a table {_OTHER_SCHEMA}"),
    ("no such column", f"lacks a column {_OTHER_SCHEMA}"),
    ("has no column named", f"lacks a column {_OTHER_SCHEMA}"),
    ("too many clients", _FULL_HOUSE),
    ("remaining connection slots", _FULL_HOUSE),
    ("starting up", _STARTING),
    ("recovery mode", _STARTING),  # after a failure, such as a full disk for its log
    ("not yet accepting connections", _STARTING),
    ("shutting down", "is shutting down; try again"),
)

#: The same for what the address of the database decides.
_ADVICE_ON_ADDRESS = (
    ("password authentication failed", _PASSWORD),
    ("no password supplied", "asks for a password; add it to the URL, or set PGPASSWORD or a password file"),
    ("no pg_hba.conf entry", "does not let this machine or user in; add a line to the server's pg_hba.conf"),
    ("does not exist", "has no such user or database; create it with CREATE DATABASE, or correct the URL"),
    ("connection refused", "does not answer: nothing listens there; start the server, or correct host and port"),
    ("no such file or directory", "does not answer: there is no such socket; start the server, or correct the host"),
    ("resolve host", "does not answer: its host name is unknown; correct it"),
    ("translate host name", "does not answer: its host name is unknown; correct it"),
    ("timeout expired", "does not answer in time; check the network, or raise the timeout"),
)

#: SQLSTATE of PostgreSQL, or its class, and what is wrong and what to do.
_STATES = {
    "25006": "is read-only (a standby?); connect to the primary server",
    "25P03": "ended a transaction that was idle for too long; try again",
    "42501": "denies the user what foxing needs; make it the owner of the database or of its schema",
    "42P01": f"lacks a table {_OTHER_SCHEMA}",
    "42703": f"lacks a column {_OTHER_SCHEMA}",
    "53100": _FULL,
    "53200": "is out of memory, and nothing was stored; try again",
    "53300": _FULL_HOUSE,
    "55P03": _LOCKED,
    "57014": "took too long for a statement, which was cancelled; try again, or raise the timeout",
    "58030": "cannot be written (disk error), and nothing was stored; check the disk",
    "XX001": _DAMAGED,
    "XX002": "is damaged; rebuild its indexes or restore a backup",
}
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05")
_CONFLICT_STATES = ("40001", "40P01")  # serialization failure and deadlock: the other transaction goes on


@contextmanager
def explained_errors(url: str, *, writing: bool) -> Iterator[None]:
    """Turns the driver's errors into a `StorageError` that says what to do. `url`: without the password. `writing`:
    whether something may be stored if the connection is lost."""
    try:
        yield
    except NoConnection as error:
        raise StorageError(f"the database {url} is busy: no connection became free in time; try again") from error
    except NoSuchModuleError as error:
        raise StorageError(f"{url}: no such kind of database; use SQLite or PostgreSQL").naming(
            "database_url"
        ) from error
    except (UnicodeDecodeError, JSONDecodeError) as error:  # of a column, or of what the driver was about to say
        raise StorageError(f"the database {url} {_DAMAGED}") from error
    except (OperationalError, sqlite3.Error, DBAPIError) as error:
        explained = _explained(error, url, _LOST if writing else _LOST_READING)
        if explained is None:
            raise
        raise explained from error


def _explained(error: Exception, url: str, lost: str) -> StorageError | None:
    """The error in words; None if it is a fault of the program. `lost`: what is said of a lost connection."""
    cause = getattr(error, "orig", error)
    message, state = str(cause).strip().lower(), getattr(cause, "sqlstate", None) or ""
    if state.startswith(_CONFLICT_STATES):
        return WriteConflict(f"the database {url} stopped one of two writers that waited for each other; try again")
    if state in _STATES:
        return StorageError(f"the database {url} {_STATES[state]}")
    if state.startswith(_LOST_STATES):
        return ConnectionLost(f"the database {url} {lost}")
    for part, advice in _ADVICE:
        if part in message:
            return StorageError(f"the database {url} {advice}")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return ConnectionLost(f"the database {url} {lost}")
    if not isinstance(error, (OperationalError, sqlite3.OperationalError)):
        return None
    advice = next((said for part, said in _ADVICE_ON_ADDRESS if part in message), f"cannot be used ({message})")
    return StorageError(f"the database {url} {advice}").naming("database_url")
