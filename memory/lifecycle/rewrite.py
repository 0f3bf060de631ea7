"""Rewriting sealed pages: lease, draw from the best that the memory holds, encode, read back, compare and swap.

Encoding happens outside any transaction. Ageing and reencoding differ only in the changes that they request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from foxing.encoder import (
    UNREAD_SHARE,
    Codec,
    CodecError,
    Reading,
    TokensError,
    VisionTokens,
    can_draw_for,
    capabilities_of,
    expected_bytes,
    token_grid,
)
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import PageState, StoredContents, unpack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.view import draw_page
from foxing.memory.recall.indexing import PageChanges, Reindexer
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages, wastebasket
from foxing.memory.storage.repositories.pages import EncodedColumns, PageContent, PageRow
from foxing.renderer import Cells, PageLayout, tier_rank

from . import reasons
from .fidelity import MAX_CHARACTER_LOSS, character_loss, missing_share, unreadable_share
from .leases import lease_pages
from .reasons import Left

BATCH = 8  # pages leased, encoded and swapped together
ATTEMPTS = 5  # to write a batch while other processes change its messages


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
    #: new tokens; None if the old ones stay
    blob: bytes | None
    vision_tokens: int
    #: packed cells, while they are kept
    text: bytes | None
    #: reading of the tokens; None while the text is kept
    reading: Reading | None

    @property
    def token_bytes(self) -> int:
        return self.change.page.token_bytes if self.blob is None else len(self.blob)

    @property
    def text_bytes(self) -> int:
        return len(self.text) if self.text is not None else 0

    @property
    def confidence(self) -> float:
        return self.reading.mean_confidence if self.reading is not None else 1.0


@dataclass(frozen=True)
class RewriteOutcome:
    """The result of a batch. A page that is in neither field is held by another process or was changed meanwhile."""

    done: list[RewrittenPage]
    #: page id → why the page is left as it is
    unreadable: dict[int, str]


@dataclass(frozen=True)
class DiscardTimes:
    """When old tokens and texts are moved to the wastebasket, and when they are purged from it."""

    dropped_at: datetime
    purge_at: datetime


@dataclass(frozen=True)
class _Draft:
    """A page that is encoded but not yet checked or written."""

    change: Change
    tokens: VisionTokens
    #: whether `tokens` are new
    encoded: bool
    #: the cells that the tokens are drawn from; None if they were made from the old tokens
    grid: Cells | None
    #: packed cells that are kept
    text: bytes | None


@dataclass(frozen=True)
class _Drafts:
    """Pages that are encoded, and those that cannot be."""

    drafts: list[_Draft]
    #: page id → why the page is left as it is
    left: dict[int, str]


@dataclass(frozen=True)
class _Grids:
    """The best that the memory holds of pages."""

    #: page id → uint32[rows, columns]
    grids: dict[int, Cells]
    #: page id → why the page cannot be read
    left: dict[int, str]


class Rewriter:
    """Carries out changes in batches. If the process is killed, every page is intact, before or after its change."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def run(
        self, bank_id: int, changes: Sequence[Change], *, discard: DiscardTimes | None = None, pinned: bool = False
    ) -> RewriteOutcome:
        """Carries out changes to pages of one bank; a page that cannot be read stays as it is.

        `discard`: when old tokens and texts go to the wastebasket (None: they are deleted). `pinned`: whether to change
        pinned pages as well.
        """
        with lease_pages(self.database, self.codec, [change.page for change in changes], pinned=pinned) as leased:
            changes = [change for change in changes if change.page.id in leased.ids]
            if not changes:
                return RewriteOutcome([], {})
            rewritten = self._rewrite(changes, leased.contents)
            return RewriteOutcome(self._swap(bank_id, rewritten.done, leased.contents, discard), rewritten.unreadable)

    def expected_tokens(self, page: PageRow, tier: str) -> tuple[int, int]:
        """Expected vision tokens of the page at `tier`, and their bytes. A stream holds at a lower tier what it holds
        now, as far as it fits."""
        layout, spec = PageLayout.from_dict(page.layout), self.codec.tiers[tier]
        rows, columns = token_grid(self.codec, layout, page.rows_used, tier)
        size = expected_bytes(self.codec, layout, page.rows_used, tier)
        if spec.streamed and page.codec == self.codec.name:
            return min(page.vision_tokens, spec.tokens), min(page.token_bytes, spec.bytes_per_page)
        return rows * columns, size

    def can_encode(self, page: PageRow) -> bool:
        """Whether the present codec encodes pages of this layout."""
        return can_draw_for(self.codec, PageLayout.from_dict(page.layout))

    def layout_reason(self) -> str:
        """Why a page for which `can_encode` is False is left as it is."""
        return reasons.other_layout(self.codec.name)

    def _rewrite(self, changes: Sequence[Change], contents: StoredContents) -> RewriteOutcome:
        """The pages after their changes, not yet written."""
        possible = [change for change in changes if not change.new_tokens or self.can_encode(change.page)]
        downscaled = self._downscale(possible, contents)
        best = self._best_grids([change for change in possible if change.page.id not in downscaled], contents)
        encoded = downscaled | self._encode(
            [c for c in possible if c.new_tokens and c.page.id in best.grids], best.grids
        )
        drafted = _drafts(possible, contents, best.grids, encoded)
        to_read = [draft for draft in drafted.drafts if draft.text is None or draft.change.faithful]
        results = self.decoder.read_tokens([draft.tokens for draft in to_read])
        readings = {draft.change.page.id: result for draft, result in zip(to_read, results, strict=True)}
        done: list[RewrittenPage] = []
        left = {change.page.id: self.layout_reason() for change in changes if change not in possible}
        left |= best.left | drafted.left
        for draft in drafted.drafts:
            checked = self._check(draft, readings.get(draft.change.page.id))
            if isinstance(checked, Left):
                left[draft.change.page.id] = checked.reason
            else:
                done.append(checked)
        return RewriteOutcome(done, left)

    def _check(self, draft: _Draft, reading: Reading | CodecError | None) -> RewrittenPage | Left:
        """The page as it is to be written, or why it is left as it is. `reading`: of its tokens, if it is needed."""
        change, tokens, grid = draft.change, draft.tokens, draft.grid
        if isinstance(reading, CodecError):
            return Left(str(reading))
        if reading is not None:
            missing = unreadable_share(reading.cells) if grid is None else missing_share(grid, reading)
            if missing > UNREAD_SHARE:
                return Left(reasons.not_read_back(change.tier))
            if change.faithful and grid is not None and (loss := character_loss(grid, reading)) > MAX_CHARACTER_LOSS:
                return Left(reasons.too_lossy(loss, change.tier))
        blob = tokens.to_bytes() if draft.encoded else None
        return RewrittenPage(change, blob, tokens.count, draft.text, reading if draft.text is None else None)

    def _swap(
        self, bank_id: int, rewritten: Sequence[RewrittenPage], contents: StoredContents, discard: DiscardTimes | None
    ) -> list[RewrittenPage]:
        """Writes the pages that have not been changed meanwhile, and reindexes their messages."""
        for _ in range(ATTEMPTS):
            states = {item.change.page.id: PageState.of(item.reading) for item in rewritten if item.reading is not None}
            terms = self.reindexer.prepare(PageChanges(faded=states.keys(), states=states))
            with self.database.write() as connection:
                changed = pages.changed(connection, [item.change.page for item in rewritten])
                if not changed and self.reindexer.is_current(connection, terms):
                    for item in rewritten:
                        self._write(connection, item, contents[item.change.page.id], discard)
                    self.reindexer.write(connection, bank_id, terms)
                    return list(rewritten)
            rewritten = [item for item in rewritten if item.change.page.id not in changed]
        return []

    def _write(
        self, connection: Connection, item: RewrittenPage, old: PageContent, discard: DiscardTimes | None
    ) -> None:
        """Writes a page; what it had before goes to the wastebasket, if there is a time for that."""
        page = item.change.page
        values: EncodedColumns = {
            "tier": item.change.tier,
            "vision_tokens": item.vision_tokens,
            "token_bytes": item.token_bytes,
            "text_bytes": item.text_bytes,
            "confidence": item.confidence,
            "codec": page.codec if item.blob is None else self.codec.name,
        }
        if pages.swap(connection, page, tokens=item.blob, text=item.text, values=values) and discard is not None:
            wastebasket.drop(
                connection,
                page,
                tokens=old.tokens if item.blob is not None else None,
                text=old.text if item.change.drops_text else None,
                dropped_at=discard.dropped_at,
                purge_at=discard.purge_at,
            )

    def _best_grids(self, changes: Sequence[Change], contents: StoredContents) -> _Grids:
        """The best grid that the memory holds of each page: its kept text, else the reading of its tokens.

        A page that is damaged or cannot be read now is left: it may be intact in a backup, or readable later.
        """
        grids: dict[int, Cells] = {}
        left: dict[int, str] = {}
        to_decode = []
        for page in (change.page for change in changes):
            text = contents[page.id].text
            if text is None:
                to_decode.append(page)
                continue
            try:
                grids[page.id] = unpack_cells(text, PageLayout.from_dict(page.layout).columns)
            except TokensDamaged as error:
                left[page.id] = str(error)
        limits = {c.page.id: MAX_CHARACTER_LOSS if c.faithful else UNREAD_SHARE for c in changes}
        for page_id, state in self.decoder.read(to_decode, contents).items():
            if isinstance(state, Unreadable):
                left[page_id] = str(state)
            elif (share := unreadable_share(state.cells)) > limits[page_id]:
                left[page_id] = reasons.partly_unreadable(share)
            else:
                grids[page_id] = state.cells
        return _Grids(grids, left)

    def _downscale(self, changes: Sequence[Change], contents: StoredContents) -> dict[int, VisionTokens]:
        """Page id → tokens of a lower tier made from the old ones, where the codec can and no text is kept."""
        codec = capabilities_of(self.codec).downscalable
        if codec is None:
            return {}
        downscaled: dict[int, VisionTokens] = {}
        for change in changes:
            page, (blob, text) = change.page, contents[change.page.id]
            if text is not None or tier_rank(change.tier) <= tier_rank(page.tier):
                continue
            try:
                downscaled[page.id] = codec.lower([VisionTokens.from_bytes(blob)], change.tier, [page.rows_used])[0]
            except TokensError:
                continue  # damaged, or written by other weights: reading the page reports which
        return downscaled

    def _encode(self, changes: Sequence[Change], grids: Mapping[int, Cells]) -> dict[int, VisionTokens]:
        """Page id → new tokens of the page, drawn from its grid."""
        by_tier: dict[str, list[PageRow]] = {}
        for change in changes:
            by_tier.setdefault(change.tier, []).append(change.page)
        result: dict[int, VisionTokens] = {}
        for tier, group in by_tier.items():
            images = [draw_page(page, grids[page.id], tier) for page in group]
            for page, tokens in zip(group, self.codec.encode(images, tier), strict=True):
                result[page.id] = tokens
        return result


def _drafts(
    changes: Sequence[Change],
    contents: StoredContents,
    grids: Mapping[int, Cells],
    encoded: Mapping[int, VisionTokens],
) -> _Drafts:
    """The pages of `grids` and `encoded` with their new tokens, or else their old ones."""
    drafts: list[_Draft] = []
    left: dict[int, str] = {}
    for change in changes:
        page_id = change.page.id
        if page_id not in encoded and page_id not in grids:
            continue
        blob, text = contents[page_id]
        try:
            tokens = encoded[page_id] if page_id in encoded else VisionTokens.from_bytes(blob)
        except TokensError as error:  # the text is all there is of the page, so it must not be dropped
            left[page_id] = str(error)
            continue
        kept = None if change.drops_text else text
        drafts.append(_Draft(change, tokens, page_id in encoded, grids.get(page_id), kept))
    return _Drafts(drafts, left)
