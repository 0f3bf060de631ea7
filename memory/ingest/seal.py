"""Sealing: open messages become pages, typeset and encoded at the fresh tier."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading, VisionTokens, is_cut, known_misread, misread_cells, with_misread
from foxing.memory.index.indexing import PageChanges, Reindexer
from foxing.memory.pages.assembler import PageDraft
from foxing.memory.pages.content import PageState
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.pages.fidelity import MAX_MISREAD, misread_share
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, open_messages, pages, trash
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.pages import NewKeepsake, NewPage, NewParts, NewSpan, PageContent, PageRow
from foxing.memory.telemetry import Value, step, step_of_bank
from foxing.memory.values.policy import Policy
from foxing.memory.values.reports import SealReport
from foxing.renderer import Cells, Progress, Typesetter, render

from .drafts import Draft, cells_taken, sealed_parts, typeset_drafts

PAGES_AT_ONCE = 8  # typeset, encoded and written together, while no messages on them are being erased
FEWEST_AT_ONCE = 2  # after conflicts, until the call ends: one page alone takes nearly as long to encode
ATTEMPTS = 5  # to write a page, before giving way to whoever changes or seals the bank all the time


@dataclass(frozen=True)
class _SealedPage:
    """A page ready to be written."""

    draft: Draft
    values: NewPage
    tokens: VisionTokens
    #: What is kept of its exact text beside the tokens.
    text: bytes
    #: What the tokens read as; None if the page keeps its text.
    reading: Reading | None
    spans: list[NewSpan]
    keepsakes: list[NewKeepsake]

    def page_draft(self, number: int) -> PageDraft:
        """The page for the index, as draft `number` of its transaction."""
        state = PageState.written(self.values["tier"], self.draft.page.cells, self.reading)
        return PageDraft.of(number, self.values, self.spans, self.keepsakes, state)


@dataclass(frozen=True)
class _Conflict:
    """Why pages were not written: by default, a page that holds the beginning of one of their messages has changed."""

    #: Messages on them that were erased.
    erased: frozenset[int] = frozenset()
    #: Whether another process has sealed the bank.
    sealed: bool = False


def _figures(report: SealReport) -> dict[str, Value]:
    return {"pages": report.pages, "messages": report.messages}


class Sealer:
    """Seals the open messages of banks."""

    def __init__(self, database: Database, decoder: PageDecoder, reindexer: Reindexer) -> None:
        self.database = database
        self.decoder = decoder
        self.reindexer = reindexer

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    @step_of_bank("seal", _figures)
    def seal(self, bank_name: str, now: datetime, *, everything: bool, progress: Progress | None = None) -> SealReport:
        """Seals full pages, and with `everything` the remaining messages too, on a page that is not full.

        Pages are encoded outside any transaction. If messages on them are erased meanwhile, only the pages that hold
        these are encoded again, without them, and fewer pages are encoded at once. If another process seals the same
        bank, they are typeset again from what is still open. Raises `NotFound`, `CodecError`.
        """
        page_keys: list[str] = []
        sealed = conflicts = 0
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            total = open_messages.count(connection, bank.id)
            newest = messages.newest_id(
                connection, bank.id
            )  # messages stored meanwhile wait, or sealing might never end
        #: Pages to be written next, in order; one that is to be encoded is a draft.
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
                at_once = max(FEWEST_AT_ONCE, at_once // 2)
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
            left = open_messages.count(connection, bank.id)
        return SealReport(pages=page_keys, messages=sealed, open_messages=left)

    def room(self, connection: Connection, bank_id: int) -> int:
        """How many more characters the open messages of a bank can take before they may fill a page; 0 if they may now.

        Headers and full-width characters take further cells: a quarter of the free cells in characters may fill them.
        """
        newest = messages.newest_id(connection, bank_id)
        cells = self.codec.layout.cells
        taken = cells_taken(self._typesetter, open_messages.up_to(connection, bank_id, cells, newest))
        return max(0, -(-(cells - taken) // 4))

    @cached_property
    def _typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, self.codec.repertoire)

    def _write(self, bank: Bank, sealed_pages: Sequence[_SealedPage], now: datetime) -> list[str] | _Conflict:
        """Writes pages, all or none; their keys."""
        policy = self._policy(bank)
        drafts = [sealed.draft for sealed in sealed_pages]
        parts = sealed_parts(drafts)
        # while a message is partly sealed, the index holds all its terms, even those that have faded on its first pages
        begun = {int(span.message_id) for draft in drafts for span in draft.page.spans if span.char_start}
        keeps_text = policy.keeps_text(policy.fresh)
        faded = {part.message_id for part in parts if part.complete and (not keeps_text or part.message_id in begun)}
        page_drafts = [sealed.page_draft(number) for number, sealed in enumerate(sealed_pages)]
        terms = self.reindexer.prepare(bank.id, PageChanges(sealed=faded, drafts=page_drafts))
        purge_at = trash.purge_time(now, policy.undo_window)
        with self.database.write() as connection:
            banks.lock(connection, bank.id)
            erased = open_messages.missing(connection, {message.id for draft in drafts for message in draft.messages})
            if erased or not self.reindexer.is_current(connection, terms):
                return _Conflict(erased, banks.by_id(connection, bank.id).seal_version != bank.seal_version)
            if not banks.advance_seal_version(connection, bank):
                return _Conflict(sealed=True)
            written = [_insert(connection, sealed, now, purge_at) for sealed in sealed_pages]
            open_messages.mark_sealed(connection, parts)
            self.reindexer.write(connection, bank.id, terms)
            self.reindexer.index.compact(connection, bank.id)
        for page, draft in zip(written, page_drafts, strict=True):
            self.decoder.keep(page, draft.state)
        return [page.key for page in written]

    def _policy(self, bank: Bank) -> Policy:
        return Policy.parse(bank.policy).served_by(self.codec.tiers)

    def _encode(self, bank: Bank, drafts: Sequence[Draft], now: datetime) -> list[_SealedPage]:
        """The drafts at the policy's fresh tier, and what their tokens read as unless that tier keeps the text."""
        policy = self._policy(bank)
        tier = policy.fresh
        with step("encode", pages=len(drafts), tier=tier):
            tokens = self.codec.encode([render(draft.page.cells, draft.page.layout, tier) for draft in drafts], tier)
        keeps, streamed = policy.keeps_text(tier), self.codec.tiers[tier].streamed
        results = self.decoder.read_tokens(tokens) if streamed or not keeps else [None] * len(drafts)
        sealed_pages = []
        for draft, page_tokens, result in zip(drafts, tokens, results, strict=True):
            # a page that is not read right, or that the tier does not hold all of, keeps its text until it ages
            read = result if isinstance(result, Reading) else None
            reading = None if keeps or read is None or not _reads_right(draft.page.cells, read) else read
            if reading is not None:
                page_tokens = with_misread(page_tokens, misread_cells(draft.page.cells, reading))
                reading = known_misread(reading, page_tokens)
            text = pack_text(draft.page.cells, read if streamed else None)
            times = [message.created_at for message in draft.messages]
            values: NewPage = {
                "key": uuid.uuid4().hex,
                "bank_id": bank.id,
                "tier": tier,
                "codec": self.codec.name,
                "layout": draft.page.layout.to_dict(),
                "rows_used": draft.page.rows_used,
                "sealed_at": now,
                "first_at": min(times),
                "last_at": max(times),
                "arrived_at": max(message.arrived_at or now for message in draft.messages),
                "messages": len(draft.messages),
                "vision_tokens": page_tokens.count,
                "token_bytes": len(page_tokens.to_bytes()),
                "text_bytes": len(text) if reading is None else 0,
                "text_kept": reading is None,
                "confidence": 1.0 if reading is None else reading.mean_confidence,
            }
            spans, keepsakes = draft.spans(), draft.keepsakes()
            sealed_pages.append(_SealedPage(draft, values, page_tokens, text, reading, spans, keepsakes))
        return sealed_pages


def _leading_drafts(pages: Sequence[_SealedPage | Draft]) -> list[Draft]:
    """The pages that are to be encoded before the first that is encoded."""
    drafts: list[Draft] = []
    for page in pages:
        if not isinstance(page, Draft):
            break
        drafts.append(page)
    return drafts


def _encoded(pages: Sequence[_SealedPage | Draft]) -> list[_SealedPage]:
    """The pages before the first that is to be encoded."""
    encoded: list[_SealedPage] = []
    for page in pages:
        if isinstance(page, Draft):
            break
        encoded.append(page)
    return encoded


def _without(pages: Sequence[_SealedPage | Draft], erased: frozenset[int]) -> list[_SealedPage | Draft]:
    """The pages without messages that were erased; those that hold some are to be encoded again."""
    left: list[_SealedPage | Draft] = []
    for page in pages:
        draft = page if isinstance(page, Draft) else page.draft
        if erased.isdisjoint(message.id for message in draft.messages):
            left.append(page)
        elif (rest := draft.without(erased)) is not None:
            left.append(rest)
    return left


def _reads_right(cells: Cells, reading: Reading) -> bool:
    """Whether the tokens of a page hold all of it, and hardly a character of it is misread."""
    misread = misread_share(cells, misread_cells(cells, reading))
    return misread <= MAX_MISREAD and not is_cut(cells, reading)


def _insert(connection: Connection, sealed: _SealedPage, now: datetime, purge_at: datetime) -> PageRow:
    """Inserts a page; a text that the policy does not keep goes into the trash until `purge_at`."""
    text = sealed.text if sealed.reading is None else None
    blob = sealed.tokens.to_bytes()
    parts = NewParts(sealed.spans, sealed.keepsakes, sealed.draft.messages)
    page = pages.insert(connection, sealed.values, PageContent(blob, text), parts)
    if sealed.reading is not None:
        dropped = trash.DroppedPage(tokens=None, text=sealed.text)
        trash.drop(connection, page, dropped, dropped_at=now, purge_at=purge_at)
    return page
