"""Cache per process and database: manifests, ranges, open messages, ids of embedders and the key of digests."""

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from cachetools import LRUCache
from sqlalchemy import Connection, Pool

from foxing.memory.storage.manifest import PageManifest, PageMessages

if TYPE_CHECKING:
    from .bank_ranges import BankRanges
    from .open_threads import OpenThreads

MANIFEST_CACHE_BYTES = 32 << 20
OPEN_CACHE_BYTES = 32 << 20  # a million open messages take 24 MB
MESSAGES_CACHE_BYTES = 32 << 20  # enough for a million messages, at 60 per page
RANGES_CACHE_BYTES = 64 << 20  # a bank that alternates threads with every message has one range per message


class _Sized(Protocol):
    @property
    def memory_bytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class BankCache(Generic[T]):
    """LRU cache of values of banks. Safe to share between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._lock = Lock()
        self._held: LRUCache[int, T] = LRUCache(most_bytes, getsizeof=lambda entry: entry.memory_bytes)

    def get(self, bank_id: int) -> T | None:
        """Returns the cached value of a bank; None if there is none."""
        with self._lock:
            return self._held.get(bank_id)

    def put(self, bank_id: int, value: T) -> None:
        """Caches the value of a bank, unless it exceeds the capacity."""
        with self._lock:
            if value.memory_bytes <= self._held.maxsize:
                self._held[bank_id] = value


class StampedCache(Generic[T]):
    """LRU cache of values read from page manifests, validated by the stamps of the manifests. Safe to share between
    threads."""

    def __init__(self, most_bytes: int) -> None:
        self._lock = Lock()
        self._held: LRUCache[int, tuple[int, T]] = LRUCache(most_bytes, getsizeof=lambda entry: entry[1].memory_bytes)

    def get(self, stamps: Mapping[int, int]) -> dict[int, T]:
        """Returns page id → cached value, for values with these stamps."""
        with self._lock:
            entries = {page_id: self._held.get(page_id) for page_id in stamps}
        return {i: entry[1] for i, entry in entries.items() if entry is not None and entry[0] == stamps[i]}

    def put(self, stamps: Mapping[int, int], read: Mapping[int, T]) -> None:
        """Caches values with these stamps, except those that exceed the capacity."""
        with self._lock:
            for page_id, value in read.items():
                if value.memory_bytes <= self._held.maxsize:
                    self._held[page_id] = stamps[page_id], value


class DatabaseCache:
    """Caches of one database. Safe to share between threads."""

    def __init__(self) -> None:
        #: name and dimensions of an embedder → its id, which never changes
        self.embedders: dict[tuple[str, int], int] = {}
        self.ranges: BankCache[BankRanges] = BankCache(RANGES_CACHE_BYTES)
        self.open_threads: BankCache[OpenThreads] = BankCache(OPEN_CACHE_BYTES)
        self.manifests = StampedCache[PageManifest](MANIFEST_CACHE_BYTES)
        self.messages = StampedCache[PageMessages](MESSAGES_CACHE_BYTES)


_caches: WeakKeyDictionary[Pool, DatabaseCache] = WeakKeyDictionary()
_lock = Lock()


def cache_of(connection: Connection) -> DatabaseCache:
    """Returns this process's cache for the database of a connection."""
    pool = connection.engine.pool
    with _lock:
        cache = _caches.get(pool)
        if cache is None:
            cache = _caches[pool] = DatabaseCache()
        return cache
