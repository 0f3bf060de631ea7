"""Writing sealed pages anew: leased, drawn from the best that the memory still has of them, encoded outside any
transaction, compared and swapped. Ageing and reencoding differ only in what they ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from foxing.encoder import (
    UNREAD_SHARE,
    Codec,
    Reading,
    TokensError,
    VisionTokens,
    can_draw_for,
    capabilities_of,
    expected_bytes,
)
from foxing.memory.errors import TokensDamaged, Unreadable
from foxing.memory.pages.content import PageState, unpack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.recall.indexing import read_ahead, reindex
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import pages, wastebasket
from foxing.memory.storage.repositories.pages import EncodedColumns, PageRow
from foxing.renderer import Cells, PageLayout, render, tier_rank

from .fidelity import MOST_LOST, lost, nothing_read, roomier, too_little, too_much, unread_share, unseen_share
from .leases import Contents, lease_pages

BATCH = 8  # pages leased, encoded and swapped together


@dataclass(frozen=True)
class Change:
    """What is to become of a page: `new_tokens` at `tier`, or those it has; its exact text dropped, or not. With
    `faithful` new tokens must read as the page did before: where those of the usual size do not, larger ones are
    written, and where no size will do, the page stays as it is."""

    page: PageRow
    tier: str
    new_tokens: bool
    drops_text: bool = False
    faithful: bool = False


@dataclass(frozen=True)
class Rewritten:
    """A page as it is after its change. `blob`: new tokens, None where the old ones stay; `reading`: what they say,
    None while the text is kept."""

    change: Change
    blob: bytes | None
    vision_tokens: int
    text: bytes | None
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
class Outcome:
    """What came of a batch. `unreadable`: page id → why it was left as it is. A page in neither was in the hands of
    another process, or was changed meanwhile."""

    done: list[Rewritten]
    unreadable: dict[int, str]


@dataclass(frozen=True)
class Waste:
    """When what the pages lose goes into the wastebasket, and when it is purged from there."""

    dropped_at: datetime
    purge_at: datetime


class Rewriter:
    """Carries changes out, a batch at a time. Killed at any point, every page is whole, before its change or after."""

    def __init__(self, database: Database, decoder: PageDecoder, assembler: MessageAssembler) -> None:
        self.database = database
        self.decoder = decoder
        self.assembler = assembler

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def run(
        self, bank_id: int, changes: Sequence[Change], *, waste: Waste | None = None, pinned: bool = False
    ) -> Outcome:
        """Leases, encodes and swaps pages of one bank. `waste`: where old tokens and texts go, None to let go of them;
        `pinned`: whether pinned pages are changed as well. A page that cannot be read stays as it is."""
        with lease_pages(self.database, self.codec, [change.page for change in changes], pinned=pinned) as ours:
            changes = [change for change in changes if change.page.id in ours.ids]
            if not changes:
                return Outcome([], {})
            rewritten, unreadable = self._rewritten(changes, ours.contents)
            return Outcome(self._swap(bank_id, rewritten, ours.contents, waste), unreadable)

    def expected_token_bytes(self, page: PageRow, tier: str) -> int:
        """Bytes that new tokens of the page would take at `tier`."""
        return expected_bytes(self.codec, PageLayout.from_dict(page.layout), page.rows_used, tier)

    def _rewritten(self, changes: Sequence[Change], contents: Contents) -> tuple[list[Rewritten], dict[int, str]]:
        """The pages as they will be; why the others cannot be read."""
        foreign = {c.page.id: self.other_layout() for c in changes if c.new_tokens and not self.drawable(c.page)}
        changes = [change for change in changes if change.page.id not in foreign]
        new = self._lowered(changes, contents)
        grids, unreadable = self._best_grids([c for c in changes if c.page.id not in new], contents)
        unreadable |= foreign
        new |= self._encode([change for change in changes if change.new_tokens and change.page.id in grids], grids)
        tokens: dict[int, VisionTokens] = dict(new)
        for change in changes:
            page = change.page
            if page.id in grids and not change.new_tokens:
                try:  # what can only be read from its text must not lose it
                    tokens[page.id] = VisionTokens.from_bytes(contents[page.id][0])
                except TokensError as error:
                    unreadable[page.id] = str(error)
        changes = [change for change in changes if change.page.id in tokens]
        texts = {c.page.id: None if c.drops_text else contents[c.page.id][1] for c in changes}
        to_read = [c.page.id for c in changes if texts[c.page.id] is None or c.faithful]
        readings = dict(zip(to_read, self.decoder.read_tokens([tokens[i] for i in to_read]), strict=True))
        rewritten = []
        for change in changes:
            page_id = change.page.id
            reading = readings.get(page_id)
            if reading is not None and not isinstance(reading, Reading):
                unreadable[page_id] = str(reading)
                continue
            if reading is not None and self._says_nothing(grids.get(page_id), reading):
                unreadable[page_id] = nothing_read(change.tier)
                continue
            if change.faithful and reading is not None and (share := lost(grids[page_id], reading)) > MOST_LOST:
                found = self._roomier(change, grids[page_id])
                if found is None:
                    unreadable[page_id] = too_much(share, change.tier)
                    continue
                new[page_id], reading = found
            blob = new[page_id].to_bytes() if page_id in new else None
            read = reading if texts[page_id] is None else None
            rewritten.append(Rewritten(change, blob, tokens[page_id].count, texts[page_id], read))
        return rewritten, unreadable

    @staticmethod
    def _says_nothing(grid: Cells | None, reading: Reading) -> bool:
        """Whether too little was read. `grid`: what stands on the page, where it is known."""
        share = unread_share(reading.cells) if grid is None else unseen_share(grid, reading)
        return share > UNREAD_SHARE

    def drawable(self, page: PageRow) -> bool:
        """Whether the present codec encodes pages of this one's layout."""
        return can_draw_for(self.codec, PageLayout.from_dict(page.layout))

    def other_layout(self) -> str:
        """Why a page that is not `drawable` stays as it is."""
        return f"this page was laid out for another codec than '{self.codec.name}'; move it by foxing reencode"

    def _swap(
        self, bank_id: int, rewritten: Sequence[Rewritten], contents: Contents, waste: Waste | None
    ) -> list[Rewritten]:
        """Writes the pages that nobody else changed meanwhile, and what the memory can still read of them."""
        faded = {item.change.page.id: PageState.of(item.reading) for item in rewritten if item.reading is not None}
        with self.database.read() as connection:
            read_ahead(connection, self.assembler, pages.messages_on(connection, faded), faded)
        done: list[Rewritten] = []
        with self.database.write() as connection:
            for item in rewritten:
                page, old = item.change.page, contents[item.change.page.id]
                values: EncodedColumns = {
                    "tier": item.change.tier,
                    "vision_tokens": item.vision_tokens,
                    "token_bytes": item.token_bytes,
                    "text_bytes": item.text_bytes,
                    "confidence": item.confidence,
                    "codec": page.codec if item.blob is None else self.codec.name,
                }
                if not pages.swap(connection, page, tokens=item.blob, text=item.text, values=values):
                    faded.pop(page.id, None)
                    continue
                if waste is not None:
                    wastebasket.drop(
                        connection,
                        page,
                        tokens=old[0] if item.blob is not None else None,
                        text=old[1] if item.change.drops_text else None,
                        dropped_at=waste.dropped_at,
                        purge_at=waste.purge_at,
                    )
                done.append(item)
            reindex(connection, bank_id, self.assembler, pages.messages_on(connection, faded), faded)
        return done

    def _best_grids(self, changes: Sequence[Change], contents: Contents) -> tuple[dict[int, Cells], dict[int, str]]:
        """The best image the memory still has of each page, as a grid: kept text, else what the tokens say. Pages that
        are damaged or cannot be read are left out, with the reason: a backup may still have them whole, and a reader
        that failed may read them another time."""
        grids: dict[int, Cells] = {}
        unreadable: dict[int, str] = {}
        faded = []
        most = {change.page.id: MOST_LOST if change.faithful else UNREAD_SHARE for change in changes}
        for page in (change.page for change in changes):
            text = contents[page.id][1]
            if text is None:
                faded.append(page)
                continue
            try:
                grids[page.id] = unpack_cells(text, PageLayout.from_dict(page.layout).columns)
            except TokensDamaged as error:
                unreadable[page.id] = str(error)
        for page_id, state in self.decoder.read(faded, contents).items():
            if isinstance(state, Unreadable):
                unreadable[page_id] = str(state)
            elif (share := unread_share(state.cells)) > most[page_id]:
                unreadable[page_id] = too_little(share)
            else:
                grids[page_id] = state.cells
        return grids, unreadable

    def _lowered(self, changes: Sequence[Change], contents: Contents) -> dict[int, VisionTokens]:
        """New tokens of the pages whose old tokens are the best image that the memory has of them."""
        codec = capabilities_of(self.codec).downscalable
        if codec is None:
            return {}
        lowered: dict[int, VisionTokens] = {}
        for change in changes:
            page, (blob, text) = change.page, contents[change.page.id]
            if text is not None or tier_rank(change.tier) <= tier_rank(page.tier):
                continue
            try:
                lowered[page.id] = codec.lower([VisionTokens.from_bytes(blob)], change.tier, [page.rows_used])[0]
            except TokensError:
                continue  # damaged or of other weights: reading them says what is wrong
        return lowered

    def _encode(self, changes: Sequence[Change], grids: Mapping[int, Cells]) -> dict[int, VisionTokens]:
        by_tier: dict[str, list[PageRow]] = {}
        for change in changes:
            by_tier.setdefault(change.tier, []).append(change.page)
        result: dict[int, VisionTokens] = {}
        for tier, group in by_tier.items():
            images = [render(grids[p.id][: p.rows_used], PageLayout.from_dict(p.layout), tier) for p in group]
            for page, tokens in zip(group, self.codec.encode(images, tier), strict=True):
                result[page.id] = tokens
        return result

    def _roomier(self, change: Change, grid: Cells) -> tuple[VisionTokens, Reading] | None:
        page = change.page
        image = render(grid[: page.rows_used], PageLayout.from_dict(page.layout), change.tier)
        return roomier(self.decoder, image, change.tier, grid)
