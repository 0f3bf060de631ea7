"""A SQLite that loads extensions, as sqlite-vec needs: many builds of Python come without."""

import sqlite3
from types import ModuleType


class NotInstalled(Exception):
    """A package that a system needs is missing."""


def sqlite_with_extensions() -> ModuleType:
    """`sqlite3`, or pysqlite3 in its place. Raises `NotInstalled` if neither loads extensions."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    try:
        import pysqlite3
    except ImportError as error:
        raise NotInstalled("this Python's sqlite3 loads no extensions, and there is no pysqlite3") from error
    module: ModuleType = pysqlite3
    return module
