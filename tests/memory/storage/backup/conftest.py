"""Where a backup is restored to: an empty database of the same kind as the one that it is of."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.databases import PostgresServer, client_programs

from foxing.memory.storage.backup.postgresql import Programs


@pytest.fixture
def elsewhere(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Returns the URL of a new database without tables at each call."""

    def new() -> str:
        if database_url.startswith("sqlite"):
            return f"sqlite:///{tmp_path / f'elsewhere-{len(list(tmp_path.iterdir()))}.db'}"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.new_database(migrated=False)

    return new


@pytest.fixture
def programs(database_url: str) -> Programs:
    return Programs() if database_url.startswith("sqlite") else Programs(client_programs())
