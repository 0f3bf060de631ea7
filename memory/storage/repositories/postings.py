"""Postings of the lexical index: rows of new messages, and packed segments of many messages."""

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, func, literal, null, select, text, union_all

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import dialect_of

from . import banks
from .batches import sum_by_bank, totals_by_bank

RECENT_ROW_BYTES = 12  # of a row without its entries
SEGMENT_ROW_BYTES = 32
MAX_ID = (1 << 63) - 1

_r = schema.recent_postings.c
_s = schema.posting_segments.c
_bank = bindparam("bank", type_=BigInteger)


class Segment(NamedTuple):
    """Packed postings of some messages."""

    id: int
    #: new random number with every change, to invalidate caches
    stamp: int
    first_message: int
    last_message: int


class Recent(NamedTuple):
    """Which messages of a bank are not packed: a message has a higher id than all before it, and its postings are only
    changed by packing them, so that equal values mean equal rows."""

    #: number of messages
    number: int
    #: highest message id; 0 if there are none
    newest: int


def lock(connection: Connection, bank_id: int) -> None:
    """Locks the bank, so that others cannot repack its postings until the transaction ends."""
    banks.lock(connection, bank_id)


def add_recent(connection: Connection, bank_id: int, entries: Mapping[int, bytes]) -> int:
    """Inserts the entries of new messages, given as message id → entries. Returns the number of unpacked messages."""
    if dialect_of(connection).has_server:  # one statement, which is one round trip
        values = {"bank_id": bank_id, "ids": list(entries), "entries": list(entries.values())}
        return int(connection.execute(_ADD_AND_COUNT, values).scalar_one()) + len(entries)
    rows = [{"bank_id": bank_id, "message_id": i, "entries": data} for i, data in entries.items()]
    if rows:
        connection.execute(schema.recent_postings.insert(), rows)
    return count_recent(connection, bank_id)


#: The count does not include the inserted rows.
_ADD_AND_COUNT = text(
    "WITH added AS (INSERT INTO recent_postings (bank_id, message_id, entries) "
    "SELECT :bank_id, * FROM unnest(CAST(:ids AS bigint[]), CAST(:entries AS bytea[]))) "
    "SELECT count(*) FROM recent_postings WHERE bank_id = :bank_id"
)


def recent(connection: Connection, bank_id: int) -> list[tuple[int, bytes]]:
    """Returns (message id, entries) of the unpacked messages, by id."""
    return [(message_id, data) for message_id, data in connection.execute(_recent, {"bank": bank_id})]


_recent = select(_r.message_id, _r.entries).where(_r.bank_id == _bank).order_by(_r.message_id)


def count_recent(connection: Connection, bank_id: int) -> int:
    """Returns the number of unpacked messages."""
    return int(connection.execute(_count_recent, {"bank": bank_id}).scalar_one())


_count_recent = select(func.count()).where(_r.bank_id == _bank)


def delete_recent(connection: Connection, bank_id: int, message_ids: Collection[int]) -> set[int]:
    """Deletes the entries of unpacked messages. Returns the ids of those that had any."""
    where = (_r.bank_id == bank_id, columns.among(_r.message_id, sorted(message_ids)))
    ids = set(connection.execute(select(_r.message_id).where(*where)).scalars())
    if ids:
        connection.execute(schema.recent_postings.delete().where(*where))
    return ids


def state(connection: Connection, bank_id: int) -> tuple[list[Segment], Recent]:
    """Returns the segments of a bank, by id, and which unpacked messages it has."""
    *counters, recent_rows = connection.execute(_state, {"bank": bank_id}).all()
    return [Segment(*row) for row in counters], Recent(recent_rows.first_message, recent_rows.last_message)


def segments(connection: Connection, bank_id: int) -> list[Segment]:
    """Returns the segments of a bank, by id."""
    return [Segment(*row) for row in connection.execute(_segments, {"bank": bank_id})]


_no_id = literal(MAX_ID, BigInteger)  # sorts last
_state = union_all(
    select(_s.id, _s.stamp, _s.first_message, _s.last_message).where(_s.bank_id == _bank),
    select(_no_id, null(), func.count(), func.coalesce(func.max(_r.message_id), 0)).where(_r.bank_id == _bank),
).order_by("id")
_segments = select(_s.id, _s.stamp, _s.first_message, _s.last_message).where(_s.bank_id == _bank).order_by(_s.id)


def packed(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """Returns segment id → packed postings."""
    if not ids:
        return {}
    rows = connection.execute(select(_s.id, _s.postings).where(columns.among(_s.id, ids)))
    return {segment_id: data for segment_id, data in rows}


def insert_segment(connection: Connection, bank_id: int, messages: tuple[int, int], data: bytes) -> int:
    """Inserts a segment. `messages`: lowest and highest message id. Returns the stamp."""
    values = {"bank_id": bank_id, **_values(messages, data)}
    connection.execute(schema.posting_segments.insert(), values)
    return int(values["stamp"])


def update_segment(connection: Connection, segment_id: int, messages: tuple[int, int], data: bytes) -> int:
    """Replaces the postings of a segment. `messages`: lowest and highest message id. Returns the new stamp."""
    values = _values(messages, data)
    connection.execute(schema.posting_segments.update().where(_s.id == segment_id).values(**values))
    return int(values["stamp"])


def delete_segment(connection: Connection, segment_id: int) -> None:
    """Deletes one segment of postings."""
    connection.execute(schema.posting_segments.delete().where(_s.id == segment_id))


def total_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → size of its recent postings and its segments, in bytes, with their rows."""
    return totals_by_bank(connection, _sizes, bank_ids)


_parts = union_all(
    sum_by_bank(_r.bank_id, func.length(_r.entries) + RECENT_ROW_BYTES),
    sum_by_bank(_s.bank_id, func.length(_s.postings) + SEGMENT_ROW_BYTES),
).subquery()
_sizes = select(_parts.c.bank, func.sum(_parts.c.total)).group_by(_parts.c.bank)


def _values(messages: tuple[int, int], data: bytes) -> dict[str, int | bytes]:
    first, last = messages
    return {"stamp": secrets.randbits(62), "first_message": first, "last_message": last, "postings": data}
