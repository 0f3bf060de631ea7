"""Standing facts of a bank: what holds now or held at a time, without a model.

Where a clause states what holds is found when its message is stored; whether it still holds is found anew at each call,
from what is left of the messages: a later statement of the same speaker replaces it, see `text.statements`, or a later
message that tells of a change is nearest to it in meaning. Nothing of a fact is text of its own.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens

from .errors import InvalidInput, NotFound
from .index.vectors import MessageVectors
from .ingest.calls import StoreCall
from .ingest.store import MessageStore
from .pages.assembler import MessageAssembler, StoredMessages
from .pages.message_parts import RememberedMessage, recalled_message, recalled_passage
from .references import message_id_of, normalized
from .storage.database import Database
from .storage.repositories import banks, expiries, facts, messages
from .storage.repositories.banks import Bank
from .storage.repositories.facts import FactRow
from .storage.repositories.messages import Message
from .text.facts import marks_of, other_subject, place_of
from .text.passages import Passage, document_key
from .text.statements import SentencePairs, Speakers, sentences
from .values.facts import MAX_FACT_TOKENS, MAX_SUBJECT_CHARS, Clause, Fact, FactCorrection, Facts, MarkedClause
from .values.gap_marks import MarkedText
from .values.messages import REPLACES, RecalledMessage
from .values.speakers import one_line, speaker_name

#: Clauses that are examined, the newest; pinned ones beyond them are as well.
MAX_EXAMINED = 256
#: Facts whose messages are read at a time.
READ_AT_ONCE = 32
#: Facts that are compared with each other by their words.
COMPARED = 48
#: Cosine from which on a message that tells of a change ends the fact nearest to it, and how much nearer than any other
#: fact that one is.
ENDS = 0.35
LEAD = 0.1


@dataclass(frozen=True)
class _Statement:
    """A clause with its message, and what is left of it."""

    row: FactRow
    message: Message
    text: str

    @property
    def subject(self) -> str:
        """Whom it is about."""
        place = other_subject(self.text)
        return self.message.name or self.message.role if place is None else self.text[slice(*place)].strip()


class _Statements:
    """Statements that hold, added from the newest to the oldest."""

    def __init__(self) -> None:
        self._newer: list[_Statement] = []

    def add(self, statement: _Statement) -> bool:
        """Adds a statement, unless one added before replaces it; a pinned one is always added."""
        if not statement.row.pinned and _is_replaced(statement, self._newer[-COMPARED:]):
            return False
        self._newer.append(statement)
        return True


class StandingFacts:
    """The standing facts of a memory's banks."""

    def __init__(
        self,
        database: Database,
        vectors: MessageVectors,
        assembler: MessageAssembler,
        store: Callable[[], MessageStore],
        gap_mark: str,
    ) -> None:
        """`gap_mark`: the gap mark in the texts."""
        self._database = database
        self._vectors = vectors
        self._assembler = assembler
        self._store = store
        self._gap_mark = gap_mark

    def standing(
        self,
        bank: str,
        now: datetime,
        *,
        at: datetime | None = None,
        subject: str | None = None,
        max_tokens: int,
        newest_last: bool = False,
    ) -> Facts:
        """Implements `Memory.facts`. `newest_last`: in the order of time, so that a new fact comes after the others."""
        if not 1 <= max_tokens <= MAX_FACT_TOKENS:
            raise InvalidInput(f"max_tokens must be from 1 to {MAX_FACT_TOKENS:,}, not {max_tokens}")
        if subject is not None and not 1 <= len(subject.strip()) <= MAX_SUBJECT_CHARS:
            raise InvalidInput(f"subject must have 1 to {MAX_SUBJECT_CHARS} characters")
        with self._database.read() as connection:
            bank_row = banks.get(connection, bank)
            rows, by_id = self._holding(connection, bank_row, at, now)
            rows.sort(key=lambda row: not row.pinned)
            stored = StoredMessages.fetch(connection, bank_row.id, [by_id[i] for i in {r.message_id for r in rows}])
        result = self._list(rows, by_id, stored, subject, max_tokens)
        return _newest_last(result) if newest_last else result

    def near(
        self, bank: str, question: str, now: datetime, *, without: Collection[str], limit: int
    ) -> list[RecalledMessage]:
        """Returns the clauses that still hold, as passages of their messages, those nearest to a question first; all
        are equally near without an embedder. `without`: ids of messages that are left out."""
        embedding = self._vectors.question(question)
        with self._database.read() as connection:
            bank_row = banks.get(connection, bank)
            rows, by_id = self._holding(connection, bank_row, None, now)
            rows = [row for row in rows if by_id[row.message_id].key not in without]
            codes = self._vectors.search(connection, bank_row.id, embedding)
            if codes is not None and rows:
                documents = np.unique([document_key(row.message_id, 0) for row in rows])
                scores = codes.scores(documents)
                nearness = dict(zip(scores.documents.tolist(), scores.values.tolist(), strict=True))
                rows.sort(key=lambda row: -nearness.get(document_key(row.message_id, 0), 0.0))
            rows = rows[:limit]
            messages_of_rows = {row.message_id: by_id[row.message_id] for row in rows}
            stored = StoredMessages.fetch(connection, bank_row.id, list(messages_of_rows.values()))
        remembered = self._assembler.assemble(stored)
        spans = list[RecalledMessage]()
        standing = _Statements()
        for row in sorted(rows, key=_order, reverse=True):
            message = by_id[row.message_id]
            whole = remembered[row.message_id]
            place = range_left(row, whole)
            if place is None:
                continue
            if standing.add(_Statement(row, message, whole.text[place.start : place.stop])):
                span = recalled_passage(recalled_message(message, whole), whole, place)
                spans.append(span.with_gap_mark(self._gap_mark))
        places = {(by_id[row.message_id].key, row.start): place for place, row in enumerate(rows)}
        return sorted(spans, key=lambda span: places.get((span.message_id, (span.passage or (0, 0))[0]), len(rows)))

    def _list(
        self,
        rows: Sequence[FactRow],
        by_id: Mapping[int, Message],
        stored: StoredMessages,
        subject: str | None,
        max_tokens: int,
    ) -> Facts:
        """Returns as many of the facts of `rows` as `max_tokens` hold."""
        results: list[Fact] = []
        lines = _Lines(max_tokens)
        faded = left_out = 0
        standing = _Statements()
        queue = iter(rows)
        while block := list(islice(queue, READ_AT_ONCE)):
            if lines.is_full:
                left_out += len(block)
                continue
            of_block = {row.message_id: by_id[row.message_id] for row in block}
            remembered = self._assembler.assemble(stored, messages=list(of_block.values()))
            for row in block:
                text = clause_left(row, remembered[row.message_id], self._gap_mark)
                if text is None:
                    faded += 1
                    continue
                statement = _Statement(row, by_id[row.message_id], text)
                if not standing.add(statement) or (subject is not None and not _is_about(statement, subject)):
                    continue
                fact = _fact(statement)
                if lines.add(fact):
                    results.append(fact)
                else:
                    left_out += 1
        return Facts(facts=results, rendered=lines.text, text_tokens=lines.tokens, left_out=left_out, faded=faded)

    def _holding(
        self, connection: Connection, bank: Bank, at: datetime | None, now: datetime
    ) -> tuple[list[FactRow], Mapping[int, Message]]:
        """Returns the facts of a bank that nothing has ended at a time, the newest first, and their messages. What the
        words of later ones replace is among them."""
        expired = expiries.expired(connection, bank, now)
        rows = facts.newest(connection, bank.id, at, MAX_EXAMINED)
        rows = [row for row in rows if row.message_id not in expired]
        by_id = messages.by_ids(connection, bank.id, {row.message_id for row in rows})
        rows = [row for row in rows if row.message_id in by_id]
        ended = self._ended(connection, bank.id, rows, by_id)
        return [row for row in rows if row.kind is not None and _is_open(row, at) and row not in ended], by_id

    def _ended(
        self, connection: Connection, bank_id: int, rows: Sequence[FactRow], by_id: Mapping[int, Message]
    ) -> frozenset[FactRow]:
        """Returns the facts that a later message of the same speaker ends or replaces, as far as their embeddings and
        their metadata tell."""
        replaced_keys = {(by_id[row.message_id].metadata or {}).get(REPLACES) for row in rows}
        ended = {row for row in rows if not row.pinned and by_id[row.message_id].key in replaced_keys}
        changes = [row for row in rows if row.changes]
        ids = sorted({row.message_id for row in rows})
        if not changes or len(ids) < 2:
            return frozenset(ended)
        codes = self._vectors.search(connection, bank_id, self._vectors.question("now"))
        if codes is None:
            return frozenset(ended)
        cosines = np.nan_to_num(codes.cosines(np.array([document_key(i, 0) for i in ids], dtype=np.int64)))
        places = {message_id: place for place, message_id in enumerate(ids)}
        for change in sorted(changes, key=_order):
            speaker = _speaker(by_id[change.message_id])
            earlier = [
                row
                for row in rows
                if row.kind is not None
                and row not in ended
                and not row.pinned
                and _order(row) < _order(change)
                and row.message_id != change.message_id
                and _speaker(by_id[row.message_id]) == speaker
            ]
            closeness = cosines[places[change.message_id]]
            ranked = sorted(earlier, key=lambda row: -closeness[places[row.message_id]])
            if not ranked or closeness[places[ranked[0].message_id]] < ENDS:
                continue
            others = [row for row in ranked if row.message_id != ranked[0].message_id]
            if others and closeness[places[ranked[0].message_id]] - closeness[places[others[0].message_id]] < LEAD:
                continue
            ended.add(ranked[0])
        return frozenset(ended)

    def pin(self, bank: str, fact_id: str, *, pinned: bool = True) -> Fact:
        """Implements `Memory.pin_fact`."""
        row, _ = self._find(bank, fact_id)
        with self._database.write() as connection:
            bank_id = banks.get(connection, bank).id
            if not facts.change(connection, bank_id, row.message_id, row.start, pinned=pinned):
                raise _absent(bank, fact_id)
        return self._as_listed(bank, fact_id)

    def dismiss(self, bank: str, fact_id: str, now: datetime) -> Fact:
        """Implements `Memory.dismiss_fact`."""
        row, fact = self._find(bank, fact_id)
        with self._database.write() as connection:
            bank_id = banks.get(connection, bank).id
            values = {"closed_at": row.closed_at or now, "pinned": False}
            if not facts.change(connection, bank_id, row.message_id, row.start, **values):
                raise _absent(bank, fact_id)
        return fact.model_copy(update={"pinned": False})

    def correct(self, bank: str, fact_id: str, correction: FactCorrection, now: datetime) -> Fact:
        """Implements `Memory.correct_fact`."""
        row, fact = self._find(bank, fact_id)
        words = hashlib.sha256(correction.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        key = f"correction-{fact.fact_id}-{words}"  # a repeated call stores nothing new
        message = {
            "role": "user",
            "content": correction.text,
            "id": key,
            "thread": fact.thread,
            "metadata": {REPLACES: fact.message_id},
        }
        with self._database.read() as connection:
            bank_row = banks.get(connection, bank)
            is_stored = bool(messages.by_keys(connection, bank_row.id, [key]))
        if not is_stored:
            self._store().store(StoreCall(bank, [message], None, None), now)
        with self._database.write() as connection:
            bank_row = banks.find_locked(connection, bank) or banks.get(connection, bank)
            new = messages.by_keys(connection, bank_row.id, [key])[key]
            whole = Clause(0, new.chars, row.kind_known, changes=False)
            facts.delete_of(connection, bank_row.id, [new.id])
            clause = MarkedClause(whole, marks_of(new.content or ""))
            facts.insert(connection, bank_row.id, [(new.id, new.created_at, [clause])])
            values = {"closed_at": now, "closed_by": new.id, "pinned": False}
            facts.change(connection, bank_row.id, row.message_id, row.start, **values)
        return self._as_listed(bank, f"{new.ref}-0")

    def _as_listed(self, bank: str, fact_id: str) -> Fact:
        _, fact = self._find(bank, fact_id)
        return fact

    def _find(self, bank: str, fact_id: str) -> tuple[FactRow, Fact]:
        """Returns a fact by its id. Raises `NotFound`."""
        ref, _, offset = normalized(fact_id).rpartition("-")
        number = message_id_of(ref)
        if number is None or not offset.isascii() or not offset.isdigit() or len(offset) > 9:
            raise _absent(bank, fact_id)
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            row = facts.find(connection, bank_id, number, int(offset))
            message = messages.by_ids(connection, bank_id, [number]).get(number)
            if row is None or message is None or message.ref != ref:
                raise _absent(bank, fact_id)
            stored = StoredMessages.fetch(connection, bank_id, [message])
        text = clause_left(row, self._assembler.assemble(stored)[number], self._gap_mark)
        return row, _fact(_Statement(row, message, text or self._gap_mark.strip()))


class _Lines:
    """Text of facts within a number of tokens, under the month of each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: list[str] = []
        self._month = ""
        self.tokens = 0
        #: True once a fact had no room.
        self.is_full = False

    def add(self, fact: Fact, *, flat: bool = False) -> bool:
        """Adds a fact, unless it has no room. `flat`: under its month also if it is pinned."""
        month = "pinned" if fact.pinned and not flat else f"{fact.said_at:%Y-%m}"
        is_plain = fact.role == "user" and fact.name is None and fact.trust == "user"
        speaker = "" if is_plain else f"{speaker_name(fact.role, fact.name, fact.trust, suspicious=False)}: "
        lines = [*([f"{month}:"] if month != self._month else []), f"- {speaker}{one_line(fact.text)}"]
        tokens = sum(count_text_tokens(f"{line}\n") for line in lines)
        if self.is_full or self.tokens + tokens > self._limit:
            self.is_full = True
            return False
        self._lines += lines
        self._month = month
        self.tokens += tokens
        return True

    @property
    def text(self) -> str:
        """The lines."""
        return "\n".join(self._lines)


def _newest_last(result: Facts) -> Facts:
    """Returns facts in the order of time, as many as their tokens hold."""
    lines = _Lines(result.text_tokens)
    facts = [
        fact for fact in sorted(reversed(result.facts), key=lambda fact: fact.said_at) if lines.add(fact, flat=True)
    ]
    return result.model_copy(update={"facts": facts, "rendered": lines.text, "text_tokens": lines.tokens})


def clause_left(row: FactRow, remembered: RememberedMessage, gap_mark: str) -> str | None:
    """Returns what is left of a clause in its message; None if it is too little to tell."""
    place = range_left(row, remembered)
    if place is None:
        return None
    start, stop = place
    inside = [gap - start for gap in remembered.gaps.tolist() if start <= gap < stop]
    return MarkedText.of(remembered.text[start:stop], inside, gap_mark).text if inside else remembered.text[start:stop]


def range_left(row: FactRow, remembered: RememberedMessage) -> Passage | None:
    """Returns the range of what is left of a clause in its message; None if it is too little to tell."""
    text = remembered.text
    gaps = remembered.gaps.tolist()
    if not gaps and marks_of(text[row.start : row.stop]) == row.marks:
        return Passage(row.start, row.stop)
    place = place_of(row.marks, text, gaps)
    return None if place is None else Passage(*place)


def _fact(statement: _Statement) -> Fact:
    row = statement.row
    message = statement.message
    return Fact(
        fact_id=f"{message.ref}-{row.start}",
        kind=row.kind_known,
        subject=statement.subject,
        text=statement.text,
        said_at=row.said_at,
        message_id=message.key,
        ref=message.ref,
        start=row.start,
        stop=row.stop,
        thread=message.thread,
        role=message.role,
        name=message.name,
        trust=message.trust,
        pinned=row.pinned,
    )


def _is_open(row: FactRow, at: datetime | None) -> bool:
    """Returns True if a fact was neither dismissed nor corrected by a time, None for now."""
    return row.closed_at is None or (at is not None and row.closed_at > at)


def _is_about(statement: _Statement, subject: str) -> bool:
    """Returns True if a fact is about somebody or something: its subject, its speaker, or a name in it."""
    words = subject.strip().casefold()
    names = (statement.subject, statement.message.name or statement.message.role)
    return words in map(str.casefold, names) or (
        words not in ("user", "assistant") and words in statement.text.casefold()
    )


def _is_replaced(older: _Statement, newer: Iterable[_Statement]) -> bool:
    """Returns True if one of later statements replaces what a sentence of an earlier one states, or repeats it."""
    mine = sentences(older.text)
    for later in newer:
        if later.row.message_id == older.row.message_id:
            continue
        if later.text == older.text and _speaker(later.message) == _speaker(older.message):
            return True
        theirs = sentences(later.text)
        if not mine or not theirs:
            continue
        roles = {later.message.role, older.message.role}
        speakers = Speakers(_speaker(later.message) == _speaker(older.message), roles == {"user", "assistant"})
        pairs = SentencePairs([*theirs, *mine])
        if any(
            pairs.replaces(after, len(theirs) + before, speakers)
            for after in range(len(theirs))
            for before in range(len(mine))
        ):
            return True
    return False


def _speaker(message: Message) -> tuple[str, str | None]:
    return message.role, message.name


def _order(row: FactRow) -> tuple[datetime, int, int]:
    return row.said_at, row.message_id, row.start


def _absent(bank: str, fact_id: str) -> NotFound:
    return NotFound(f"there is no fact '{fact_id[:40]}' in bank '{bank}'; list the facts for their ids")
