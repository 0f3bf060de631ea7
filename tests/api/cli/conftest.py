"""Fixtures for the tests of the `foxing` command."""

from pathlib import Path

import pytest
from support.command_line import Foxing


@pytest.fixture
def foxing(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Foxing:
    """The command on an empty database, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return Foxing(database_url)
