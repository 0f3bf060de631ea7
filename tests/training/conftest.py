"""Tests of the training scripts, all of them slow."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder as slow."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker("slow")
