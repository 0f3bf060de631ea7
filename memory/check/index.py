"""Checks of what recall searches, postings and the codes of embeddings, which can be made again from what is read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import Connection

from foxing.memory.errors import EmbedderError
from foxing.memory.index.codes import code_bytes
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.indexing import PreparedTerms, Reindexer, remembered_terms
from foxing.memory.pages.message_parts import RememberedMessage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, embeddings, messages, postings, schedule
from foxing.memory.storage.repositories.integrity import rows
from foxing.memory.storage.repositories.integrity.rows import CodeRow
from foxing.memory.storage.repositories.messages import Message

from .problem import Problem, Repair, chunks, in_bank
from .sealed import BankSurvey

ATTEMPTS = 5  # while other processes change what is made again
AT_ONCE = 64  # messages that are read and indexed together
OTHER_BITS = 0.1  # of a code that may differ from one that is made again: sums depend on the batch


#: Reads messages and works out what is to be written of them.
Prepare = Callable[[Sequence[int]], PreparedTerms]


@dataclass(frozen=True)
class Read:
    """Messages of a bank as they can be read, beside their rows."""

    bank_id: int
    bank: str
    found: Mapping[int, Message]
    remembered: Mapping[int, RememberedMessage]
    #: Whether one of the others may be readable later.
    failed: bool


class IndexChecks:
    """Compares the search index and the embeddings of a bank with its messages, and makes them again."""

    def __init__(self, database: Database, search: HybridSearch, assembler: MessageAssembler) -> None:
        self._database = database
        self._index = search.index if isinstance(search.index, PackedIndex) else None
        self._vectors = search.vectors
        self._assembler = assembler
        self._reindexer = Reindexer(database, search, assembler)

    @property
    def note(self) -> str | None:
        """Why postings are not checked, if they are not."""
        return None if self._index is not None else "the search index is not foxing's own"

    @property
    def vectors_note(self) -> str | None:
        """Why codes are not compared with messages, if they are not."""
        source = self._vectors.source
        if not source.enabled:
            return "there is no embedder: only the size of codes was checked"
        if not source.usable:
            return "the embedder cannot be used: only the size of codes was checked"
        return "the embedder is slow: only the size of codes was checked" if source.slow else None

    def postings(self, survey: BankSurvey) -> Iterator[Problem]:
        """Segments that cannot be read, and messages that are in the index twice or do not exist."""
        if self._index is None:
            return
        bank_id, bank = survey.bank_id, survey.bank
        with self._database.read() as connection:
            held = self._index.contents(connection, bank_id)
            wrong = sorted({*survey.missing(connection, held.messages), *held.twice})
        for segment in held.damaged:
            ids = range(segment.first_message, segment.last_message + 1)
            remove = in_bank(self._database, bank_id, partial(postings.delete_segment, segment_id=segment.id))
            yield Problem(
                f"postings of messages {ids[0]} to {ids[-1]} of bank {bank} cannot be read; run foxing reindex --words",
                self._then_reindex(survey, remove, self._existing(survey, ids)),
            )
        if wrong:
            remove = in_bank(self._database, bank_id, lambda c: self._remove(c, bank_id, wrong))
            yield Problem(
                f"{len(wrong)} messages are in the index of bank {bank} twice, or do not exist; run foxing reindex "
                "--words",
                self._then_reindex(survey, remove, self._existing(survey, wrong)),
            )

    def codes(self, survey: BankSurvey) -> Iterator[Problem]:
        """Codes that have the wrong size, or are of messages that do not exist."""
        bank_id, bank, after = survey.bank_id, survey.bank, 0
        while True:
            with self._database.read() as connection:
                found = rows.codes_after(connection, bank_id, after, 2048)
                of = messages.by_ids(connection, bank_id, survey.visible(row.message_id for row in found))
                lost = survey.missing(connection, (row.message_id for row in found))
            if not found:
                return
            after = found[-1].message_id
            if lost:
                remove = in_bank(self._database, bank_id, partial(embeddings.remove, bank_id=bank_id, message_ids=lost))
                yield Problem(f"{len(lost)} embeddings of bank {bank} are of messages that do not exist", remove)
            wrong = [row.message_id for row in found if row.message_id in of and _has_wrong_size(row, of)]
            if wrong:
                yield Problem(
                    f"{len(wrong)} embeddings of bank {bank} have the wrong size; run foxing reindex",
                    self._embed_again(bank_id, wrong),
                )

    def read(self, survey: BankSurvey, ids: Sequence[int]) -> Read:
        """Those of the messages that can be read. Pages may be decoded."""
        with self._database.read() as connection:
            found = messages.by_ids(connection, survey.bank_id, ids)
            stored = StoredMessages.fetch(connection, survey.bank_id, list(found.values()))
        pages = stored.pages.keys() & stored.contents.keys()
        there = [m for m in stored.messages if all(span.page_id in pages for span in stored.spans.get(m.id, []))]
        remembered = self._assembler.assemble(stored, messages=there)
        failed = any(item.failed for item in remembered.values())
        return Read(
            survey.bank_id, survey.bank, found, {i: item for i, item in remembered.items() if item.readable}, failed
        )

    def terms_of(self, read: Read) -> Iterator[Problem]:
        """Messages whose words in the index are others than those that can be read."""
        if self._index is None:
            return
        terms = {i: remembered_terms(item, read.found[i].name) for i, item in read.remembered.items()}
        try:
            with self._database.read() as connection:
                suspects = self._index.differing(connection, read.bank_id, terms)
            wrong = self._confirmed(
                suspects, self._prepare_words(read.bank_id), partial(self._wrong_terms, read.bank_id)
            )
        except ValueError:
            return  # `postings` says so
        for message_id in wrong:
            key = read.found[message_id].key
            yield Problem(
                f"the index has other words of message {key!r} of bank {read.bank} than can be read; run foxing "
                "reindex --words",
                partial(self._reindex, read.bank_id, [message_id]),
            )

    def codes_of(self, read: Read) -> Iterator[Problem]:
        """Messages whose code is not that of what can be read of them, or is missing although nothing will make it."""
        if self.vectors_note is not None or not read.remembered:
            return
        try:
            wrong = self._confirmed(
                read.remembered, self._prepare_codes(read.bank_id), partial(self._wrong_codes, read.bank_id)
            )
        except EmbedderError:
            return
        for message_id in wrong:
            key = read.found[message_id].key
            yield Problem(
                f"the embedding of message {key!r} of bank {read.bank} is missing or not that of its text; run foxing "
                "reindex",
                self._embed_again(read.bank_id, [message_id]),
            )

    def _confirmed(
        self,
        ids: Collection[int],
        prepare: Prepare,
        wrong: Callable[[Connection, PreparedTerms], Collection[int]],
    ) -> list[int]:
        """Those of the messages that are `wrong` beside what they read as at one moment; none if others change them
        all the time."""
        for _ in range(ATTEMPTS if ids else 0):
            prepared = prepare(sorted(ids))
            with self._database.read() as connection:
                if self._reindexer.is_current(connection, prepared):
                    return sorted(set(wrong(connection, prepared)) & set(ids))
        return []

    def _wrong_terms(self, bank_id: int, connection: Connection, prepared: PreparedTerms) -> Collection[int]:
        assert self._index is not None
        return self._index.differing(connection, bank_id, prepared.counts)

    def _wrong_codes(self, bank_id: int, connection: Connection, prepared: PreparedTerms) -> Collection[int]:
        codes = prepared.codes
        if codes is None:
            return ()
        embedder = embeddings.find_embedder(connection, codes.embedder, codes.dimensions)
        stored = rows.codes_of(connection, bank_id, embedder or 0, prepared.changed)
        due = schedule.find(connection, bank_id, "embed")
        waits = due is not None and due.due_at is not None
        return [i for i, code in codes.by_id(prepared.changed).items() if _differs(stored.get(i), code, waits)]

    def _remove(self, connection: Connection, bank_id: int, ids: Sequence[int]) -> None:
        assert self._index is not None
        self._index.remove(connection, bank_id, ids)

    def _prepare_words(self, bank_id: int) -> Prepare:
        return partial(self._reindexer.prepare_words, bank_id)

    def _prepare_codes(self, bank_id: int) -> Prepare:
        return partial(self._reindexer.prepare_codes, bank_id)

    def _existing(self, survey: BankSurvey, ids: Sequence[int]) -> list[int]:
        with self._database.read() as connection:
            found = messages.by_ids(connection, survey.bank_id, survey.visible(ids))
        return sorted(found)

    def _then_reindex(self, survey: BankSurvey, remove: Repair, ids: Sequence[int]) -> Repair:
        """Removes what is wrong, and indexes again what can be read. Nothing is done while that may become more."""
        bank_id = survey.bank_id

        def repair() -> bool:
            parts = [self.read(survey, part) for part in chunks(ids, AT_ONCE)]
            if survey.unreadable or any(part.failed for part in parts) or not remove():
                return False
            return all([self._reindex(bank_id, list(part.remembered)) for part in parts])

        return repair

    def _reindex(self, bank_id: int, ids: Sequence[int]) -> bool:
        """Whether the words of the messages are indexed anew."""
        return self._write(bank_id, ids, self._prepare_words(bank_id))

    def _embed_again(self, bank_id: int, ids: Sequence[int]) -> Repair:
        """Makes codes again, or has the clock make them where the embedder is slow or missing."""

        def later(connection: Connection) -> None:
            embeddings.remove(connection, bank_id, ids)
            schedule.bring_forward(connection, bank_id, "embed")

        if self.vectors_note is not None:
            return in_bank(self._database, bank_id, later)
        # words first: they set the number of passages
        return lambda: self._reindex(bank_id, ids) and self._write(bank_id, ids, self._prepare_codes(bank_id))

    def _write(self, bank_id: int, ids: Sequence[int], prepare: Prepare) -> bool:
        for _ in range(ATTEMPTS):
            prepared = prepare(ids)
            with self._database.write() as connection:
                banks.lock(connection, bank_id)
                if self._reindexer.is_current(connection, prepared):
                    self._reindexer.write(connection, bank_id, prepared)
                    return True
        return False


def _has_wrong_size(row: CodeRow, of: Mapping[int, Message]) -> bool:
    """Whether a code is neither empty nor that of so many passages as its message has."""
    return bool(row.code_bytes) and row.code_bytes != of[row.message_id].passages * code_bytes(max(1, row.dimensions))


def _differs(stored: bytes | None, fresh: bytes, waits: bool) -> bool:
    """Whether a code is not the one made again. `waits`: whether the clock will make those that are missing."""
    if stored is None:
        return not waits
    if len(stored) != len(fresh):
        return True
    bits = np.unpackbits(np.frombuffer(stored, np.uint8) ^ np.frombuffer(fresh, np.uint8))
    return bool(len(bits)) and float(bits.mean()) > OTHER_BITS
