"""The schema of new SQLite databases, migrated once in a process of tests: each later one gets a copy of it. To migrate
an empty file takes a tenth of a second, which thousands of tests would pay."""

import sqlite3
import tempfile
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from foxing.memory.storage.database import Database

_migrate = Database.migrate
#: Made before a test can name another place for temporary files.
_FOLDER = tempfile.TemporaryDirectory(prefix="foxing-schema-")


@cache
def _template() -> Path:
    """Returns the path of a database that has been migrated and holds nothing."""
    path = Path(_FOLDER.name) / "template.db"
    database = Database(path)
    try:
        _migrate(database)
    finally:
        database.close()
    return path


def migrate(self: Database) -> None:
    """`Database.migrate`, with a copy where there is nothing to upgrade."""
    if self.dialect.single_writer and self._options.create and self.revision() is None:
        with closing(sqlite3.connect(_template())) as source, suppress(sqlite3.Error), self.engine.connect() as target:
            file = target.connection.dbapi_connection
            assert isinstance(file, sqlite3.Connection)
            source.backup(file)
    _migrate(self)  # which does the whole work where a copy cannot be written
