"""Why a page is left as it is, in words for reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from foxing.memory.values.reports import PageSkipped


@dataclass(frozen=True)
class Left:
    """A page is left as it is."""

    reason: str
    #: whether trying again soon would find the same
    lasts: bool = False


MISSING = "a part of it is missing in object storage, or was changed there; put it back, or restore a backup"
DAMAGED_TEXT = "its kept text is damaged; restore a backup"


def not_read_back(tier: str) -> str:
    """The codec reads next to nothing from the tokens that the page has, or would have, at `tier`."""
    return f"its tokens at '{tier}' read as nothing now; its text and sharper tokens are kept"


def misread(share: float, tier: str) -> str:
    """The codec reads `share` of the page otherwise than its text from the tokens it has, or would have, at `tier`."""
    return f"its tokens at '{tier}' read {share:.0%} of its characters wrong; what it has is kept"


def partly_unreadable(share: float) -> str:
    """`share` of the page cannot be read; rewriting would turn those characters into gaps for good."""
    return f"{share:.0%} of this page cannot be read now, and rewriting it would make that permanent"


def too_lossy(share: float, tier: str) -> str:
    """The page would lose `share` of its characters."""
    return f"rewritten at '{tier}' this page would lose {share:.0%} of its characters"


def other_layout(codec: str) -> str:
    """The present codec does not encode pages of this layout."""
    return f"this page was laid out for a codec other than '{codec}'; move it by foxing reencode"


def restorable(until: datetime) -> str:
    """The trash holds a version that ageing dropped, which fits only the page as it is."""
    return f"what ageing dropped from this page can be restored until {until.isoformat()}; reencode it after that"


def skipped_pages(left: Mapping[str, str]) -> list[PageSkipped]:
    """Page key → why the page is left as it is, for a report."""
    return [PageSkipped(page_id=key, reason=reason) for key, reason in left.items()]
