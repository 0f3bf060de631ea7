"""A database of every dialect."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgresql import PostgresServer, running_server

from foxing.memory.storage.database import Database


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with running_server(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, database_path: Path) -> str:
    """URL of a database of each dialect, for tests that must hold on all of them."""
    if request.param == "sqlite":
        return f"sqlite:///{database_path}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of each dialect."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()
