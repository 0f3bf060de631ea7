"""A migrated database."""

from collections.abc import Iterator

import pytest

from foxing.memory.storage.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database, of the kind of `database_url`."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()
