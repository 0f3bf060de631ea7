"""Messages for reports that say why a page is left unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from foxing.memory.values.reports import PageSkipped


@dataclass(frozen=True)
class Refusal:
    """Reason for leaving a page unchanged."""

    reason: str
    #: True if another attempt would soon fail the same way
    persistent: bool = False


MISSING = "part of it is missing from object storage or was changed there; put it back, or restore a backup"
DAMAGED_TEXT = "its kept text is damaged; restore a backup"


def not_read_back(tier: str) -> str:
    """Returns the reason for a page of whose tokens at `tier`, existing or new, the codec reads almost nothing."""
    return f"its tokens at '{tier}' are unreadable now; its text and sharper tokens are kept"


def misread(share: float, tier: str) -> str:
    """Returns the reason for a page whose tokens at `tier`, existing or new, misread the `share` of its characters, 0
    to 1."""
    return f"its tokens at '{tier}' misread {share:.0%} of its characters; the page is left unchanged"


def partly_unreadable(share: float) -> str:
    """Returns the reason for a page of which a `share` cannot be read, 0 to 1: rewriting it would turn that into
    gaps."""
    return f"{share:.0%} of this page cannot be read now, and rewriting it would make that permanent"


def too_lossy(share: float, tier: str) -> str:
    """Returns the reason for a page that would lose a `share` of its characters, 0 to 1."""
    return f"rewritten at '{tier}' this page would lose {share:.0%} of its characters"


def other_layout(codec: str) -> str:
    """Returns the reason for a page in a layout that the current codec does not encode."""
    return f"this page was laid out for a codec other than '{codec}'; run foxing reencode"


def restorable(until: datetime) -> str:
    """Returns the reason for a page with a version in the trash, which fits only its current layout."""
    return f"the ageing of this page can be undone until {until.isoformat()}; reencode it after that"


def skipped_pages(skipped: Mapping[str, str]) -> list[PageSkipped]:
    """Converts page key → reason for a report."""
    return [PageSkipped(page_id=key, reason=reason) for key, reason in skipped.items()]
