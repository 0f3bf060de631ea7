"""Pages that are ready to be written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from foxing.encoder import Reading, VisionTokens
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageContent, PageParts, PageRow
from foxing.renderer import Cells

from .content import PageState

NO_CONTENT = PageContent(b"", None)


@dataclass(frozen=True)
class ReadyPage:
    """A page that is ready to be written."""

    row: PageRow
    content: PageContent
    #: What stands where on it; None if that stays as it is.
    parts: PageParts | None = None
    #: What it will read as; None if no message on it can have lost a word.
    state: PageState | None = None
    #: The messages on it that were not on it before.
    added: Sequence[Message] = ()

    @classmethod
    def of(
        cls,
        row: PageRow,
        tokens: VisionTokens,
        text: bytes | None,
        *,
        reading: Reading | None = None,
        cells: Cells | None = None,
        blob: bytes | None = None,
        parts: PageParts | None = None,
        added: Sequence[Message] = (),
    ) -> Self:
        """The page of `row` with these tokens and this text. What it will read as is the `reading` of the tokens, or
        the exact `cells`, uint32[rows, columns]; with neither its messages read as before. `blob`: the bytes of the
        tokens, if they are known."""
        content = PageContent(tokens.to_bytes() if blob is None else blob, text)
        state = None if cells is None else PageState.kept(row.tier, cells)
        confidence = row.confidence if text is None else 1.0
        if reading is not None:
            state, confidence = PageState.of(reading), reading.mean_confidence
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


@dataclass(frozen=True)
class PageChange:
    """A page, and what it becomes."""

    #: None for a page that is new.
    before: PageRow | None
    #: The pages that it becomes, the first of which takes its place; none if it is to be deleted.
    after: Sequence[ReadyPage]
    #: Its contents before; of a new page, all that it could keep.
    stored: PageContent = NO_CONTENT
    #: Entries of the trash that it is restored from.
    entries: Sequence[int] = ()

    @property
    def page(self) -> PageRow:
        """The page before. It must not be new."""
        assert self.before is not None
        return self.before

    @property
    def relaid(self) -> list[ReadyPage]:
        """The pages after it on which messages will stand elsewhere and read otherwise."""
        return [page for page in self.after if page.parts is not None and page.state is not None]


@dataclass(frozen=True)
class ChangedPages:
    """Pages of a batch that change, and those that are left as they are. One that is in neither field is leased by
    another process, or was changed meanwhile."""

    changes: Sequence[PageChange]
    #: Page id → why the page is left as it is.
    left: dict[int, str]
