"""A console over a bank whose page has faded."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.faded import BANK, make_faded_bank
from support.service import serve

from foxing.api.console import pending
from foxing.memory import Memory

MESSAGES = 113


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are given when they are ready, however slow the machine is."""
    monkeypatch.setattr(pending, "PATIENCE_S", 600.0)


@pytest.fixture(scope="session")
def faded_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a page at `micro` and open messages."""
    path = tmp_path_factory.mktemp("faded") / "foxing.db"
    make_faded_bank(path)
    with Memory(path) as memory:
        open_messages = [
            {"id": "open", "role": "user", "name": "Mina", "content": "Is Titan still in March?"},
            {"id": "answer", "role": "assistant", "content": "Yes, Titan ships on 14 March."},
        ]
        memory.store(BANK, open_messages, thread="later")
    return path


@pytest.fixture(scope="session")
def shared(faded_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Memory]]:
    """A console and its memory for tests that change nothing, or only add messages of a thread of their own."""
    path = tmp_path_factory.mktemp("shared") / "foxing.db"
    shutil.copy(faded_bank, path)
    with Memory(path) as memory, serve(memory) as client:
        yield as_browser(client), memory


@pytest.fixture
def memory(faded_bank: Path, tmp_path: Path) -> Iterator[Memory]:
    """A copy of the bank."""
    shutil.copy(faded_bank, tmp_path / "foxing.db")
    with Memory(tmp_path / "foxing.db") as memory:
        yield memory


@pytest.fixture
def console(memory: Memory) -> Iterator[httpx.Client]:
    """A client that sends the origin of the service, as a browser does with its forms."""
    with serve(memory) as client:
        yield as_browser(client)


def as_browser(client: httpx.Client) -> httpx.Client:
    """The client, which follows redirects and says where it comes from."""
    client.headers["origin"] = str(client.base_url)
    client.follow_redirects = True
    return client
