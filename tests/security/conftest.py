"""Fixtures for tests of what the service withstands."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from support.service import serve, store_conversation

from foxing.memory import Memory, MemoryOptions


@pytest.fixture(autouse=True)
def _past_conversations(message_ages: None) -> None:
    """Pages age from when their messages were said."""


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    """A client of a service over the empty `memory`."""
    with serve(memory) as client:
        yield client


@pytest.fixture(scope="module")
def shared_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A memory with a conversation, for all tests of a module that leave it as it is."""
    path = tmp_path_factory.mktemp("shared") / "foxing.db"
    with Memory(path, options=MemoryOptions(embedder="none")) as memory:
        store_conversation(memory)
        yield memory


@pytest.fixture(scope="module")
def shared_client(shared_memory: Memory) -> Iterator[httpx.Client]:
    """A client of a service over `shared_memory`."""
    with serve(shared_memory, time_travel=True) as client:
        yield client


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, restored after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
