"""Undo: pages as they were before ageing changed them, from what the trash still holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection

from foxing.encoder import CodecError, Reading, TokensError, VisionTokens
from foxing.memory.errors import Forgotten, TokensDamaged
from foxing.memory.index.indexing import PageChanges, Reindexer
from foxing.memory.pages.assembler import PageDraft
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.exact_text import exact_cells, stands_alone
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages, trash
from foxing.memory.storage.repositories.pages import (
    KeepsakeRow,
    NewParts,
    PageContent,
    PageRow,
    SpanRow,
    TypesetColumns,
)
from foxing.memory.storage.repositories.trash import DroppedPage, DroppedParts, Entry
from foxing.memory.values.reports import PageLeft, PageRestored, UndoReport
from foxing.renderer import PageLayout, Progress

from .leases import lease_pages
from .rewrite import ATTEMPTS, BATCH


class RestoredColumns(TypesetColumns):
    """Columns that undo sets; see `PageRow`."""

    pinned: bool


@dataclass(frozen=True)
class _Before:
    """A page as it was before ageing changed it, as far as it can be restored."""

    page: PageRow
    #: what is taken out of the trash, the first that was dropped first
    entries: Sequence[Entry]
    blob: bytes
    tokens: VisionTokens
    text: bytes | None
    parts: DroppedParts
    #: what it reads as
    state: PageState
    #: mean confidence of that; 1 for exact text
    confidence: float

    @property
    def draft(self) -> PageDraft:
        """The page for the index."""
        page = replace(self.page, tier=self.tier, rows_used=self.parts.rows_used)
        spans = [SpanRow(page_id=page.id, **span) for span in self.parts.spans]
        keepsakes = [KeepsakeRow(page_id=page.id, **keepsake) for keepsake in self.parts.keepsakes]
        return PageDraft(page, spans, keepsakes, self.state)

    @property
    def tier(self) -> str:
        return self.entries[0].tier

    def columns(self) -> RestoredColumns:
        page = self.page
        return {
            "tier": self.tier,
            "codec": self.tokens.codec,
            "vision_tokens": self.tokens.count,
            "token_bytes": len(self.blob),
            "text_bytes": 0 if self.text is None else len(self.text),
            "text_kept": self.text is not None,
            "confidence": self.confidence,
            "layout": page.layout,
            "rows_used": self.parts.rows_used,
            "first_at": page.first_at,
            "last_at": page.last_at,
            "messages": page.messages,
            "pinned": True,
        }

    def report(self) -> PageRestored:
        page, text = self.page, 0 if self.text is None else len(self.text)
        return PageRestored.model_validate(
            {
                "page_id": page.key,
                "from_tier": page.tier,
                "to_tier": self.tier,
                "messages": page.messages,
                "text_restored": self.text is not None and not page.text_kept,
                "dropped_at": self.entries[0].dropped_at,
                "vision_tokens_before": page.vision_tokens,
                "vision_tokens_after": self.tokens.count,
                "bytes_before": page.token_bytes + page.text_bytes,
                "bytes_after": len(self.blob) + text,
            }
        )


@dataclass
class _Result:
    """What came of the pages of a bank."""

    restored: list[PageRestored] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    #: page key → why the page is left as it is
    unreadable: dict[str, str] = field(default_factory=dict)


class Undoer:
    """Restores what ageing dropped."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer

    def undo(
        self,
        bank_name: str,
        now: datetime,
        *,
        since: datetime | None = None,
        page_key: str | None = None,
        progress: Progress | None = None,
    ) -> UndoReport:
        """See `Memory.undo`. If the process is killed, every page is intact, as it was or restored, and the next call
        does what is left."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            page = None if page_key is None else pages.get(connection, bank.id, page_key)
            found = trash.entries(connection, bank.id, None if page is None else page.id)
        chains = {i: chain for i, entries in found.items() if (chain := _restorable(entries, now, since))}
        result, ids = _Result(), sorted(chains)
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            self._restore(bank.id, {i: chains[i] for i in batch}, result)
            if progress is not None:
                progress(min(start + BATCH, len(ids)), len(ids))
        with self.database.read() as connection:
            purged = trash.without_way_back(connection, bank.id, now)
        if page is not None:
            purged = [key for key in purged if key == page.key]
            if purged and not chains:
                raise Forgotten(
                    f"what ageing dropped from page {page.key} was purged after its undo window; only a backup has it"
                )
        return _report(now, result, purged)

    def _restore(self, bank_id: int, chains: Mapping[int, Sequence[Entry]], result: _Result) -> None:
        """Restores some pages of a bank."""
        with self.database.read() as connection:
            rows = list(pages.by_ids(connection, sorted(chains)).values())
        with lease_pages(self.database, self.decoder.load(), rows, pinned=True) as leased:
            ready = [row for row in rows if row.id in leased.ids]
            result.busy += [row.key for row in rows if row.id not in leased.ids]
            before, left = self._before(ready, leased.contents, chains)
            result.unreadable |= left
            written = self._swap(bank_id, before)
        result.restored += [item.report() for item in written]
        done = {item.page.id for item in written}
        result.busy += [item.page.key for item in before if item.page.id not in done]

    def _before(
        self, rows: Sequence[PageRow], contents: StoredContents, chains: Mapping[int, Sequence[Entry]]
    ) -> tuple[list[_Before], dict[str, str]]:
        """The pages as they were, and page key → why one is left as it is."""
        ids = [row.id for row in rows]
        with self.database.read() as connection:
            now = {row.id: trash.parts_of(connection, row) for row in rows}
            dropped = trash.dropped(connection, [entry.id for i in ids for entry in chains[i]])
        unpacked: list[tuple[PageRow, DroppedPage, VisionTokens]] = []
        left: dict[str, str] = {}
        for row in rows:
            try:
                first = _first(contents[row.id], [dropped[entry.id] for entry in chains[row.id]])
                unpacked.append((row, first, unpack_tokens(first.tokens or b"")))
            except KeyError:
                left[row.key] = "what ageing dropped from this page was purged meanwhile"
            except TokensError as error:
                left[row.key] = str(error)
        readings = iter(self.decoder.read_tokens([tokens for _, first, tokens in unpacked if _is_read(first.text)]))
        before = []
        for row, first, tokens in unpacked:
            chain = chains[row.id]
            reading = next(readings) if _is_read(first.text) else None
            try:
                state, confidence = _read(row, chain[0].tier, first.text, reading)
            except (CodecError, TokensDamaged) as error:
                left[row.key] = str(error)
                continue
            parts = now[row.id] if first.parts is None else trash.unpack_parts(first.parts)
            blob = first.tokens or b""
            before.append(_Before(row, chain, blob, tokens, first.text, parts, state, confidence))
        return before, left

    def _swap(self, bank_id: int, before: Sequence[_Before]) -> Sequence[_Before]:
        """Writes the pages that have not been changed meanwhile, and reindexes their messages."""
        for _ in range(ATTEMPTS):
            if not before:
                break
            drafts = [item.draft for item in before]
            ids = [draft.row.id for draft in drafts]
            states = {draft.row.id: draft.state for draft in drafts}
            terms = self.reindexer.prepare(bank_id, PageChanges((), ids, states, drafts, ids, restored=True))
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                changed = pages.changed(connection, [item.page for item in before])
                if not changed and self.reindexer.is_current(connection, terms):
                    for item in before:
                        _write(connection, item)
                    self.reindexer.write(connection, bank_id, terms)
                    return before
            before = [item for item in before if item.page.id not in changed]
        return []


def _restorable(entries: Sequence[Entry], now: datetime, since: datetime | None) -> Sequence[Entry]:
    """The entries of a page that lead back to the first thing that was dropped since then and is not past its undo
    window. What was dropped after that goes with it."""
    latest = list(takewhile(lambda entry: since is None or entry.dropped_at >= since, reversed(entries)))[::-1]
    first = next((n for n, entry in enumerate(latest) if entry.purge_at > now), len(latest))
    return latest[first:]


def _first(content: PageContent, dropped: Sequence[DroppedPage]) -> DroppedPage:
    """A page before all of `dropped`: what a step did not drop, the page had until the next one."""
    first = DroppedPage(content.tokens, content.text)
    for step in reversed(dropped):
        pairs = zip(step, first, strict=True)
        first = DroppedPage(*(later if own is None else own for own, later in pairs))
    return first


def _read(
    page: PageRow, tier: str, text: bytes | None, reading: Reading | CodecError | None
) -> tuple[PageState, float]:
    """What a page reads as, and the mean confidence. Raises `TokensDamaged`, `CodecError`."""
    if _is_read(text) and not isinstance(reading, Reading):
        raise reading or CodecError("its tokens were not read")
    held = reading if isinstance(reading, Reading) else None
    if text is not None:
        return PageState.kept(tier, exact_cells(text, PageLayout.from_dict(page.layout).columns, held)), 1.0
    assert held is not None
    return PageState.of(held), held.mean_confidence


def _is_read(text: bytes | None) -> bool:
    """Whether a page with that text is read from its tokens."""
    return text is None or not stands_alone(text)


def _write(connection: Connection, item: _Before) -> None:
    """Writes a page as it was, and takes what it was restored from out of the trash."""
    page = item.page
    if pages.swap(connection, page, tokens=item.blob, text=item.text, values=item.columns()):
        pages.replace_parts(connection, page, NewParts(item.parts.spans, item.parts.keepsakes))
        trash.remove(connection, [entry.id for entry in item.entries])


def _report(now: datetime, result: _Result, purged: Sequence[str]) -> UndoReport:
    done = result.restored
    return UndoReport(
        now=now,
        restored=done,
        purged=list(purged),
        busy=result.busy,
        unreadable=[PageLeft(page_id=key, reason=reason) for key, reason in result.unreadable.items()],
        vision_tokens_before=sum(page.vision_tokens_before for page in done),
        vision_tokens_after=sum(page.vision_tokens_after for page in done),
        bytes_before=sum(page.bytes_before for page in done),
        bytes_after=sum(page.bytes_after for page in done),
    )
