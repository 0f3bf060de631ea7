"""Pages whose tokens at a tier read wrong: they are not encoded and read again at each tick of the clock."""

from datetime import datetime, timedelta
from threading import Lock

from cachetools import LRUCache

from .changes import Change

#: How long a page is left alone. Weights read the same again; a server may have got others.
LEFT_FOR = timedelta(days=1)
MAX_PAGES = 10_000

#: A page's id and version, the tier it was to get, and whether its text was to go: kept text needs no tokens.
_Key = tuple[str, int, str, bool]


class FailedRewriteCache:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._failed: LRUCache[_Key, tuple[datetime, str]] = LRUCache(MAX_PAGES)
        self._lock = Lock()

    def reason(self, change: Change, now: datetime) -> str | None:
        """Why the page is to be left as it is at `now`; None if it may be tried."""
        with self._lock:
            failed = self._failed.get(_key(change))
        return failed[1] if failed is not None and abs(now - failed[0]) < LEFT_FOR else None

    def add(self, change: Change, now: datetime, reason: str) -> None:
        with self._lock:
            self._failed[_key(change)] = now, reason


def _key(change: Change) -> _Key:
    return change.page.key, change.page.version, change.tier, change.drops_text
