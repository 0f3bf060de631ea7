"""Values for pages that are ready to be written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from foxing.encoder import Reading, VisionTokens
from foxing.encoder.alignment.misread import known_misread, with_misread
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageContent, PageParts, PageRow
from foxing.renderer.page import Cells

from .content import PageState
from .exact_text import pack_text

if TYPE_CHECKING:
    from .drawing import Flags  # reading pages needs none of what draws and fades them

NO_CONTENT = PageContent(b"", None)


@dataclass(frozen=True)
class ReadyPage:
    """A page encoded and ready to be written."""

    row: PageRow
    content: PageContent
    #: Its spans and keepsakes; None if they do not change.
    parts: PageParts | None = None
    #: Its reading once written; None if every message on it reads as before.
    state: PageState | None = None
    #: Messages that were not on the page before.
    added: Sequence[Message] = ()

    @classmethod
    def of(
        cls,
        row: PageRow,
        tokens: VisionTokens,
        text: bytes | None,
        state: PageState | None,
        *,
        confidence: float = 1.0,
        blob: bytes | None = None,
        parts: PageParts | None = None,
        added: Sequence[Message] = (),
    ) -> Self:
        """Returns the page of `row` with these tokens and kept text. `blob`: the tokens as bytes, if known.
        `confidence`: mean of the page, 0 to 1."""
        content = PageContent(tokens.to_bytes() if blob is None else blob, text)
        encoded = replace(
            row,
            codec=tokens.codec,
            vision_tokens=tokens.count,
            token_bytes=len(content.tokens),
            text_bytes=0 if text is None else len(text),
            text_kept=text is not None,
            confidence=confidence,
        )
        return cls(encoded, content, parts, state, added)

    @classmethod
    def exact(
        cls,
        row: PageRow,
        tokens: VisionTokens,
        cells: Cells,
        reading: Reading | None,
        *,
        parts: PageParts | None = None,
        added: Sequence[Message] = (),
    ) -> Self:
        """Returns a page that keeps its text. `cells`: uint32[rows, columns]. `reading`: reading of the tokens, if they
        decode identically everywhere."""
        state = PageState.kept(row.tier, cells)
        return cls.of(row, tokens, pack_text(cells, reading), state, parts=parts, added=added)

    @classmethod
    def decoded(
        cls,
        row: PageRow,
        tokens: VisionTokens,
        reading: Reading,
        misread: "Flags | None" = None,
        *,
        blob: bytes | None = None,
        parts: PageParts | None = None,
        added: Sequence[Message] = (),
    ) -> Self:
        """Returns a page that is read from its tokens. `misread`: bool[rows, columns], the cells that the tokens
        misread, stored with them."""
        marked = tokens if misread is None else with_misread(tokens, misread)
        reading = known_misread(reading, marked)
        return cls.of(
            row,
            marked,
            None,
            PageState.of(reading),
            confidence=reading.mean_confidence,
            blob=blob if marked == tokens else None,
            parts=parts,
            added=added,
        )


@dataclass(frozen=True)
class PageChange:
    """A page and the pages that replace it."""

    #: None for a new page.
    before: PageRow | None
    #: Pages that replace it, the first in its row; empty if it is deleted.
    after: Sequence[ReadyPage]
    #: Contents before the change; for a new page, all that it could keep.
    stored: PageContent = NO_CONTENT
    #: Ids of the trash entries from which it is restored.
    entries: Sequence[int] = ()

    @property
    def page(self) -> PageRow:
        """The page before the change. It must not be new."""
        assert self.before is not None
        return self.before

    @property
    def relaid(self) -> list[ReadyPage]:
        """Pages on which messages move and read differently after the change."""
        return [page for page in self.after if page.parts is not None and page.state is not None]


@dataclass(frozen=True)
class ChangedPages:
    """Pages of a batch that change, and pages left unchanged with the reason. A page in neither field is leased by
    another process, or was changed meanwhile."""

    changes: Sequence[PageChange]
    #: Page id → why the page is left unchanged.
    reasons: dict[int, str]
