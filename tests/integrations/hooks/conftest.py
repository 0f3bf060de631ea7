"""Fixtures for the tests of hooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_sessions import Announce, ClaudeSession

from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.hosts import HOSTS
from foxing.integrations.hooks.intake import Intake
from foxing.memory import Memory


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in (*filter(None, (host.home_variable for host in HOSTS.values())), "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def project(home: Path) -> Path:
    """A repository."""
    folder = home / "code" / "ledger"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def session(home: Path, project: Path) -> ClaudeSession:
    return ClaudeSession(home / ".claude" / "projects", project, "first")


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "data" / "a.db")


@pytest.fixture
def intake(database: str) -> Iterator[Intake]:
    """An intake of which the test itself runs each step."""
    Path(database).parent.mkdir(exist_ok=True)
    with Memory(database) as memory:
        yield Intake(memory, database, Answers(memory))


@pytest.fixture
def announce(database: str) -> Announce:
    return Announce(database)
