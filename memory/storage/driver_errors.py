"""Translation of database driver errors into messages that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from foxing.memory.errors import ConnectionLost, LockTimeout, StorageError, WriteConflict

_LOST = (
    "closed the connection during a write, which was stored completely or not at all; try again with the same message "
    "ids or the same idempotency key"
)
_LOST_READING = "closed the connection while it was being read; try again"
_OTHER_SCHEMA = (
    "of this version; if another version of Foxing has migrated the database, restart this one and follow its advice, "
    "otherwise restore a backup"
)
_LOCKED = "was locked by another process for too long; try again"
_READ_ONLY = "is read-only; give foxing write permission for the file and its folder"
_FULL = "is on a full disk, and the last change was not stored; free some space and try again"
_STARTING = "is starting up; try again"
_DAMAGED = "is damaged; restore a backup"
_PASSWORD = "rejects the user or the password; correct them"
_NO_SLOTS = "has no connection slots left; raise its max_connections, or reduce the connection pools"

#: Parts of the drivers' messages → problem and remedy.
_ADVICE = (
    ("readonly database", _READ_ONLY),
    ("attempt to write a readonly", _READ_ONLY),
    ("disk is full", _FULL),
    ("no space left on device", _FULL),
    (
        "disk i/o error",
        "cannot be written (disk error or full disk), and the last change was not stored; check the disk",
    ),
    ("lock timeout", _LOCKED),
    ("database is locked", _LOCKED),
    ("unable to open database file", "cannot be opened; check that the folder exists and is writable"),
    ("file is not a database", "is not a SQLite database; choose another file"),
    ("malformed", _DAMAGED),
    ("could not decode to utf-8", _DAMAGED),  # the driver's message would contain the text
    ("no such table", f"lacks a table {_OTHER_SCHEMA}"),
    ("no such column", f"lacks a column {_OTHER_SCHEMA}"),
    ("has no column named", f"lacks a column {_OTHER_SCHEMA}"),
    ("too many clients", _NO_SLOTS),
    ("remaining connection slots", _NO_SLOTS),
    ("starting up", _STARTING),
    ("recovery mode", _STARTING),  # after a failure such as a full disk
    ("not yet accepting connections", _STARTING),
    ("shutting down", "is shutting down; try again"),
)

#: The same for problems with the address of the database.
_ADVICE_ON_ADDRESS = (
    ("password authentication failed", _PASSWORD),
    ("no password supplied", "asks for a password; add it to the URL, or set PGPASSWORD or a password file"),
    ("no pg_hba.conf entry", "does not accept this machine or user; add a line to the server's pg_hba.conf"),
    ("does not exist", "has no such user or database; create it with CREATE DATABASE, or correct the URL"),
    ("connection refused", "does not answer: nothing listens there; start the server, or correct host and port"),
    ("no such file or directory", "does not answer: there is no such socket; start the server, or correct the host"),
    ("resolve host", "does not answer: its host name is unknown; correct it"),
    ("translate host name", "does not answer: its host name is unknown; correct it"),
    ("timeout expired", "does not answer in time; check the network, or raise the timeout"),
)

#: SQLSTATE of PostgreSQL → problem and remedy.
_STATES = {
    "25006": "is read-only (a standby?); connect to the primary server",
    "25P03": "ended a transaction that was idle for too long; try again",
    "42501": "denies the user permissions that foxing needs; make it the owner of the database or of its schema",
    "42P01": f"lacks a table {_OTHER_SCHEMA}",
    "42703": f"lacks a column {_OTHER_SCHEMA}",
    "53100": _FULL,
    "53200": "is out of memory, and the last change was not stored; try again",
    "53300": _NO_SLOTS,
    "57014": "cancelled a statement that took too long; try again, or raise the timeout",
    "58030": "cannot be written (disk error), and the last change was not stored; check the disk",
    "XX001": _DAMAGED,
    "XX002": "is damaged; rebuild its indexes or restore a backup",
}
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05")
_LOCK_STATE = "55P03"
_CONFLICT_STATES = ("40001", "40P01")  # serialization failure and deadlock: the other transaction continues


@contextmanager
def explained_errors(url: str, *, writing: bool) -> Iterator[None]:
    """Translates driver errors into `StorageError`. `url`: URL without the password. `writing`: True if data may have
    been stored when the connection is lost."""
    try:
        yield
    except NoConnection as error:
        raise StorageError(f"the database {url} is busy: no connection became free in time; try again") from error
    except NoSuchModuleError as error:
        raise StorageError(f"{url}: unsupported kind of database; use SQLite or PostgreSQL").naming(
            "database_url"
        ) from error
    except (UnicodeDecodeError, JSONDecodeError) as error:  # in a column, or in the driver's own message
        raise StorageError(f"the database {url} {_DAMAGED}") from error
    except (OperationalError, sqlite3.Error, DBAPIError) as error:
        explained = _explained(error, url, _LOST if writing else _LOST_READING)
        if explained is None:
            raise
        raise explained from error


def _explained(error: Exception, url: str, lost: str) -> StorageError | None:
    """Returns the translated error; None if it is a bug. `lost`: message for a lost connection."""
    cause = getattr(error, "orig", error)
    message = str(cause).strip().lower()
    state = getattr(cause, "sqlstate", None) or ""
    if state.startswith(_CONFLICT_STATES):
        return WriteConflict(f"the database {url} detected a deadlock or write conflict; try again")
    if state == _LOCK_STATE:
        return LockTimeout(f"the database {url} {_LOCKED}")
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
    advice = next((sentence for part, sentence in _ADVICE_ON_ADDRESS if part in message), f"cannot be used ({message})")
    return StorageError(f"the database {url} {advice}").naming("database_url")
