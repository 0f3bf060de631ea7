"""Rewriting sealed pages: lease, draw from the best that the memory holds, encode, read back, compare and swap.

Encoding happens outside any transaction. Ageing and reencoding differ only in the changes that they request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from foxing.encoder import (
    UNREAD_SHARE,
    Codec,
    CodecError,
    PageDrawer,
    Reading,
    TokensError,
    VisionTokens,
    can_draw_for,
    capabilities_of,
    expected_bytes,
    known_misread,
    misread_cells,
    token_grid,
    with_misread,
)
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import Flags, RedrawnPage, fetch_stored_pages, known_misread_cells, redraw
from foxing.memory.pages.exact_text import pack_text, stands_alone, unpack_text
from foxing.memory.pages.fidelity import (
    MAX_CHARACTER_LOSS,
    MAX_MISREAD,
    character_loss,
    misread_share,
    missing_share,
    unreadable_share,
)
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_writer import DiscardTimes, PageWriter, WriteRules
from foxing.memory.pages.ready_page import ChangedPages, PageChange, ReadyPage
from foxing.memory.pages.view import draw_page
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.pages import PageContent, PageRow
from foxing.memory.telemetry import step
from foxing.renderer import Cells, PageLayout, tier_rank

from . import reasons
from .changes import Change
from .failed_rewrites import FailedRewriteCache
from .reasons import Left

BATCH = 16  # pages leased, encoded and swapped together


@dataclass(frozen=True)
class _Draft:
    """A page that is encoded but not yet checked or written."""

    change: Change
    tokens: VisionTokens
    #: the page as it is drawn; None if its old tokens stay, or new ones were made from them
    drawn: RedrawnPage | None
    #: whether `tokens` are new
    encoded: bool
    #: what was kept of its exact text, if it stays
    text: bytes | None
    #: the cells that the tokens show, uint32[rows, columns], where they are known
    grid: Cells | None
    #: whether `grid` is of exact text
    from_text: bool

    @property
    def reading(self) -> Reading | None:
        """Of its tokens, where it is known already."""
        return self.drawn.reading if self.drawn is not None else None


@dataclass(frozen=True)
class _Drafts:
    """Pages that are encoded, and those that cannot be."""

    drafts: list[_Draft]
    #: page id → why the page is left as it is
    left: dict[int, str]


@dataclass(frozen=True)
class _Best:
    """The best that the memory holds of pages."""

    states: dict[int, PageState]
    #: page id → why the page cannot be read
    left: dict[int, str]


@dataclass(frozen=True)
class Rewritten:
    """Pages after their changes, not yet written."""

    pages: ChangedPages
    #: page id → the page as it is drawn, for those that are drawn again
    drawn: Mapping[int, RedrawnPage]


class Rewriter:
    """Carries out changes in batches. If the process is killed, every page is intact, before or after its change."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer
        self.writer = PageWriter(database, reindexer)
        self._failed = FailedRewriteCache()

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def run(
        self,
        changes: Sequence[Change],
        now: datetime,
        *,
        discard: DiscardTimes | None = None,
        pinned: bool = False,
        owner: str | None = None,
    ) -> ChangedPages:
        """Carries out changes to pages of one bank as of `now`; a page that cannot be read stays as it is.

        `discard`: when old tokens and texts go to the trash (None: they are deleted). `pinned`, `owner`: see
        `PageWriter.change`.
        """
        by_id = {change.page.id: change for change in changes}

        def make(rows: Sequence[PageRow], contents: StoredContents) -> ChangedPages:
            return self._rewrite([by_id[row.id] for row in rows], contents, now).pages

        rows = [change.page for change in changes]
        return self.writer.change(self.codec, rows, make, WriteRules(discard), pinned=pinned, owner=owner)

    def change(self, page: PageRow, tier: str, *, drops_text: bool) -> Change:
        """Moving a page to `tier`, or only dropping its text there.

        While a page keeps its text nothing of it fades, so that its tokens may hold less than they could; they are made
        anew when the text goes.
        """
        spec = self.codec.tiers.get(tier)
        fades = drops_text and spec is not None and spec.fades and self.can_encode(page)
        return Change(page, tier, new_tokens=fades or tier != page.tier, drops_text=drops_text)

    def preview(self, changes: Sequence[Change], now: datetime) -> Rewritten:
        """The pages as they would be after their changes at `now`. Nothing is written."""
        with self.database.read() as connection:
            contents = pages.contents(connection, [change.page.id for change in changes])
        return self._rewrite(changes, contents, now)

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

    def _rewrite(self, changes: Sequence[Change], contents: StoredContents, now: datetime) -> Rewritten:
        """The pages after their changes, not yet written."""
        refused = {c.page.id: why for c in changes if (why := self._failed.reason(c, now)) and not c.faithful}
        refused |= {c.page.id: reasons.MISSING for c in changes if not c.faithful and _lacks(contents[c.page.id])}
        changes = [change for change in changes if change.page.id not in refused]
        possible = [change for change in changes if not change.new_tokens or self.can_encode(change.page)]
        downscaled = self._downscale(possible, contents)
        best = self._best_states([change for change in possible if change.page.id not in downscaled], contents)
        redrawn = [change for change in possible if change.new_tokens and change.page.id in best.states]
        drawn = self._draw(redrawn, best.states, contents, now)
        drafted = _drafts(possible, contents, best.states, drawn, downscaled)
        readings = self._readings(drafted.drafts)
        ready: list[PageChange] = []
        left = {change.page.id: self.layout_reason() for change in changes if change not in possible}
        left |= best.left | drafted.left | refused
        for draft in drafted.drafts:
            checked = self._check(draft, contents, readings.get(draft.change.page.id))
            if isinstance(checked, Left):
                left[draft.change.page.id] = checked.reason
                if checked.lasts:
                    self._failed.add(draft.change, now, checked.reason)
            else:
                ready.append(checked)
        return Rewritten(ChangedPages(ready, left), drawn)

    def _readings(self, drafts: Sequence[_Draft]) -> dict[int, Reading | CodecError]:
        """Page id → what the tokens of a draft read as, for those where it is needed."""
        needed = [draft for draft in drafts if draft.text is None or draft.change.faithful or self._verifies(draft)]
        known = {draft.change.page.id: draft.reading for draft in needed if draft.reading is not None}
        unread = [draft for draft in needed if draft.reading is None]
        results = self.decoder.read_tokens([draft.tokens for draft in unread])
        return known | {draft.change.page.id: result for draft, result in zip(unread, results, strict=True)}

    def _verifies(self, draft: _Draft) -> bool:
        """Whether what new tokens read as decides what is kept of the exact text."""
        return draft.encoded and draft.text is not None and self.codec.tiers[draft.change.tier].streamed

    def _check(self, draft: _Draft, contents: StoredContents, read: Reading | CodecError | None) -> PageChange | Left:
        """The page as it is to be written, or why it is left as it is. `read`: of its tokens, if it is needed."""
        change, tokens, grid = draft.change, draft.tokens, draft.grid
        if isinstance(read, CodecError):
            return Left(str(read))
        reading = read if draft.text is None or change.faithful else None
        if reading is not None and (refusal := _refusal(draft, reading)) is not None:
            return refusal
        text = draft.text
        if text is not None and draft.encoded and grid is not None:
            text = pack_text(grid, read if self._verifies(draft) else None)
        if text is None and reading is not None and grid is not None:
            tokens = with_misread(tokens, _misread(draft, grid, reading))
            reading = known_misread(reading, tokens)
        stored = contents[change.page.id]
        row, parts = replace(change.page, tier=change.tier), None
        if draft.drawn is not None:
            row, parts = draft.drawn.row(row), draft.drawn.parts
        blob = stored.tokens if not draft.encoded and tokens == draft.tokens else None
        page = ReadyPage.of(row, tokens, text, reading=reading if text is None else None, blob=blob, parts=parts)
        return PageChange(change.page, [page], stored)

    def _best_states(self, changes: Sequence[Change], contents: StoredContents) -> _Best:
        """The best that the memory holds of each page: its kept text, else the reading of its tokens.

        A page that is damaged or cannot be read now is left: it may be intact in a backup, or readable later.
        """
        states: dict[int, PageState] = {}
        left: dict[int, str] = {}
        to_decode = []
        for page in (change.page for change in changes):
            text = contents[page.id].text
            if text is None or not stands_alone(text):
                to_decode.append(page)
                continue
            try:
                cells = unpack_text(text, PageLayout.from_dict(page.layout).columns)
                states[page.id] = PageState.kept(page.tier, cells)
            except TokensDamaged as error:
                left[page.id] = str(error)
        limits = {c.page.id: MAX_CHARACTER_LOSS if c.faithful else UNREAD_SHARE for c in changes}
        for page_id, state in self.decoder.read(to_decode, contents).items():
            if isinstance(state, Unreadable):
                left[page_id] = str(state)
            elif state.source != "text" and (share := unreadable_share(state.cells)) > limits[page_id]:
                left[page_id] = reasons.partly_unreadable(share)
            else:
                states[page_id] = state
        return _Best(states, left)

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
                tokens = unpack_tokens(blob)
                lower = codec.lower([tokens], change.tier, [page.rows_used])[0]
                downscaled[page.id] = replace(lower, misread=tokens.misread)
            except TokensError:
                continue  # damaged, or written by other weights: reading the page reports which
        return downscaled

    def _draw(
        self, changes: Sequence[Change], states: Mapping[int, PageState], contents: StoredContents, now: datetime
    ) -> dict[int, RedrawnPage]:
        """Page id → the page as it is drawn at its tier, from its state.

        It fades unless its text stays, which is then what is read, or it has to read as before.
        """
        by_tier: dict[tuple[str, bool], list[PageRow]] = {}
        for change in changes:
            fades = not change.faithful and (change.drops_text or contents[change.page.id].text is None)
            by_tier.setdefault((change.tier, fades), []).append(change.page)
        result: dict[int, RedrawnPage] = {}
        for (tier, fades), group in by_tier.items():
            if fades:
                frequencies = self.reindexer.index.document_frequencies
                with self.database.read() as connection:
                    stored = fetch_stored_pages(connection, group, states, frequencies, now)
                with step("draw", pages=len(group), tier=tier):
                    drawn = redraw(PageDrawer(self.codec), stored, tier)
            else:
                grids = [states[page.id].cells[: page.rows_used] for page in group]
                images = [draw_page(page, grid, tier) for page, grid in zip(group, grids, strict=True)]
                with step("encode", pages=len(group), tier=tier):
                    encoded = zip(grids, self.codec.encode(images, tier), strict=True)
                drawn = [
                    RedrawnPage(grid, tokens, None, (), None, known_misread_cells(states[page.id], grid))
                    for page, (grid, tokens) in zip(group, encoded, strict=True)
                ]
            result |= {page.id: item for page, item in zip(group, drawn, strict=True)}
        return result


def _lacks(content: PageContent) -> bool:
    """Whether a part of a page is missing, which nothing could bring back once its reference is gone."""
    return any(isinstance(part, MissingBlob) for part in content)


def _refusal(draft: _Draft, reading: Reading) -> Left | None:
    """Why the page of `draft`, whose tokens read as `reading`, is left as it is; None if it is not."""
    change, grid = draft.change, draft.grid
    missing = unreadable_share(reading.cells) if grid is None else missing_share(grid, reading)
    if missing > UNREAD_SHARE:
        return Left(reasons.not_read_back(change.tier))
    if grid is None:
        return None
    loss = character_loss(grid, reading)
    if change.faithful and loss > MAX_CHARACTER_LOSS:
        return Left(reasons.too_lossy(loss, change.tier))
    if not change.faithful or draft.from_text:
        before = None if draft.drawn is None else draft.drawn.misread
        loss = misread_share(grid, _misread(draft, grid, reading), before)
        if loss > MAX_MISREAD:
            return Left(reasons.misread(loss, change.tier), lasts=not change.faithful)
    return None


def _misread(draft: _Draft, grid: Cells, reading: Reading) -> Flags:
    """bool[rows, columns]: the cells of the page of `draft` that read wrong."""
    return misread_cells(grid, reading) if draft.drawn is None else draft.drawn.misread_in(reading)


def _drafts(
    changes: Sequence[Change],
    contents: StoredContents,
    states: Mapping[int, PageState],
    drawn: Mapping[int, RedrawnPage],
    downscaled: Mapping[int, VisionTokens],
) -> _Drafts:
    """The pages of `states` and `downscaled` with their new tokens, or else their old ones."""
    drafts: list[_Draft] = []
    left: dict[int, str] = {}
    for change in changes:
        page_id = change.page.id
        if page_id not in states and page_id not in downscaled:
            continue
        blob, text = contents[page_id]
        kept, exact = None if change.drops_text else text, text is not None
        if page_id in drawn:
            item = drawn[page_id]
            drafts.append(_Draft(change, item.tokens, item, True, kept, item.cells, exact))
        elif page_id in downscaled:
            drafts.append(_Draft(change, downscaled[page_id], None, True, kept, None, exact))
        else:
            try:
                tokens = unpack_tokens(blob)
            except TokensError as error:  # the text is all there is of the page, so it must not be dropped
                left[page_id] = str(error)
                continue
            drafts.append(_Draft(change, tokens, None, False, kept, states[page_id].cells, exact))
    return _Drafts(drafts, left)
