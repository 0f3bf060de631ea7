"""Size of the parts of a SQLite file, from the database pages of its tables and indexes."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_INDEX = ("posting_segments", "recent_postings")
_EMBEDDINGS = ("embeddings", "embedding_segments", "embedders")


@dataclass(frozen=True)
class FileParts:
    """Bytes of a vacuumed SQLite file, by part."""

    tokens: int
    text: int
    index: int
    embeddings: int
    keepsakes: int
    trash: int
    #: Messages, pages and threads with their indexes.
    metadata: int
    #: The whole file.
    total: int


def file_parts(path: Path) -> FileParts:
    """Returns the parts of the database at `path`, measured on a vacuumed copy."""
    copy = path.with_suffix(".vacuumed")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    try:
        with closing(sqlite3.connect(copy)) as connection:
            return _parts(connection, copy.stat().st_size)
    finally:
        copy.unlink()


def _parts(connection: sqlite3.Connection, total: int) -> FileParts:
    owners = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
    taken: dict[str, int] = {}
    for name, size in connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
        table = owners.get(name, "")
        taken[table] = taken.get(table, 0) + size
    query = "SELECT coalesce(sum(length(text)), 0), coalesce(sum(length(tokens)), 0) FROM page_contents"
    text, tokens = connection.execute(query).fetchone()
    contents = taken.pop("page_contents", 0)
    text_part = contents * text // max(1, text + tokens)
    index = sum(taken.pop(name, 0) for name in _INDEX)
    embeddings = sum(taken.pop(name, 0) for name in _EMBEDDINGS)
    keepsakes, trash = taken.pop("keepsakes", 0), taken.pop("trash", 0)
    rest = total - contents - index - embeddings - keepsakes - trash
    return FileParts(contents - text_part, text_part, index, embeddings, keepsakes, trash, rest, total)
