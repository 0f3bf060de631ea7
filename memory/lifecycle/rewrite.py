"""Rewriting of sealed pages: lease, draw from the best available reading, encode, read back, compare and swap.

Pages are encoded outside any transaction. Ageing and reencoding differ only in the changes that they request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from foxing.encoder import Codec, CodecError, Reading, TokensError, VisionTokens
from foxing.encoder.alignment.misread import misread_cells
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import UNREAD_SHARE, can_draw_for, expected_bytes, token_grid
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.drawing import Flags, RedrawnPage
from foxing.memory.pages.exact_text import is_self_contained, unpack_text
from foxing.memory.pages.fidelity import (
    MAX_CHARACTER_LOSS,
    MAX_MISREAD,
    character_loss,
    misread_share,
    missing_share,
    unreadable_share,
)
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_encoder import EncodeRequest, PageEncoder
from foxing.memory.pages.page_writer import DiscardTimes, PageWriter, WriteRules
from foxing.memory.pages.ready_page import ChangedPages, PageChange, ReadyPage
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.pages import PageContent, PageRow
from foxing.renderer import PageLayout, tier_rank
from foxing.renderer.page import Cells

from . import reasons
from .changes import Change
from .failed_rewrites import FailedRewriteCache
from .reasons import Refusal

BATCH = 16  # pages leased, encoded and swapped together


@dataclass(frozen=True)
class _Draft:
    """A page that is encoded but not yet checked or written."""

    change: Change
    #: contents before the change
    stored: PageContent
    tokens: VisionTokens
    #: the cells that the tokens show, uint32[rows, columns]; None if the tokens were made from the old ones
    grid: Cells | None
    #: the page as drawn; None if it was not drawn again
    drawn: RedrawnPage | None = None

    @property
    def keeps_text(self) -> bool:
        """True if the page still has its exact text after the change."""
        return self.stored.text is not None and not self.change.drops_text

    @property
    def reading(self) -> Reading | None:
        """Reading of its tokens, if known already."""
        return self.drawn.reading if self.drawn is not None else None

    def misread_in(self, grid: Cells, reading: Reading) -> Flags:
        """Returns bool[rows, columns]: the cells of `grid` that the tokens misread."""
        return misread_cells(grid, reading) if self.drawn is None else self.drawn.misread_in(reading)


@dataclass(frozen=True)
class Rewritten:
    """Pages after their changes, not yet written."""

    pages: ChangedPages
    #: page id → page as drawn, for pages that are drawn again
    drawn: Mapping[int, RedrawnPage]


class Rewriter:
    """Carries out changes in batches. If the process is killed, every page is intact, either before or after its
    change."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer
        self.encoder = PageEncoder(database, decoder, reindexer.index.document_frequencies)
        self.writer = PageWriter(database, reindexer)
        self._failed = FailedRewriteCache()

    @property
    def codec(self) -> Codec:
        """Current codec."""
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
        """Carries out changes to pages of one bank as of `now`. Returns those written, and why other pages were left. A
        page that cannot be read is left unchanged.

        `discard`: when replaced tokens and texts go to the trash (None: they are deleted). `pinned`, `owner`: see
        `PageWriter.change`.
        """
        by_id = {change.page.id: change for change in changes}

        def make(rows: Sequence[PageRow], contents: StoredContents) -> ChangedPages:
            return self._rewrite([by_id[row.id] for row in rows], contents, now).pages

        rows = [change.page for change in changes]
        return self.writer.change(self.codec, rows, make, WriteRules(discard), pinned=pinned, owner=owner)

    def change(self, page: PageRow, tier: str, *, drops_text: bool) -> Change:
        """Returns the change that moves a page to `tier`, or only drops its text there.

        While the text is kept the page does not fade, so its tokens may be incomplete; they are made again when it is
        dropped.
        """
        spec = self.codec.tiers.get(tier)
        fades = drops_text and spec is not None and spec.fades and self.can_encode(page)
        return Change(page, tier, new_tokens=fades or tier != page.tier, drops_text=drops_text)

    def preview(self, changes: Sequence[Change], now: datetime) -> Rewritten:
        """Returns the pages as they would be after their changes at `now`. Writes nothing."""
        with self.database.read() as connection:
            contents = pages.contents(connection, [change.page.id for change in changes])
        return self._rewrite(changes, contents, now)

    def expected_tokens(self, page: PageRow, tier: str) -> tuple[int, int]:
        """Returns the expected vision tokens of the page at `tier`, and their bytes. A stream keeps its size at a lower
        tier, up to the limit of that tier."""
        layout = PageLayout.from_dict(page.layout)
        spec = self.codec.tiers[tier]
        rows, columns = token_grid(self.codec, layout, page.rows_used, tier)
        size = expected_bytes(self.codec, layout, page.rows_used, tier)
        if spec.streamed and page.codec == self.codec.name:
            return min(page.vision_tokens, spec.tokens), min(page.token_bytes, spec.bytes_per_page)
        return rows * columns, size

    def can_encode(self, page: PageRow) -> bool:
        """True if the current codec encodes pages of this layout."""
        return can_draw_for(self.codec, PageLayout.from_dict(page.layout))

    def layout_reason(self) -> str:
        """Returns the reason for leaving a page unchanged for which `can_encode` is False."""
        return reasons.other_layout(self.codec.name)

    def _rewrite(self, changes: Sequence[Change], contents: StoredContents, now: datetime) -> Rewritten:
        """Returns the pages after their changes, not yet written."""
        reasons_by_id = {
            c.page.id: why for c in changes if (why := self._obstacle(c, contents[c.page.id], now)) is not None
        }
        changes = [change for change in changes if change.page.id not in reasons_by_id]
        lower = self._downscale(changes, contents)
        states = self._best_states(
            [change for change in changes if change.page.id not in lower], contents, reasons_by_id
        )
        drawn = self._draw([c for c in changes if c.new_tokens and c.page.id in states], states, contents, now)
        drafts: list[_Draft] = []
        for change in changes:
            page_id = change.page.id
            stored = contents[change.page.id]
            if (page := drawn.get(page_id)) is not None:
                drafts.append(_Draft(change, stored, page.tokens, page.cells, page))
            elif page_id in lower:
                drafts.append(_Draft(change, stored, lower[page_id], None))
            elif page_id in states:
                try:
                    drafts.append(_Draft(change, stored, unpack_tokens(stored.tokens), states[page_id].cells))
                except TokensError as error:  # the text is the only copy, so it must not be dropped
                    reasons_by_id[page_id] = str(error)
        return Rewritten(self._checked(drafts, now, reasons_by_id), drawn)

    def _obstacle(self, change: Change, stored: PageContent, now: datetime) -> str | None:
        """Returns a reason to leave the page unchanged that is known without reading it; None if there is none."""
        if not change.faithful and any(isinstance(part, MissingBlob) for part in stored):
            return reasons.MISSING  # not recoverable once its reference is deleted
        failed = None if change.faithful else self._failed.reason(change, now)
        if failed is None and change.new_tokens and not self.can_encode(change.page):
            return self.layout_reason()
        return failed

    def _checked(self, drafts: Sequence[_Draft], now: datetime, reasons_by_id: dict[int, str]) -> ChangedPages:
        """Returns the pages to write. Adds the reasons for others to `reasons_by_id`."""
        readings = self._readings(drafts)
        ready: list[PageChange] = []
        for draft in drafts:
            page = draft.change.page
            checked = self._check(draft, readings.get(page.id))
            if isinstance(checked, ReadyPage):
                ready.append(PageChange(page, [checked], draft.stored))
                continue
            reasons_by_id[page.id] = checked.reason
            if checked.persistent:
                self._failed.add(draft.change, now, checked.reason)
        return ChangedPages(ready, reasons_by_id)

    def _readings(self, drafts: Sequence[_Draft]) -> dict[int, Reading | CodecError]:
        """Returns page id → reading of the draft's tokens, where it is needed."""
        needed = [d for d in drafts if not d.keeps_text or d.change.faithful or self._is_streamed(d)]
        read = self.decoder.read_tokens([draft.tokens for draft in needed], [draft.reading for draft in needed])
        return {draft.change.page.id: reading for draft, reading in zip(needed, read, strict=True)}

    def _is_streamed(self, draft: _Draft) -> bool:
        """True if the reading of the tokens determines how the exact text is stored."""
        return self.codec.tiers[draft.change.tier].streamed

    def _check(self, draft: _Draft, read: Reading | CodecError | None) -> ReadyPage | Refusal:
        """Returns the page to write, or why it is left unchanged. `read`: reading of its tokens, if needed."""
        change = draft.change
        tokens = draft.tokens
        grid = draft.grid
        if isinstance(read, CodecError):
            return Refusal(str(read))
        if read is not None and (change.faithful or not draft.keeps_text):
            refusal = _refusal(draft, read)
            if refusal is not None:
                return refusal
        row = replace(change.page, tier=change.tier)
        parts = None
        if draft.drawn is not None:
            row = draft.drawn.row(row)
            parts = draft.drawn.parts
        if read is None or (draft.keeps_text and grid is not None):
            assert grid is not None
            return ReadyPage.exact(row, tokens, grid, read if self._is_streamed(draft) else None)
        misread = None if grid is None else draft.misread_in(grid, read)
        is_new = grid is None or draft.drawn is not None
        return ReadyPage.decoded(row, tokens, read, misread, blob=None if is_new else draft.stored.tokens, parts=parts)

    def _best_states(
        self, changes: Sequence[Change], contents: StoredContents, reasons_by_id: dict[int, str]
    ) -> dict[int, PageState]:
        """Returns page id → the best reading of the page: its kept text, else its tokens.

        A page that is damaged or cannot be read now is added to `reasons_by_id`: a backup may hold it intact, or it may
        be readable later.
        """
        states: dict[int, PageState] = {}
        to_decode = []
        for page in (change.page for change in changes):
            text = contents[page.id].text
            if text is None or not is_self_contained(text):
                to_decode.append(page)
                continue
            try:
                cells = unpack_text(text, PageLayout.from_dict(page.layout).columns)
                states[page.id] = PageState.kept(page.tier, cells)
            except TokensDamaged as error:
                reasons_by_id[page.id] = str(error)
        limits = {c.page.id: MAX_CHARACTER_LOSS if c.faithful else UNREAD_SHARE for c in changes}
        for page_id, state in self.decoder.read(to_decode, contents).items():
            if isinstance(state, Unreadable):
                reasons_by_id[page_id] = str(state)
            elif state.source != "text" and (share := unreadable_share(state.cells)) > limits[page_id]:
                reasons_by_id[page_id] = reasons.partly_unreadable(share)
            else:
                states[page_id] = state
        return states

    def _downscale(self, changes: Sequence[Change], contents: StoredContents) -> dict[int, VisionTokens]:
        """Returns page id → tokens of a lower tier made from the old ones, where the codec supports it and no text is
        kept."""
        codec = capabilities_of(self.codec).downscalable
        if codec is None:
            return {}
        downscaled: dict[int, VisionTokens] = {}
        for change in changes:
            page = change.page
            blob, text = contents[page.id]
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
        """Returns page id → page as drawn and encoded at its tier.

        It fades unless its text is kept, which is then read instead of the tokens, or the change must be faithful.
        """
        requests = []
        for change in changes:
            page = change.page
            fades = not change.faithful and (change.drops_text or contents[page.id].text is None)
            requests.append(EncodeRequest(page, change.tier, states[page.id], fades))
        return self.encoder.encode(requests, now)


def _refusal(draft: _Draft, reading: Reading) -> Refusal | None:
    """Returns the reason for leaving the page of `draft` unchanged, whose tokens read as `reading`; None if there is
    none."""
    change = draft.change
    grid = draft.grid
    missing = unreadable_share(reading.cells) if grid is None else missing_share(grid, reading)
    if missing > UNREAD_SHARE:
        return Refusal(reasons.not_read_back(change.tier))
    if grid is None:
        return None
    loss = character_loss(grid, reading)
    if change.faithful and loss > MAX_CHARACTER_LOSS:
        return Refusal(reasons.too_lossy(loss, change.tier))
    if not change.faithful or draft.stored.text is not None:
        before = None if draft.drawn is None else draft.drawn.misread
        loss = misread_share(grid, draft.misread_in(grid, reading), before)
        if loss > MAX_MISREAD:
            return Refusal(reasons.misread(loss, change.tier), persistent=not change.faithful)
    return None
