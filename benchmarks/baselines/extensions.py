"""A `sqlite3` module that can load extensions, as sqlite-vec requires; many builds of Python cannot."""

import sqlite3
from types import ModuleType


class NotInstalled(Exception):
    """A package that a system requires is missing."""


def sqlite_with_extensions() -> ModuleType:
    """Returns `sqlite3` or else pysqlite3. Raises `NotInstalled` if neither can load extensions."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    try:
        import pysqlite3
    except ImportError as error:
        raise NotInstalled("this Python's sqlite3 cannot load extensions, and pysqlite3 is not installed") from error
    module: ModuleType = pysqlite3
    return module
