"""What a process remembers of a database: directories and runs that were read, and its secret."""

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from cachetools import LRUCache
from sqlalchemy import Connection, Pool

from foxing.memory.storage.directory import PageDirectory
from foxing.memory.storage.secrets import digest_key

if TYPE_CHECKING:
    from .bank_runs import BankRuns

DIRECTORY_CACHE_BYTES = 32 << 20
RUNS_CACHE_BYTES = 64 << 20  # a bank whose messages are all in other threads than those beside them has a run for each


class RunsCache:
    """The runs of banks. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: LRUCache[int, BankRuns] = LRUCache(RUNS_CACHE_BYTES, getsizeof=lambda held: held.memory_bytes)

    def get(self, bank_id: int) -> "BankRuns | None":
        with self._lock:
            return self._held.get(bank_id)

    def put(self, bank_id: int, runs: "BankRuns") -> None:
        """Keeps the runs of a bank, if there is room for them."""
        with self._lock:
            if runs.memory_bytes <= RUNS_CACHE_BYTES:
                self._held[bank_id] = runs


class DatabaseCache:
    """Of one database. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._secret: bytes | None = None
        self.runs = RunsCache()
        #: page id → stamp and directory
        self._directories: LRUCache[int, tuple[int, PageDirectory]] = LRUCache(
            DIRECTORY_CACHE_BYTES, getsizeof=lambda held: held[1].memory_bytes
        )

    def secret(self, connection: Connection) -> bytes:
        """See `digest_key`."""
        if self._secret is None:
            self._secret = digest_key(connection)
        return self._secret

    def directories(self, stamps: Mapping[int, int]) -> dict[int, PageDirectory]:
        """Page id → directory, for those that are known with these stamps."""
        with self._lock:
            found = {page_id: self._directories.get(page_id) for page_id in stamps}
        return {i: held[1] for i, held in found.items() if held is not None and held[0] == stamps[i]}

    def keep(self, stamps: Mapping[int, int], directories: Mapping[int, PageDirectory]) -> None:
        """Keeps directories that were read with these stamps."""
        with self._lock:
            for page_id, directory in directories.items():
                if directory.memory_bytes <= DIRECTORY_CACHE_BYTES:
                    self._directories[page_id] = stamps[page_id], directory


_caches: WeakKeyDictionary[Pool, DatabaseCache] = WeakKeyDictionary()
_lock = Lock()


def cache_of(connection: Connection) -> DatabaseCache:
    """What this process remembers of the database of a connection."""
    pool = connection.engine.pool
    with _lock:
        return _caches.setdefault(pool, DatabaseCache())
