"""A database with something of everything, to be damaged."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.operations.checks import fill


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("check") / "foxing.db"
    fill(str(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


@pytest.fixture
def filled_file(_filled: Path, database_path: Path) -> str:
    """The URL of the database as a file of SQLite, whose statements and ids damage can name."""
    shutil.copy(_filled, database_path)
    return f"sqlite:///{database_path}"


@pytest.fixture
def filled(_filled: Path, database_url: str, database_path: Path) -> str:
    """The URL of the database."""
    if database_url.startswith("sqlite"):
        shutil.copy(_filled, database_path)
    else:
        fill(database_url)
    return database_url
