"""Fixtures for tests of what the service withstands."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from support.service import serve

from foxing.memory import Memory


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    """A client of a service over the empty `memory`."""
    with serve(memory) as client:
        yield client


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, restored after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
