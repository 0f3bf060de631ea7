"""Pages that are ready to be written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from foxing.encoder import Reading, VisionTokens, known_misread, with_misread
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageContent, PageParts, PageRow
from foxing.renderer import Cells

from .content import PageState
from .drawing import Flags
from .exact_text import pack_text

NO_CONTENT = PageContent(b"", None)


@dataclass(frozen=True)
class ReadyPage:
    """A page that is ready to be written."""

    row: PageRow
    content: PageContent
    #: What stands where on it; None if that stays as it is.
    parts: PageParts | None = None
    #: What it will read as; None if every message on it reads as before.
    state: PageState | None = None
    #: The messages on it that were not on it before.
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
        """The page of `row` with these tokens, of which `blob` is the bytes if they are known, and this text."""
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
        """A page that keeps its text: `cells`, uint32[rows, columns]. `reading`: of the tokens, if they read the same
        everywhere."""
        state = PageState.kept(row.tier, cells)
        return cls.of(row, tokens, pack_text(cells, reading), state, parts=parts, added=added)

    @classmethod
    def decoded(
        cls,
        row: PageRow,
        tokens: VisionTokens,
        reading: Reading,
        misread: Flags | None = None,
        *,
        blob: bytes | None = None,
        parts: PageParts | None = None,
        added: Sequence[Message] = (),
    ) -> Self:
        """A page that is read from its tokens. `misread`: bool[rows, columns], the cells that they have otherwise than
        the page, to be remembered with them."""
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
