"""A bank that disappears while it is used."""

import sqlite3
from contextlib import closing
from pathlib import Path


def delete_bank(database: Path, bank: str) -> None:
    """Deletes a bank with all it holds, as another process would."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        (bank_id,) = connection.execute("SELECT id FROM banks WHERE name = ?", [bank]).fetchone()
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            if "bank_id" in columns:
                connection.execute(f"DELETE FROM {table} WHERE bank_id = ?", [bank_id])
        connection.execute("DELETE FROM banks WHERE id = ?", [bank_id])
