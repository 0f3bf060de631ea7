"""Changes requested of pages, and the pages after them."""

from dataclasses import dataclass
from statistics import fmean
from typing import Self

from foxing.memory.pages.ready_page import ChangedPages, PageChange
from foxing.memory.storage.repositories.pages import PageRow


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

    @classmethod
    def of(cls, change: PageChange) -> Self:
        rows = [page.row for page in change.after]
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
        return cls({change.page.id: WrittenPage.of(change) for change in changed.changes}, changed.left)
