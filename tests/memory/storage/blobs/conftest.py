"""A bank whose tokens and texts are in a folder, as object storage."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.operations.blobs import DAY, START, Storage

from foxing.memory import DatabaseOptions, Memory, MemoryOptions


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    pytest.importorskip("obstore", reason="needs the extra 'blobs'")
    return Storage(tmp_path / "objects")


@pytest.fixture
def options(database_url: str, storage: Storage) -> DatabaseOptions:
    return storage.options(database_url)


@pytest.fixture
def memory(options: DatabaseOptions) -> Iterator[Memory]:
    with Memory(options, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as opened:
        yield opened
