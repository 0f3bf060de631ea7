"""Cache of pages whose tokens at a tier are misread, so that they are not encoded and read again on every tick."""

from datetime import datetime, timedelta
from threading import Lock

from cachetools import LRUCache

from .changes import Change

#: Time before another attempt. The same weights fail again; a server may have loaded others.
RETRY_AFTER = timedelta(days=1)
MAX_PAGES = 10_000

#: Page key, page version, target tier, and whether the text was to be dropped.
_Key = tuple[str, int, str, bool]


class FailedRewriteCache:
    """LRU cache of failed changes. Safe to share between threads."""

    def __init__(self) -> None:
        self._failed: LRUCache[_Key, tuple[datetime, str]] = LRUCache(MAX_PAGES)
        self._lock = Lock()

    def reason(self, change: Change, now: datetime) -> str | None:
        """Returns the reason of a recent failure of the same change; None if the change may be tried at `now`."""
        with self._lock:
            failed = self._failed.get(_key(change))
        return failed[1] if failed is not None and abs(now - failed[0]) < RETRY_AFTER else None

    def add(self, change: Change, now: datetime, reason: str) -> None:
        """Records that the change failed at `now`."""
        with self._lock:
            self._failed[_key(change)] = now, reason


def _key(change: Change) -> _Key:
    return change.page.key, change.page.version, change.tier, change.drops_text
