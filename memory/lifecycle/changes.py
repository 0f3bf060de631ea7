"""Changes requested of pages, and the pages after them."""

from dataclasses import dataclass, replace
from datetime import datetime

from foxing.encoder import Reading
from foxing.memory.pages.assembler import PageDraft
from foxing.memory.pages.content import PageState
from foxing.memory.pages.drawing import PageParts, RedrawnPage
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow, TypesetColumns


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
class RewrittenPage:
    """A page as it is after its change."""

    change: Change
    #: the page as it is drawn; None if it was not drawn again
    drawn: RedrawnPage | None
    #: new tokens; None if the old ones stay
    blob: bytes | None
    vision_tokens: int
    #: name of the codec that its tokens are of
    codec: str
    #: what is kept of its exact text, if it is kept
    text: bytes | None
    #: reading of the tokens; None while the text is kept
    reading: Reading | None

    @property
    def parts(self) -> PageParts | None:
        """Where messages and keepsakes stand on it, if it was set again."""
        return self.drawn.parts if self.drawn is not None else None

    @property
    def token_bytes(self) -> int:
        return self.change.page.token_bytes if self.blob is None else len(self.blob)

    @property
    def text_bytes(self) -> int:
        return len(self.text) if self.text is not None else 0

    @property
    def confidence(self) -> float:
        return self.reading.mean_confidence if self.reading is not None else 1.0

    def page_draft(self) -> PageDraft | None:
        """The page as it is to be written, if it was set again and is read from its tokens."""
        if self.parts is None or self.reading is None:
            return None
        page = replace(self.change.page, rows_used=self.parts.rows_used)
        spans = [SpanRow(page_id=page.id, **span) for span in self.parts.spans]
        keepsakes = [KeepsakeRow(page_id=page.id, **keepsake) for keepsake in self.parts.keepsakes]
        return PageDraft(page, spans, keepsakes, PageState.of(self.reading))

    def columns(self) -> TypesetColumns:
        page = self.change.page
        return {
            "tier": self.change.tier,
            "vision_tokens": self.vision_tokens,
            "token_bytes": self.token_bytes,
            "text_bytes": self.text_bytes,
            "text_kept": self.text is not None,
            "confidence": self.confidence,
            "codec": self.codec,
            "layout": page.layout,
            "rows_used": page.rows_used if self.parts is None else self.parts.rows_used,
            "first_at": page.first_at,
            "last_at": page.last_at,
            "messages": page.messages,
        }


@dataclass(frozen=True)
class RewriteOutcome:
    """The result of a batch. A page that is in neither field is held by another process or was changed meanwhile."""

    done: list[RewrittenPage]
    #: page id → why the page is left as it is
    unreadable: dict[int, str]


@dataclass(frozen=True)
class WrittenPage:
    """What a page takes after its change."""

    #: number of pages that it is now
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int
    confidence: float


@dataclass(frozen=True)
class BatchOutcome:
    """What came of a batch, without what was written. A page that is in neither field is held by another process or was
    changed meanwhile."""

    #: page id → what it takes now
    done: dict[int, WrittenPage]
    #: page id → why the page is left as it is
    left: dict[int, str]

    @classmethod
    def of(cls, outcome: RewriteOutcome) -> "BatchOutcome":
        done = {
            item.change.page.id: WrittenPage(1, item.vision_tokens, item.token_bytes, item.text_bytes, item.confidence)
            for item in outcome.done
        }
        return cls(done, outcome.unreadable)


@dataclass(frozen=True)
class DiscardTimes:
    """When old tokens and texts are moved to the trash, and when they are purged from it."""

    dropped_at: datetime
    purge_at: datetime
