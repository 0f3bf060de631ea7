"""Sealing: open messages become pages, typeset and encoded at the fresh tier."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from foxing.encoder import Codec, Reading
from foxing.memory.models import SealReport
from foxing.memory.pages.content import PageState, pack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.spans import keepsake_rows, span_rows, transcribed
from foxing.memory.policy import Policy
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.recall.indexing import read_ahead, reindex
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages, wastebasket
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.messages import Message
from foxing.renderer import Entry, Page, Repertoire, Typesetter, remaining, render

from .keepsakes import find_keepsakes, within_budget

PAGES_AT_ONCE = 8  # typeset, encoded and written together
ATTEMPTS = 20  # when other processes seal the same bank

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Draft:
    """A typeset page and the messages on it."""

    page: Page
    messages: dict[str, Message]


class Sealer:
    """Seals the open messages of banks."""

    def __init__(self, database: Database, decoder: PageDecoder, assembler: MessageAssembler) -> None:
        self.database = database
        self.decoder = decoder
        self.assembler = assembler

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    @cached_property
    def typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, Repertoire(self.codec.repertoire))

    def seal(self, bank_name: str, now: datetime, *, everything: bool, progress: Progress | None = None) -> SealReport:
        """Seals full pages, and with `everything` the rest as well, on a page that is not full.

        Work is written page batch by page batch, each in one transaction; another process that seals the same bank
        at the same time makes this one look again, not seal twice.
        """
        page_keys: list[str] = []
        whole = conflicts = 0
        with self.database.read() as connection:
            total = messages.count_open(connection, banks.get(connection, bank_name).id)
            newest = messages.newest_id(connection)  # what comes in meanwhile waits, or there would be no end
        while True:
            with self.database.read() as connection:
                bank = banks.get(connection, bank_name)
                waiting = messages.open_up_to(connection, bank.id, 2 * PAGES_AT_ONCE * self.codec.layout.cells, newest)
            drafts = self._typeset(waiting, everything)
            if not drafts:
                break
            written = self._write(bank, drafts, now)
            if written is None:
                conflicts += 1
                if conflicts > ATTEMPTS:
                    break
                continue
            page_keys += written[0]
            whole += written[1]
            if progress is not None:
                progress(whole, max(total, whole))
        with self.database.read() as connection:
            left = messages.count_open(connection, bank.id)
        return SealReport(pages=page_keys, messages=whole, open_messages=left)

    def _typeset(self, waiting: Sequence[Message], everything: bool) -> list[_Draft]:
        """Up to `PAGES_AT_ONCE` pages, each a run of messages grouped by thread."""
        entries = [
            Entry(str(m.id), m.role, m.content or "", m.created_at, m.thread, m.name, m.sealed_chars) for m in waiting
        ]
        known = {str(m.id): m for m in waiting}
        capacity = self.codec.layout.cells
        drafts: list[_Draft] = []
        while entries and len(drafts) < PAGES_AT_ONCE:
            taken = cells = 0
            while taken < len(entries) and cells < capacity:
                cells += self.typesetter.cost(entries[taken])
                taken += 1
            if cells < capacity and not everything:
                break
            run = _by_thread(entries[:taken])
            page = self.typesetter.page(run)
            ids = [span.message_id for span in page.spans]
            drafts.append(_Draft(page, {i: known[i] for i in ids}))
            order = {entry.message_id: number for number, entry in enumerate(entries)}
            rest = remaining(run, page) + entries[taken:]
            entries = sorted(rest, key=lambda entry: order[entry.message_id])
        return drafts

    def _write(self, bank: Bank, drafts: Sequence[_Draft], now: datetime) -> tuple[list[str], int] | None:
        """Encodes and writes; (page keys, messages sealed whole), or None when another process was faster."""
        policy = Policy.parse(bank.policy).served_by(self.codec.tiers)
        tier = policy.fresh
        images = [render(draft.page.cells, draft.page.layout, tier) for draft in drafts]
        tokens = self.codec.encode(images, tier)
        keeps_text = policy.keeps_text(tier)
        # a page that cannot be read this time keeps its text until ageing has read it
        readings = [] if keeps_text else self.decoder.read_tokens(tokens)
        readable = {number: item for number, item in enumerate(readings) if isinstance(item, Reading)}
        sizes = {m.id: m.chars for draft in drafts for m in draft.messages.values()}
        done = {int(span.message_id): span.char_stop for draft in drafts for span in draft.page.spans}
        progress = [(i, stop, stop == sizes[i]) for i, stop in done.items()]
        # of these, words may be in the index that can no longer be read once they are sealed whole
        begun = {m.id for draft in drafts for m in draft.messages.values() if m.sealed_chars}
        faded = {i for i, _, whole in progress if whole and (not keeps_text or i in begun)}
        if faded:
            with self.database.read() as connection:
                read_ahead(connection, self.assembler, faded, ())
        texts = [pack_cells(draft.page.cells) for draft in drafts]
        rows = [_rows(draft) for draft in drafts]
        purge_at = wastebasket.purge_time(now, policy.undo_window)
        keys: list[str] = []
        states: dict[int, PageState] = {}
        with self.database.write() as connection:
            if not banks.take_seal_version(connection, bank):
                return None
            for number, draft in enumerate(drafts):
                text, (spans, kept) = texts[number], rows[number]
                reading = readable.get(number)
                times = [message.created_at for message in draft.messages.values()]
                blob = tokens[number].to_bytes()
                values = {
                    "key": uuid.uuid4().hex,
                    "bank_id": bank.id,
                    "tier": tier,
                    "codec": self.codec.name,
                    "layout": draft.page.layout.to_dict(),
                    "rows_used": draft.page.rows_used,
                    "sealed_at": now,
                    "first_at": min(times),
                    "last_at": max(times),
                    "messages": len(draft.messages),
                    "vision_tokens": tokens[number].count,
                    "token_bytes": len(blob),
                    "text_bytes": len(text) if reading is None else 0,
                    "confidence": 1.0 if reading is None else reading.mean_confidence,
                }
                page = pages.insert(connection, values, blob, text if reading is None else None, spans, kept)
                keys.append(page.key)
                if reading is not None:
                    states[page.id] = PageState.of(reading)
                    wastebasket.drop(connection, page, tokens=None, text=text, dropped_at=now, purge_at=purge_at)
            messages.mark_sealed(connection, progress)
            reindex(connection, bank.id, self.assembler, faded, states)
        return keys, sum(whole for _, _, whole in progress)


def _by_thread(entries: Sequence[Entry]) -> list[Entry]:
    """Grouped by thread, the thread of the newest message last: what does not fit is then mostly that message."""
    last = {entry.thread: number for number, entry in enumerate(entries)}
    return sorted(entries, key=lambda entry: last[entry.thread])


def _rows(draft: _Draft) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `spans` and `keepsakes` for a page."""
    parts = transcribed(draft.page)
    # one search and one budget for the page; the line breaks keep identifiers of neighbours apart
    found = find_keepsakes("\n".join(part.text for part in parts))
    found = within_budget(found, sum(len(part.text) for part in parts))
    ranges: list[list[tuple[int, int]]] = []
    offset = 0
    for part in parts:
        stop = offset + len(part.text)
        ranges.append([(first - offset, last - offset) for first, last in found if offset <= first and last <= stop])
        offset = stop + 1
    return span_rows(draft.page.spans), keepsake_rows(draft.page.spans, parts, ranges)
