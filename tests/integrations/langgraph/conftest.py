"""A store in a bank of its own, over HTTP and in process."""

from collections.abc import Iterator

import pytest

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingStore


@pytest.fixture
def store(target: Target, bank: str) -> Iterator[FoxingStore]:
    with FoxingStore.connect(target, bank) as store:
        yield store
