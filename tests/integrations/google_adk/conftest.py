"""Needs the extra "google-adk"."""

import importlib.util

import pytest

if importlib.util.find_spec("google.adk") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets the framework's own modules warn, such as of features that it calls experimental."""
    for item in items:
        if "google_adk" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning:google.*"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:google.*"))
