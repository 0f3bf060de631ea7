"""Checks of the search index and the embeddings, which are rebuilt from readable messages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from foxing.memory.errors import EmbedderError
from foxing.memory.index.codes import code_bytes
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.lifecycle.embed import MessageEmbedder
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.indexing import (
    PicturedTexts,
    Reindexer,
    is_as_said,
    keeps_faded_words,
    pictured_texts,
    remembered_terms,
)
from foxing.memory.pages.message_parts import RememberedMessage
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import embeddings, integrity, messages, postings, schedule
from foxing.memory.storage.repositories.integrity import CodeRow, CodeSegment
from foxing.memory.storage.repositories.messages import Message

from .finding import Finding, Repair, in_bank
from .survey import BankSurvey

ATTEMPTS = 5  # if other processes change the compared data
AT_ONCE = 64  # messages per read
_REINDEX = "run foxing reindex --words"


@dataclass(frozen=True)
class Read:
    """Readable messages of a bank, with their rows."""

    rows: Mapping[int, Message]
    remembered: Mapping[int, RememberedMessage]
    #: message id → texts in its images
    pictured: PicturedTexts


class IndexChecks:
    """Compares the search index and the embeddings of a bank with its messages, and rebuilds the index."""

    def __init__(self, database: Database, search: HybridSearch, assembler: MessageAssembler) -> None:
        self._database = database
        self._index = search.index if isinstance(search.index, PackedIndex) else None
        self._assembler = assembler
        self._reindexer = Reindexer(database, search, assembler)
        self._embedder = MessageEmbedder(database, self._reindexer)
        #: Banks whose words were reindexed → True if all messages were.
        self._rebuilt: dict[int, bool] = {}

    @property
    def note(self) -> str | None:
        """Reason why postings are not checked; None if they are."""
        return None if self._index is not None else "the search index is not foxing's own"

    def postings(self, survey: BankSurvey) -> Iterator[Finding]:
        """Finds segments that cannot be read, and messages that are in the index twice or do not exist."""
        if self._index is None:
            return
        bank_id = survey.bank_id
        bank = survey.bank
        with self._database.read() as connection:
            terms = self._index.contents(connection, bank_id)
            wrong = sorted({*survey.missing(connection, terms.messages), *terms.twice})
        damaged = {segment.id: f"{segment.first_message} to {segment.last_message}" for segment in terms.damaged}
        repair = self._rebuild(survey, partial(self._remove, bank_id=bank_id, segments=list(damaged), ids=wrong))
        for lost in damaged.values():
            yield Finding(f"postings of messages {lost} of bank {bank} cannot be read; {_REINDEX}", repair)
        if wrong:
            yield Finding(
                f"{len(wrong)} messages are in the index of {bank} twice, or do not exist; {_REINDEX}", repair
            )

    def codes(self, survey: BankSurvey) -> Iterator[Finding]:
        """Finds embeddings that are damaged, of the wrong size, or of messages that do not exist. The scheduler embeds
        these again."""
        with self._database.read() as connection:
            findings = []
            for segment in integrity.code_segments(connection, survey.bank_id):
                if segment.codes is not None and _is_of_messages(segment, segment.codes):
                    findings += self._wrong_codes(connection, survey, segment.codes)
                elif segment.id is not None:
                    findings.append(self._unreadable_codes(survey, segment, segment.id))
        yield from findings

    def _unreadable_codes(self, survey: BankSurvey, segment: CodeSegment, segment_id: int) -> Finding:
        return Finding(
            f"embeddings of messages {segment.first_message} to {segment.last_message} of bank {survey.bank} cannot be "
            "read; run foxing db check --repair",
            in_bank(
                self._database,
                survey.bank_id,
                partial(_delete_codes, bank_id=survey.bank_id, segment_id=segment_id),
            ),
        )

    def _wrong_codes(self, connection: Connection, survey: BankSurvey, rows: Sequence[CodeRow]) -> list[Finding]:
        """Returns a finding if some of the codes have the wrong size, or are of messages that do not exist."""
        bank_id = survey.bank_id
        of = messages.by_ids(connection, bank_id, survey.visible(row.message_id for row in rows))
        wrong = survey.missing(connection, (row.message_id for row in rows))
        wrong += [row.message_id for row in rows if row.message_id in of and _has_wrong_size(row, of)]
        if not wrong:
            return []
        return [
            Finding(
                f"{len(wrong)} embeddings of bank {survey.bank} have the wrong size, or are of messages that do "
                "not exist; run foxing reindex",
                in_bank(self._database, bank_id, partial(_embed_again, bank_id=bank_id, ids=wrong)),
            )
        ]

    def read(self, survey: BankSurvey, ids: Sequence[int]) -> Read:
        """Returns the messages of `ids` that can be read. Decodes pages where necessary."""
        with self._database.read() as connection:
            rows = messages.by_ids(connection, survey.bank_id, ids)
            stored = StoredMessages.fetch(connection, survey.bank_id, list(rows.values()))
            pictured = pictured_texts(connection, survey.bank_id, rows)
        pages = stored.pages.keys() & stored.contents.keys()
        readable = [m for m in stored.messages if all(span.page_id in pages for span in stored.spans.get(m.id, []))]
        remembered = self._assembler.assemble(stored, messages=readable)
        return Read(rows, {i: item for i, item in remembered.items() if item.readable}, pictured)

    def terms_of(self, survey: BankSurvey, read: Read) -> Iterator[Finding]:
        """Finds messages whose words in the index differ from their readable text."""
        if self._index is None:
            return
        terms = {
            i: remembered_terms(item, read.rows[i].name, read.pictured.get(i, ()))
            for i, item in read.remembered.items()
        }
        try:
            with self._database.read() as connection:
                faded = {i for i, item in read.remembered.items() if not is_as_said(item)}
                recognised = faded if keeps_faded_words(connection, survey.bank_id) else ()
                suspects = self._index.differing(connection, survey.bank_id, terms, recognised)
            wrong = self._confirmed(survey.bank_id, sorted(suspects))
        except ValueError:
            return  # reported by `postings`
        for message_id in wrong:
            key = read.rows[message_id].key
            yield Finding(
                f"the index has other words of message {key!r} of bank {survey.bank} than can be read; {_REINDEX}",
                self._rebuild(survey),
            )

    def _confirmed(self, bank_id: int, ids: Sequence[int]) -> list[int]:
        """Ids whose words differ from the text read in the same state; empty if other processes keep changing them."""
        assert self._index is not None
        for _ in range(ATTEMPTS if ids else 0):
            prepared = self._reindexer.prepare_words(bank_id, ids)
            with self._database.read() as connection:
                if self._reindexer.is_current(connection, prepared):
                    counts = {**prepared.counts, **prepared.faded}
                    return sorted(self._index.differing(connection, bank_id, counts, prepared.faded))
        return []

    def _remove(self, connection: Connection, bank_id: int, segments: Sequence[int], ids: Sequence[int]) -> None:
        assert self._index is not None
        for segment in segments:
            postings.delete_segment(connection, segment)
        self._index.remove(connection, bank_id, ids)

    def _rebuild(self, survey: BankSurvey, remove: Callable[[Connection], None] = lambda _: None) -> Repair:
        """Repair that removes wrong entries and reindexes all words of the bank, once, and not while messages cannot be
        found."""

        def repair() -> bool:
            if survey.unreadable:
                return False
            if survey.bank_id not in self._rebuilt:
                in_bank(self._database, survey.bank_id, remove)()
                self._rebuilt[survey.bank_id] = self._reindex(survey.bank)
            return self._rebuilt[survey.bank_id]

        return repair

    def _reindex(self, bank: str) -> bool:
        try:
            return not self._embedder.reindex(bank, words=True).skipped
        except EmbedderError:  # the words come first
            return True


def _is_of_messages(segment: CodeSegment, codes: Sequence[CodeRow]) -> bool:
    """True if packed codes are of the messages that their segment names."""
    ids = [row.message_id for row in codes]
    return [len(ids), *ids[:1], *ids[-1:]] == [segment.messages, segment.first_message, segment.last_message]


def _delete_codes(connection: Connection, bank_id: int, segment_id: int) -> None:
    integrity.delete_code_segment(connection, bank_id, segment_id)
    schedule.bring_forward(connection, bank_id, "embed")


def _embed_again(connection: Connection, bank_id: int, ids: Sequence[int]) -> None:
    embeddings.remove(connection, bank_id, ids)
    schedule.bring_forward(connection, bank_id, "embed")


def _has_wrong_size(row: CodeRow, of: Mapping[int, Message]) -> bool:
    """True if a code is not empty and its size does not match the number of passages of its message."""
    return bool(row.code_bytes) and row.code_bytes != of[row.message_id].passages * code_bytes(max(1, row.dimensions))
