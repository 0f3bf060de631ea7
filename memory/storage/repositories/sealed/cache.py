"""Cache per process and database: manifests, ranges, open messages, ids of embedders and the key of digests."""

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


K = TypeVar("K")
T = TypeVar("T", bound=_Sized)
#: Id of a page and stamp of its manifest.
Stamped = tuple[int, int]


class SizedCache(Generic[K, T]):
    """LRU cache of a number of bytes. Safe to share between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._lock = Lock()
        self._values: LRUCache[K, T] = LRUCache(most_bytes, getsizeof=lambda value: value.memory_bytes)

    def get(self, key: K) -> T | None:
        """Returns the cached value; None if there is none."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: K, value: T) -> None:
        """Caches a value, unless it exceeds the capacity."""
        with self._lock:
            if value.memory_bytes <= self._values.maxsize:
                self._values[key] = value


class DatabaseCache:
    """Caches of one database. Safe to share between threads."""

    def __init__(self) -> None:
        #: name and dimensions of an embedder → its id, which never changes
        self.embedders: dict[tuple[str, int], int] = {}
        self.ranges: SizedCache[int, BankRanges] = SizedCache(RANGES_CACHE_BYTES)
        self.open_threads: SizedCache[int, OpenThreads] = SizedCache(OPEN_CACHE_BYTES)
        self.manifests = SizedCache[Stamped, PageManifest](MANIFEST_CACHE_BYTES)
        self.messages = SizedCache[Stamped, PageMessages](MESSAGES_CACHE_BYTES)


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
