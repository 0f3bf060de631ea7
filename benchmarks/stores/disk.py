"""Disk usage of a store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from .store import Place

MAGIC = b"SQLite format 3\0"


def disk_bytes(place: Place) -> int:
    """Returns the bytes of the files in the folder of a store and of its database. PostgreSQL writes a checkpoint
    first."""
    files = sum(file.stat().st_size for file in place.folder.rglob("*") if file.is_file())
    if not place.url:
        return files
    import psycopg

    with psycopg.connect(place.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return files + (row[0] if row else 0)


def vacuum(place: Place) -> None:
    """Reclaims free space in all SQLite files and the database of a store, which must be closed."""
    for file in place.folder.rglob("*"):
        if file.is_file() and _is_sqlite(file):
            with closing(sqlite3.connect(file)) as opened:
                opened.execute("VACUUM")
    if place.url:
        import psycopg

        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("VACUUM FULL")


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC
