"""Fixtures for tests of what the service withstands."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.service import serve

from foxing.memory import Memory


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    """A client of a service over the empty `memory`."""
    with serve(memory) as client:
        yield client
