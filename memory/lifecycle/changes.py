"""Batches of changes to pages, and their outcomes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any, Generic, Protocol, Self, TypeVar
from uuid import uuid4

from foxing.memory.pages.page_writer import DiscardTimes
from foxing.memory.pages.ready_page import ChangedPages
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.values.reports import SizeChange
from foxing.renderer import Progress


@dataclass(frozen=True)
class Change:
    """A requested change to a page."""

    page: PageRow
    #: tier of the page afterwards
    tier: str
    #: True to encode the page again, False to keep its tokens
    new_tokens: bool
    #: True to drop its exact text
    drops_text: bool = False
    #: True if new tokens must read as the page did before; otherwise the page is left unchanged
    faithful: bool = False


@dataclass(frozen=True)
class WrittenPage:
    """Size and confidence of a page after its change."""

    #: number of pages that replace it
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int
    #: mean over these pages, 0 to 1
    confidence: float

    @property
    def bytes(self) -> int:
        """Bytes of its tokens and text."""
        return self.token_bytes + self.text_bytes

    @classmethod
    def of(cls, rows: Sequence[PageRow]) -> Self:
        """Returns the totals of `rows`, the pages that replace it."""
        return cls(
            len(rows),
            sum(row.vision_tokens for row in rows),
            sum(row.token_bytes for row in rows),
            sum(row.text_bytes for row in rows),
            fmean(row.confidence for row in rows),
        )


def size_change(before: PageRow, vision_tokens: int, size: int) -> SizeChange:
    """Returns the change of a page to this number of vision tokens, and of bytes of its tokens and text."""
    return SizeChange(
        vision_tokens_before=before.vision_tokens,
        vision_tokens_after=vision_tokens,
        bytes_before=before.bytes,
        bytes_after=size,
    )


def total_sizes(changes: Sequence[SizeChange]) -> dict[str, Any]:
    """Returns the fields of the change of several pages."""
    return {name: sum(getattr(change, name) for change in changes) for name in SizeChange.model_fields}


@dataclass(frozen=True)
class BatchOutcome:
    """Outcome of a batch, without the contents written. A page in neither field is leased by another process, or was
    changed meanwhile."""

    #: page id → its size now
    done: dict[int, WrittenPage]
    #: page id → why the page is left unchanged
    reasons: dict[int, str]

    @classmethod
    def of(cls, changed: ChangedPages) -> Self:
        """Returns the outcome of changes that were written."""
        done = {change.page.id: WrittenPage.of([page.row for page in change.after]) for change in changed.changes}
        return cls(done, changed.reasons)


class PageItem(Protocol):
    """Item of work on one page."""

    @property
    def page(self) -> PageRow:
        """The page to change."""


Item = TypeVar("Item", bound=PageItem)


@dataclass(frozen=True)
class Batch(Generic[Item]):
    """Items of one bank that are carried out together."""

    items: Sequence[Item]
    now: datetime
    #: owner of the page leases; see `PageWriter.change`
    owner: str
    discard: DiscardTimes | None = None


#: Carries out batches and yields their outcomes, in any order and from any process.
Work = Callable[[Sequence[Batch[Item]]], Iterator[tuple[Batch[Item], BatchOutcome]]]


@dataclass
class BatchResult(Generic[Item]):
    """Combined outcome of the batches of a bank."""

    #: page key → why the page is left unchanged
    reasons: dict[str, str]
    done: list[tuple[Item, WrittenPage]] = field(default_factory=list)
    #: items whose pages another process leases or has changed
    busy: list[Item] = field(default_factory=list)

    def add(self, items: Sequence[Item], outcome: BatchOutcome) -> None:
        """Adds the outcome of a batch of `items`."""
        for item in items:
            page = item.page
            if (written := outcome.done.get(page.id)) is not None:
                self.done.append((item, written))
            elif page.id in outcome.reasons:
                self.reasons[page.key] = outcome.reasons[page.id]
            else:
                self.busy.append(item)


def carry_out(
    items: Sequence[Item],
    size: int,
    work: Work[Item],
    result: BatchResult[Item],
    now: datetime,
    discard: DiscardTimes | None = None,
    progress: Progress | None = None,
) -> None:
    """Splits `items` into batches of `size`, passes them to `work` and adds their outcomes to `result`."""
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    done = 0
    for batch, outcome in work([Batch(part, now, uuid4().hex, discard) for part in parts]):
        result.add(batch.items, outcome)
        done += len(batch.items)
        if progress is not None:
            progress(done, len(items))
