"""Postings as they are stored: those of new messages one by one, and those of many messages packed in segments."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import dialect_of

from . import banks

RECENT_ROW_BYTES = 12  # of a row besides its entries
SEGMENT_ROW_BYTES = 32

_r = schema.recent_postings.c
_s = schema.posting_segments.c


class Segment(NamedTuple):
    """Where the postings of some messages are stored."""

    id: int
    #: a new one with every change, unlike any other
    stamp: int
    first_message: int
    last_message: int


class Size(NamedTuple):
    """What postings take."""

    rows: int
    bytes: int


def lock(connection: Connection, bank_id: int) -> None:
    """Keeps others from repacking the postings of a bank until the transaction ends."""
    banks.lock(connection, bank_id)


def add_recent(connection: Connection, bank_id: int, entries: Mapping[int, bytes]) -> int:
    """Stores the entries of new messages, message id → entries; returns how many messages are not packed then."""
    if dialect_of(connection).has_server:  # one statement, which is one message there and back
        values = {"bank_id": bank_id, "ids": list(entries), "entries": list(entries.values())}
        return int(connection.execute(_ADD_AND_COUNT, values).scalar_one()) + len(entries)
    rows = [{"bank_id": bank_id, "message_id": i, "entries": data} for i, data in entries.items()]
    if rows:
        connection.execute(schema.recent_postings.insert(), rows)
    return count_recent(connection, bank_id)


#: Counts as of before.
_ADD_AND_COUNT = text(
    "WITH added AS (INSERT INTO recent_postings (bank_id, message_id, entries) "
    "SELECT :bank_id, * FROM unnest(CAST(:ids AS bigint[]), CAST(:entries AS bytea[]))) "
    "SELECT count(*) FROM recent_postings WHERE bank_id = :bank_id"
)


def recent(connection: Connection, bank_id: int) -> list[tuple[int, bytes]]:
    """Message id and entries of the messages that are not packed, by id."""
    query = select(_r.message_id, _r.entries).where(_r.bank_id == bank_id).order_by(_r.message_id)
    return [(message_id, data) for message_id, data in connection.execute(query)]


def count_recent(connection: Connection, bank_id: int) -> int:
    """How many messages are not packed."""
    return int(connection.execute(select(func.count()).where(_r.bank_id == bank_id)).scalar_one())


def delete_recent(connection: Connection, bank_id: int, message_ids: Collection[int]) -> set[int]:
    """Deletes the entries of those of the messages that are not packed; returns their ids."""
    where = (_r.bank_id == bank_id, columns.among(_r.message_id, sorted(message_ids)))
    found = set(connection.execute(select(_r.message_id).where(*where)).scalars())
    if found:
        connection.execute(schema.recent_postings.delete().where(*where))
    return found


def segments(connection: Connection, bank_id: int) -> list[Segment]:
    """The segments of a bank, by id."""
    query = select(_s.id, _s.stamp, _s.first_message, _s.last_message).where(_s.bank_id == bank_id).order_by(_s.id)
    return [Segment(*row) for row in connection.execute(query)]


def packed(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """Segment id → its postings, packed."""
    if not ids:
        return {}
    rows = connection.execute(select(_s.id, _s.postings).where(columns.among(_s.id, ids)))
    return {segment_id: data for segment_id, data in rows}


def insert_segment(connection: Connection, bank_id: int, messages: tuple[int, int], data: bytes) -> int:
    """Stores postings of a bank; `messages`: the lowest and the highest id. Returns the stamp."""
    values = {"bank_id": bank_id, **_values(messages, data)}
    connection.execute(schema.posting_segments.insert(), values)
    return int(values["stamp"])


def update_segment(connection: Connection, segment_id: int, messages: tuple[int, int], data: bytes) -> int:
    """Replaces the postings of a segment. Returns the new stamp."""
    values = _values(messages, data)
    connection.execute(schema.posting_segments.update().where(_s.id == segment_id).values(**values))
    return int(values["stamp"])


def delete_segment(connection: Connection, segment_id: int) -> None:
    """Deletes a segment."""
    connection.execute(schema.posting_segments.delete().where(_s.id == segment_id))


def sizes(connection: Connection, bank_id: int) -> tuple[Size, Size]:
    """What the recent postings of a bank take, and what its segments do."""
    recent_size = select(func.count(), func.coalesce(func.sum(func.length(_r.entries)), 0)).where(_r.bank_id == bank_id)
    packed_size = select(func.count(), func.coalesce(func.sum(func.length(_s.postings)), 0)).where(
        _s.bank_id == bank_id
    )
    counted = [connection.execute(query).one() for query in (recent_size, packed_size)]
    recent_rows, segment_rows = (Size(int(rows), int(total)) for rows, total in counted)
    return recent_rows, segment_rows


def _values(messages: tuple[int, int], data: bytes) -> dict[str, int | bytes]:
    first, last = messages
    return {"stamp": secrets.randbits(62), "first_message": first, "last_message": last, "postings": data}
