"""Sealing: typesets open messages as pages and encodes them at the fresh tier."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading
from foxing.encoder.alignment.misread import misread_cells
from foxing.encoder.drawing import is_cut
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.fidelity import MAX_MISREAD, misread_share
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_writer import DiscardTimes, PageWriter, WriteRules
from foxing.memory.pages.ready_page import PageChange, ReadyPage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, embeddings, messages, open_messages, trash
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.pages import PageContent, PageRow, unsaved_id
from foxing.memory.telemetry import Value, bank_operation, operation
from foxing.memory.values.policy import Policy, stored_policy
from foxing.memory.values.reports import SealReport
from foxing.renderer import Progress, Typesetter, render
from foxing.renderer.page import Cells

from .drafts import Draft, cells_taken, sealed_parts, typeset_drafts
from .image_texts import ImageTexts

PAGES_AT_ONCE = 8  # typeset, encoded and written together; halved after each conflict
MIN_PAGES_AT_ONCE = 2  # minimum after conflicts: a single page takes nearly as long to encode
ATTEMPTS = 5  # consecutive conflicts with other writers before giving up


class _SealedPage(NamedTuple):
    """A draft and the page encoded from it."""

    draft: Draft
    change: PageChange


@dataclass(frozen=True)
class _Conflict:
    """Cause of a failed write. By default, a page that holds the beginning of one of the messages has changed."""

    #: Ids of messages on the pages that were erased.
    erased: frozenset[int] = frozenset()
    #: True if another process has sealed the bank.
    sealed: bool = False


def _figures(report: SealReport) -> dict[str, Value]:
    return {"pages": report.pages, "messages": report.messages}


class Sealer:
    """Seals the open messages of banks."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer, image_texts: ImageTexts) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer
        self.image_texts = image_texts
        self.writer = PageWriter(database, reindexer)

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.decoder.load()

    @bank_operation("seal", _figures)
    def seal(self, bank_name: str, now: datetime, *, everything: bool, progress: Progress | None = None) -> SealReport:
        """Seals full pages, and with `everything` the remaining messages as well, on a page that is not full. Returns a
        report.

        Pages are encoded outside any transaction. If messages on them are erased meanwhile, only the affected pages are
        encoded again, and fewer pages are encoded at once. If another process seals the same bank, the messages still
        open are typeset again. Raises `NotFound`, `CodecError`.
        """
        page_keys: list[str] = []
        sealed = conflicts = 0
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            total = open_messages.count(connection, bank.id)
            newest = messages.newest_id(
                connection, bank.id
            )  # excludes messages stored meanwhile, or sealing might never end
        #: Pages to write next, in order; a draft still has to be encoded.
        ready: list[_SealedPage | Draft] = []
        at_once = PAGES_AT_ONCE
        while conflicts < ATTEMPTS:
            if not ready:
                with self.database.read() as connection:
                    bank = banks.get(connection, bank_name)
                    chars = 2 * PAGES_AT_ONCE * self.codec.layout.cells
                    waiting = open_messages.up_to(connection, bank.id, chars, newest)
                drafts = typeset_drafts(self._typesetter, waiting, at_once, everything=everything)
                if not drafts:
                    break
                ready += self._encode(bank, drafts, now)
            again = _leading_drafts(ready[:at_once])
            if again:
                ready[: len(again)] = self._encode(bank, again, now)
            encoded = _encoded(ready)
            written = self._write(bank, encoded, now)
            if isinstance(written, _Conflict):
                conflicts += 1
                at_once = max(MIN_PAGES_AT_ONCE, at_once // 2)
                ready = [] if written.sealed else _without(ready, written.erased)
                continue
            sealed += sum(part.complete for part in sealed_parts([page.draft for page in encoded]))
            page_keys += written
            bank = replace(bank, seal_version=bank.seal_version + 1)
            ready = ready[len(encoded) :]
            conflicts = 0
            if progress is not None:
                progress(sealed, max(total, sealed))
        with self.database.read() as connection:
            still_open = open_messages.count(connection, bank.id)
        return SealReport(pages=page_keys, messages=sealed, open_messages=still_open)

    def free_chars(self, connection: Connection, bank_id: int) -> int:
        """Returns how many more characters the open messages of a bank can take before they may fill a page; 0 if they
        may now.

        Headers and full-width characters take additional cells: a quarter as many characters as free cells may fill
        them.
        """
        newest = messages.newest_id(connection, bank_id)
        cells = self.codec.layout.cells
        filled = cells_taken(self._typesetter, open_messages.up_to(connection, bank_id, cells, newest))
        return max(0, -(-(cells - filled) // 4))

    @cached_property
    def _typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, self.codec.repertoire)

    def _write(self, bank: Bank, sealed_pages: Sequence[_SealedPage], now: datetime) -> list[str] | _Conflict:
        """Writes all pages or none. Returns their keys, or the conflict."""
        policy = self._policy(bank)
        drafts = [sealed.draft for sealed in sealed_pages]
        changes = [sealed.change for sealed in sealed_pages]
        parts = sealed_parts(drafts)
        # the index holds all terms of a partly sealed message, even those that have faded on its first pages
        begun = {int(span.message_id) for draft in drafts for span in draft.page.placements if span.char_start}
        keeps_text = policy.keeps_text(policy.fresh)
        faded = {part.message_id for part in parts if part.complete and (not keeps_text or part.message_id in begun)}
        read = self.image_texts.read(bank.id, {part.message_id for part in parts if part.complete})
        terms = self.reindexer.prepare(bank.id, changes, sealed=faded | read)
        scaled = self.writer.images.prepare(bank.id, changes)
        rules = WriteRules(DiscardTimes(now, trash.purge_time(now, policy.undo_window)))
        with self.database.write() as connection:
            banks.lock(connection, bank.id)
            erased = open_messages.missing(connection, {message.id for draft in drafts for message in draft.messages})
            if erased or not self.reindexer.is_current(connection, terms):
                return _Conflict(erased, banks.by_id(connection, bank.id).seal_version != bank.seal_version)
            if not banks.advance_seal_version(connection, bank):
                return _Conflict(sealed=True)
            self.writer.write(connection, bank.id, changes, terms, rules)
            open_messages.mark_sealed(connection, parts)
            self.writer.images.write(connection, bank.id, scaled, purge_at=None)
            self.reindexer.index.compact(connection, bank.id)
            embeddings.pack(connection, bank.id)
        written = [page for change in changes for page in change.after]
        for page in written:
            if page.state is not None:
                self.decoder.keep(page.row, page.state)
        return [page.row.key for page in written]

    def _policy(self, bank: Bank) -> Policy:
        return stored_policy(bank.policy).served_by(self.codec.tiers)

    def _encode(self, bank: Bank, drafts: Sequence[Draft], now: datetime) -> list[_SealedPage]:
        """Encodes the drafts at the policy's fresh tier and reads their tokens back, if that is needed."""
        policy = self._policy(bank)
        tier = policy.fresh
        with operation("encode", pages=len(drafts), tier=tier):
            tokens = self.codec.encode([render(draft.page.cells, draft.page.layout, tier) for draft in drafts], tier)
        keeps = policy.keeps_text(tier)
        streamed = self.codec.tiers[tier].streamed
        results = self.decoder.read_tokens(tokens) if streamed or not keeps else [None] * len(drafts)
        sealed_pages = []
        for draft, page_tokens, result in zip(drafts, tokens, results, strict=True):
            cells = draft.page.cells
            read = result if isinstance(result, Reading) else None
            row = _row(draft, bank, tier, now)
            parts = draft.parts(row.id)
            added = draft.messages
            exact = page = ReadyPage.exact(
                row, page_tokens, cells, read if streamed else None, parts=parts, added=added
            )
            # a page that is misread, or does not fit the tier completely, keeps its text until it ages
            if read is not None and not keeps and _reads_right(cells, read):
                misread = misread_cells(cells, read)
                page = ReadyPage.decoded(row, page_tokens, read, misread, parts=parts, added=added)
            # text that the policy does not keep goes to the trash
            change = PageChange(None, [page], PageContent(page.content.tokens, exact.content.text))
            sealed_pages.append(_SealedPage(draft, change))
        return sealed_pages


def _row(draft: Draft, bank: Bank, tier: str, now: datetime) -> PageRow:
    """Returns the row of a page before it is encoded."""
    times = [message.created_at for message in draft.messages]
    return PageRow(
        id=unsaved_id(),
        key=uuid.uuid4().hex,
        bank_id=bank.id,
        version=1,
        tier=tier,
        layout=draft.page.layout.to_dict(),
        rows_used=draft.page.rows_used,
        pinned=False,
        sealed_at=now,
        first_at=min(times),
        last_at=max(times),
        arrived_at=max(message.arrived_at or now for message in draft.messages),
        messages=len(draft.messages),
    )


def _leading_drafts(pages: Sequence[_SealedPage | Draft]) -> list[Draft]:
    """Returns the drafts before the first encoded page."""
    drafts: list[Draft] = []
    for page in pages:
        if not isinstance(page, Draft):
            break
        drafts.append(page)
    return drafts


def _encoded(pages: Sequence[_SealedPage | Draft]) -> list[_SealedPage]:
    """Returns the encoded pages before the first draft."""
    encoded: list[_SealedPage] = []
    for page in pages:
        if isinstance(page, Draft):
            break
        encoded.append(page)
    return encoded


def _without(pages: Sequence[_SealedPage | Draft], erased: frozenset[int]) -> list[_SealedPage | Draft]:
    """Returns the pages without erased messages. Pages that held some become drafts again."""
    result: list[_SealedPage | Draft] = []
    for page in pages:
        draft = page if isinstance(page, Draft) else page.draft
        if erased.isdisjoint(message.id for message in draft.messages):
            result.append(page)
        elif (remainder := draft.without(erased)) is not None:
            result.append(remainder)
    return result


def _reads_right(cells: Cells, reading: Reading) -> bool:
    """True if the tokens hold the complete page and misread at most `MAX_MISREAD` of it."""
    misread = misread_share(cells, misread_cells(cells, reading))
    return misread <= MAX_MISREAD and not is_cut(cells, reading)
