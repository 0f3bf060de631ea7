"""Changes requested of pages, in batches, and what came of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Generic, Protocol, Self, TypeVar
from uuid import uuid4

from foxing.memory.pages.page_writer import DiscardTimes
from foxing.memory.pages.ready_page import ChangedPages
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import Progress


@dataclass(frozen=True)
class Change:
    """A change requested of a page."""

    page: PageRow
    #: tier of the page afterwards
    tier: str
    #: whether to encode the page again, or keep its tokens
    new_tokens: bool
    #: whether to drop its exact text
    drops_text: bool = False
    #: whether new tokens must read as the page did before; if they do not, the page stays as it is
    faithful: bool = False


@dataclass(frozen=True)
class WrittenPage:
    """What a page takes after its change."""

    #: number of pages that it is now
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int
    #: mean of those of the pages
    confidence: float

    @property
    def bytes(self) -> int:
        return self.token_bytes + self.text_bytes

    @classmethod
    def of(cls, rows: Sequence[PageRow]) -> Self:
        """`rows`: the pages that it is now."""
        return cls(
            len(rows),
            sum(row.vision_tokens for row in rows),
            sum(row.token_bytes for row in rows),
            sum(row.text_bytes for row in rows),
            fmean(row.confidence for row in rows),
        )


@dataclass(frozen=True)
class BatchOutcome:
    """What came of a batch, without what was written. A page that is in neither field is leased by another process or
    was changed meanwhile."""

    #: page id → what it takes now
    done: dict[int, WrittenPage]
    #: page id → why the page is left as it is
    left: dict[int, str]

    @classmethod
    def of(cls, changed: ChangedPages) -> Self:
        done = {change.page.id: WrittenPage.of([page.row for page in change.after]) for change in changed.changes}
        return cls(done, changed.left)


class HasPage(Protocol):
    """What is planned for a page."""

    @property
    def page(self) -> PageRow: ...


Item = TypeVar("Item", bound=HasPage)


@dataclass(frozen=True)
class Batch(Generic[Item]):
    """What is planned for some pages of a bank, carried out together."""

    items: Sequence[Item]
    now: datetime
    #: who leases the pages; see `PageWriter.change`
    owner: str
    discard: DiscardTimes | None = None


#: Carries out batches, in any order and by any process.
Work = Callable[[Sequence[Batch[Item]]], Iterator[tuple[Batch[Item], BatchOutcome]]]


@dataclass
class BatchResult(Generic[Item]):
    """What came of the batches of a bank."""

    #: page key → why the page is left as it is
    left: dict[str, str]
    done: list[tuple[Item, WrittenPage]] = field(default_factory=list)
    #: for pages that another process leases or has changed
    busy: list[Item] = field(default_factory=list)

    def add(self, items: Sequence[Item], outcome: BatchOutcome) -> None:
        for item in items:
            page = item.page
            if (written := outcome.done.get(page.id)) is not None:
                self.done.append((item, written))
            elif page.id in outcome.left:
                self.left[page.key] = outcome.left[page.id]
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
    """Has `work` carry out `items` in batches of `size`, and adds to `result` what came of them."""
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    done = 0
    for batch, outcome in work([Batch(part, now, uuid4().hex, discard) for part in parts]):
        result.add(batch.items, outcome)
        done += len(batch.items)
        if progress is not None:
            progress(done, len(items))
