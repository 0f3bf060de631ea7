"""What undo brought back, and what was erased."""

from dataclasses import dataclass
from datetime import datetime

from .values import PageLeft, Tier


@dataclass(frozen=True)
class PageRestored:
    """A page that is as it was before ageing changed it, and pinned."""

    page_id: str
    from_tier: Tier
    to_tier: Tier
    messages: int
    #: Whether its exact text is back.
    text_restored: bool
    dropped_at: datetime
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class Undone:
    """What undo brought back."""

    now: datetime
    restored: tuple[PageRestored, ...]
    #: Ids of pages whose exact text is gone for good.
    purged: tuple[str, ...]
    #: Ids of pages that another process held or changed.
    busy: tuple[str, ...]
    unreadable: tuple[PageLeft, ...]
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class PageErased:
    """A page from which messages were erased."""

    page_id: str
    tier: Tier
    #: Whether the page is gone, because nothing else was on it.
    deleted: bool
    #: Share of the other characters on it that read otherwise than before, 0 to 1.
    changed: float


@dataclass(frozen=True)
class Erased:
    """What was erased for good."""

    bank: str
    messages: int
    pages: tuple[PageErased, ...] = ()
    bytes_before: int = 0
    bytes_after: int = 0
    #: Whether SQLite's write-ahead log was emptied; if not, the clock does it.
    log_erased: bool = True
