"""SQLite files in which messages wait for the memory: what has been delivered is overwritten."""

import sqlite3

#: Version of a file whose free pages hold nothing that was said.
_OVERWRITTEN = 1


def forget_deleted(connection: sqlite3.Connection) -> None:
    """Sets up a connection that overwrites what it deletes, and clears what an earlier process has left."""
    # a commit survives a killed process; the last ones may be lost when the machine loses power
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    if connection.execute("PRAGMA user_version").fetchone()[0] < _OVERWRITTEN:
        try:
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA user_version = {_OVERWRITTEN}")
        except sqlite3.OperationalError:  # another process uses the file; the next one to open it tries again
            pass


def empty_log(connection: sqlite3.Connection, within_ms: int) -> bool:
    """Empties the write-ahead log, in which deleted rows stay until it is overwritten. Returns False if another
    connection needs it for longer than `within_ms`; nothing is lost then."""
    usual_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {within_ms}")
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_ms}")
    return not busy
