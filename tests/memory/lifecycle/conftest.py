"""A bank that other weights than the present ones wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.other_weights import SampleBank, build_sample_bank, write_other_weights

from foxing.encoder.native.codec import NativeCodec
from foxing.memory import Memory


@pytest.fixture(scope="session")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file."""
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    write_other_weights(path)
    return path


@pytest.fixture(scope="session")
def _built_bank(other_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SampleBank:
    database = tmp_path_factory.mktemp("bank") / "foxing.db"
    return build_sample_bank(database, NativeCodec.load(other_weights, "cpu"))


@pytest.fixture
def bank(_built_bank: SampleBank, database_path: Path) -> SampleBank:
    """A copy of the bank for one test."""
    return _built_bank.at(database_path)


@pytest.fixture
def memory(bank: SampleBank) -> Iterator[Memory]:
    """The bank opened with a codec that reads the tokens of both weights."""
    with bank.open() as opened:
        yield opened
