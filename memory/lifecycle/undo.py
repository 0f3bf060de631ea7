"""Undo: restores pages to their state before ageing, from the contents in the trash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile

from foxing.encoder import CodecError, Reading, TokensError, VisionTokens
from foxing.memory.errors import Forgotten, TokensDamaged
from foxing.memory.pages.content import PageState, StoredContents, unpack_tokens
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.exact_text import exact_cells, is_self_contained
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_writer import PageWriter, WriteRules
from foxing.memory.pages.ready_page import ChangedPages, PageChange, ReadyPage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages, trash
from foxing.memory.storage.repositories.pages import PageContent, PageRow
from foxing.memory.storage.repositories.trash import DroppedPage, TrashEntry
from foxing.memory.values.reports import PageRestored, UndoReport
from foxing.renderer import PageLayout, Progress

from . import reasons
from .changes import size_change, total_sizes
from .rewrite import BATCH


@dataclass
class _Result:
    """Outcome for the pages of a bank."""

    restored: list[PageRestored] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    #: page key → why the page is left unchanged
    unreadable: dict[str, str] = field(default_factory=dict)


class Undoer:
    """Restores contents that ageing dropped."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.writer = PageWriter(database, reindexer)

    def undo(
        self,
        bank_name: str,
        now: datetime,
        *,
        since: datetime | None = None,
        page_key: str | None = None,
        progress: Progress | None = None,
    ) -> UndoReport:
        """Implements `Memory.undo`. Resumable: if the process is killed, every page is intact, either aged or restored,
        and the next call completes the work."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            page = None if page_key is None else pages.get(connection, bank.id, page_key)
            trash_entries = trash.entries(connection, bank.id, None if page is None else page.id)
        chains = {i: chain for i, entries in trash_entries.items() if (chain := _restorable(entries, now, since))}
        result = _Result()
        ids = sorted(chains)
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            self._restore({i: chains[i] for i in batch}, result)
            if progress is not None:
                progress(min(start + BATCH, len(ids)), len(ids))
        with self.database.read() as connection:
            purged = trash.unrestorable_pages(connection, bank.id, now)
        if page is not None:
            purged = [key for key in purged if key == page.key]
            if purged and not chains:
                raise Forgotten(
                    f"the undo window of page {page.key} has passed; its earlier versions are purged, restore a backup"
                )
        return _report(now, result, purged)

    def _restore(self, chains: Mapping[int, Sequence[TrashEntry]], result: _Result) -> None:
        """Restores some pages of a bank and adds the outcome to `result`."""
        with self.database.read() as connection:
            rows = list(pages.by_ids(connection, sorted(chains)).values())

        def make(rows: Sequence[PageRow], contents: StoredContents) -> ChangedPages:
            return self._before(rows, contents, chains)

        changed = self.writer.change(self.decoder.load(), rows, make, WriteRules(restores=True))
        result.restored += [_restored(change, chains[change.page.id][0]) for change in changed.changes]
        done = {change.page.id for change in changed.changes}
        result.unreadable |= {row.key: changed.reasons[row.id] for row in rows if row.id in changed.reasons}
        result.busy += [row.key for row in rows if row.id not in done and row.id not in changed.reasons]

    def _before(
        self, rows: Sequence[PageRow], contents: StoredContents, chains: Mapping[int, Sequence[TrashEntry]]
    ) -> ChangedPages:
        """Returns the pages as they were before ageing, where that can be restored."""
        with self.database.read() as connection:
            dropped = trash.dropped(connection, [entry.id for row in rows for entry in chains[row.id]])
        unpacked: list[tuple[PageRow, DroppedPage, VisionTokens]] = []
        reasons_by_id: dict[int, str] = {}
        for row in rows:
            try:
                first = _first(contents[row.id], [dropped[entry.id] for entry in chains[row.id]])
                unpacked.append((row, first, unpack_tokens(first.tokens or b"")))
            except KeyError:
                reasons_by_id[row.id] = "the earlier versions of this page were purged meanwhile"
            except TokensError as error:
                reasons_by_id[row.id] = str(error)
        readings = iter(self.decoder.read_tokens([tokens for _, first, tokens in unpacked if _is_read(first.text)]))
        changes = []
        for row, first, tokens in unpacked:
            chain = chains[row.id]
            reading = next(readings) if _is_read(first.text) else None
            try:
                before = replace(row, tier=chain[0].tier, facts_faded=chain[0].facts_faded, pinned=True)
                page = _restored_page(before, first, tokens, reading)
            except (CodecError, TokensDamaged) as error:
                reasons_by_id[row.id] = str(error)
                continue
            changes.append(PageChange(row, [page], contents[row.id], [entry.id for entry in chain]))
        return ChangedPages(changes, reasons_by_id)


def _restorable(entries: Sequence[TrashEntry], now: datetime, since: datetime | None) -> Sequence[TrashEntry]:
    """Returns the entries of a page back to the first one that was dropped after `since` and is still within its undo
    window. Later entries are restored with it."""
    latest = list(takewhile(lambda entry: since is None or entry.dropped_at >= since, reversed(entries)))[::-1]
    first = next((n for n, entry in enumerate(latest) if entry.purge_at > now), len(latest))
    return latest[first:]


def _first(content: PageContent, dropped: Sequence[DroppedPage]) -> DroppedPage:
    """Returns the page before all of `dropped`. Contents that a step did not drop are those of the next step."""
    first = DroppedPage(content.tokens, content.text)
    for step in reversed(dropped):
        pairs = zip(step, first, strict=True)
        first = DroppedPage(*(later if own is None else own for own, later in pairs))
    return first


def _restored_page(
    row: PageRow, first: DroppedPage, tokens: VisionTokens, reading: Reading | CodecError | None
) -> ReadyPage:
    """Returns the page as it was. `reading`: reading of its tokens, if it has to be decoded. Raises `TokensDamaged`,
    `CodecError`."""
    if isinstance(reading, CodecError):
        raise reading
    parts = None
    if first.parts is not None:
        rows_used, parts = trash.unpack_parts(row.id, first.parts)
        row = replace(row, rows_used=rows_used)
    if first.text is None and reading is not None:
        return ReadyPage.decoded(row, tokens, reading, blob=first.tokens, parts=parts)
    text = first.text or b""
    state = PageState.kept(row.tier, exact_cells(text, PageLayout.from_dict(row.layout).columns, reading))
    return ReadyPage.of(row, tokens, text, state, blob=first.tokens, parts=parts)


def _is_read(text: bytes | None) -> bool:
    """True if a page with that text is read from its tokens."""
    return text is None or not is_self_contained(text)


def _restored(change: PageChange, first: TrashEntry) -> PageRestored:
    """Returns the report on a page. `first`: the oldest entry that was restored."""
    before = change.page
    after = change.after[0].row
    return PageRestored.model_validate(
        {
            "page_id": before.key,
            "from_tier": before.tier,
            "to_tier": after.tier,
            "messages": before.messages,
            "text_restored": after.text_kept and not before.text_kept,
            "dropped_at": first.dropped_at,
            **size_change(before, after.vision_tokens, after.bytes).model_dump(),
        }
    )


def _report(now: datetime, result: _Result, purged: Sequence[str]) -> UndoReport:
    done = result.restored
    return UndoReport(
        now=now,
        restored=done,
        purged=list(purged),
        busy=result.busy,
        unreadable=reasons.skipped_pages(result.unreadable),
        **total_sizes(done),
    )
