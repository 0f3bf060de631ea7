"""Embedding codes of messages, one for each message, from one embedder.

The code of a new message is a row. Rows are packed into segments when a page is sealed.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, func, null, select, union_all

from foxing.memory.storage import columns, schema, snapshot
from foxing.memory.storage.dialects import insert_into
from foxing.memory.storage.packed_codes import CodesDamaged, pack_codes, unpack_codes

from . import bank_versions, messages
from .batches import sum_by_bank
from .sealed.cache import cache_of

_c = schema.embeddings.c
_s = schema.embedding_segments.c
_EXAMINED = 1_000  # messages examined together for missing codes

ROW_BYTES = 12  # of a row without its code
SEGMENT_ROW_BYTES = 24  # of a segment without its codes
MAX_ID = (1 << 63) - 1
#: Key in the information of a connection: embedders that it has inserted, which may be rolled back.
_INSERTED = "foxing.embedders"
SEGMENT = 512  # messages of a full segment, which is rewritten when one of them is erased


class StoredCode(NamedTuple):
    """Code of a message; empty if there is no text to embed."""

    message_id: int
    code: bytes


def find_embedder(connection: Connection, name: str, dimensions: int) -> int | None:
    """Returns the id of an embedder; None if it has never stored a code."""
    embedders = cache_of(connection).embedders
    key = embedders.get((name, dimensions))
    if key is None:
        key = connection.execute(_embedder, {"name": name, "dimensions": dimensions}).scalar_one_or_none()
        committed = snapshot.of(connection) is not None or (name, dimensions) not in connection.info.get(_INSERTED, ())
        if key is not None and committed:
            embedders[name, dimensions] = key
    return key


def embedders_named(connection: Connection, name: str) -> list[int]:
    """Returns the ids of all embedders of this name, which differ in their number of dimensions."""
    return list(connection.execute(select(schema.embedders.c.id).where(schema.embedders.c.name == name)).scalars())


_embedder = select(schema.embedders.c.id).where(
    schema.embedders.c.name == bindparam("name"), schema.embedders.c.dimensions == bindparam("dimensions")
)


def embedder_id(connection: Connection, name: str, dimensions: int) -> int:
    """Returns the id of an embedder, inserting it if it is new."""
    existing = find_embedder(connection, name, dimensions)
    if existing is not None:
        return existing
    statement = insert_into(connection, schema.embedders).values(name=name, dimensions=dimensions)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["name", "dimensions"]))
    connection.info.setdefault(_INSERTED, set()).add((name, dimensions))
    new_id = find_embedder(connection, name, dimensions)
    assert new_id is not None
    return new_id


def add(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Inserts the codes of new messages, given as message id → code."""
    rows = [{"bank_id": bank_id, "message_id": i, "embedder_id": embedder, "code": code} for i, code in codes.items()]
    if rows:
        connection.execute(schema.embeddings.insert(), rows)


def replace(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Inserts or updates the codes of messages. Unchanged codes are not written."""
    codes = _changed(connection, bank_id, embedder, codes)
    if not codes:
        return
    if min(codes) > _newest(connection, _c.bank_id == bank_id, _s.bank_id == bank_id):
        add(connection, bank_id, embedder, codes)
        return
    remove(connection, bank_id, codes)
    add(connection, bank_id, embedder, codes)


def _changed(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> dict[int, bytes]:
    """Returns the codes that differ from the stored ones."""
    stored = _codes(connection, bank_id, embedder, min(codes, default=0), max(codes, default=0))
    return {i: code for i, code in codes.items() if stored.get(i) != code}


def pack(connection: Connection, bank_id: int, at_least: int = 1) -> None:
    """Packs the codes of new messages into segments, if there are `at_least` many. The bank must be locked."""
    of_bank = _c.bank_id == bank_id
    if connection.execute(select(func.count()).where(of_bank)).scalar_one() < max(1, at_least):
        return
    by_embedder: dict[int, dict[int, bytes]] = {}
    for message_id, embedder, code in connection.execute(select(_c.message_id, _c.embedder_id, _c.code).where(of_bank)):
        by_embedder.setdefault(embedder, {})[message_id] = code
    for embedder, codes in by_embedder.items():
        last = select(_s.id, _s.messages, _s.codes).where(_s.bank_id == bank_id, _s.embedder_id == embedder)
        opened = connection.execute(last.order_by(_s.id.desc()).limit(1)).first()
        if opened is not None and opened.messages < SEGMENT:
            codes |= _unpacked(opened.codes)
            connection.execute(schema.embedding_segments.delete().where(_s.id == opened.id))
        _insert_segments(connection, bank_id, embedder, codes)
    connection.execute(schema.embeddings.delete().where(of_bank))


def _insert_segments(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Inserts segments of at most `SEGMENT` messages."""
    ids = sorted(codes)
    for start in range(0, len(ids), SEGMENT):
        part = {i: codes[i] for i in ids[start : start + SEGMENT]}
        values = {"bank_id": bank_id, "embedder_id": embedder, **_segment_values(part)}
        connection.execute(schema.embedding_segments.insert(), values)


def _segment_values(codes: Mapping[int, bytes]) -> dict[str, int | bytes]:
    return {
        "first_message": min(codes),
        "last_message": max(codes),
        "messages": len(codes),
        "codes": pack_codes(codes),
    }


def remove(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Deletes the codes of messages. Messages without a code are ignored."""
    if not message_ids:
        return
    of_messages = columns.among(_c.message_id, list(message_ids))
    connection.execute(schema.embeddings.delete().where(_c.bank_id == bank_id, of_messages))
    gone = set(message_ids)
    overlapping = (_s.bank_id == bank_id, _s.first_message <= max(gone), _s.last_message >= min(gone))
    for segment_id in connection.execute(select(_s.id).where(*overlapping)).scalars().all():
        codes = _unpacked(connection.execute(select(_s.codes).where(_s.id == segment_id)).scalar_one())
        remaining = {i: code for i, code in codes.items() if i not in gone}
        if not remaining:  # or damaged: nothing of a message that is erased may stay
            connection.execute(schema.embedding_segments.delete().where(_s.id == segment_id))
        elif len(remaining) < len(codes):
            connection.execute(
                schema.embedding_segments.update().where(_s.id == segment_id).values(**_segment_values(remaining))
            )
    version = schema.banks.c.embeddings_version
    connection.execute(schema.banks.update().where(schema.banks.c.id == bank_id).values(embeddings_version=version + 1))


class CodesVersion(NamedTuple):
    """Version of the codes of a bank by one embedder, to validate caches."""

    #: id of the embedder; None if it has never stored a code
    embedder: int | None
    #: incremented when codes of older messages change; codes of newer messages are only appended
    version: int


def version(connection: Connection, bank_id: int, name: str, dimensions: int) -> CodesVersion:
    """Returns the version of the codes of a bank by the embedder of that name."""
    embedder = find_embedder(connection, name, dimensions)
    return CodesVersion(embedder, bank_versions.of_bank(connection, bank_id).embeddings)


def codes_after(connection: Connection, bank_id: int, embedder: int, message_id: int) -> list[StoredCode]:
    """Returns the codes of messages with higher ids, by id, without empty ones. Raises `CodesDamaged`."""
    codes = _codes(connection, bank_id, embedder, message_id + 1)
    return [StoredCode(i, codes[i]) for i in sorted(codes) if codes[i]]


def _codes(
    connection: Connection, bank_id: int, embedder: int | None, first: int, last: int = MAX_ID
) -> dict[int, bytes]:
    """Returns message id → code of an embedder, for messages from `first` to `last`. Raises `CodesDamaged`."""
    between = {"bank": bank_id, "embedder": embedder, "first": first, "last": last}
    codes: dict[int, bytes] = {}
    for message_id, code in connection.execute(_codes_between, between):
        if message_id is not None:
            codes[message_id] = code
            continue
        codes |= {i: code for i, code in unpack_codes(code).items() if first <= i <= last}
    return codes


_bank, _by, _first, _last = (bindparam(name, type_=BigInteger) for name in ("bank", "embedder", "first", "last"))
#: message id and code; null and the codes of a segment
_codes_between = union_all(
    select(_c.message_id, _c.code).where(
        _c.bank_id == _bank, _c.embedder_id == _by, _c.message_id >= _first, _c.message_id <= _last
    ),
    select(null(), _s.codes).where(
        _s.bank_id == _bank, _s.embedder_id == _by, _s.first_message <= _last, _s.last_message >= _first
    ),
)


def _unpacked(packed: bytes) -> dict[int, bytes]:
    """Returns message id → code, empty if the codes are damaged; their messages are then embedded again."""
    try:
        return unpack_codes(packed)
    except CodesDamaged:
        return {}


def has_codes(connection: Connection, bank_id: int, name: str, dimensions: int) -> bool:
    """True if a message of a bank has a non-empty code of the embedder of that name, or a packed one."""
    embedder = find_embedder(connection, name, dimensions)
    rows = select(_c.message_id).where(_c.bank_id == bank_id, _c.embedder_id == embedder, func.length(_c.code) > 0)
    segments = select(_s.id).where(_s.bank_id == bank_id, _s.embedder_id == embedder)
    return any(connection.execute(query.limit(1)).first() is not None for query in (rows, segments))


def has_any(connection: Connection, bank_id: int) -> bool:
    """True if a message of a bank has a code of any embedder."""
    queries = select(_c.message_id).where(_c.bank_id == bank_id), select(_s.id).where(_s.bank_id == bank_id)
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def newest(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """Returns the highest id of a message of a bank with a code of the embedder; 0 if there is none."""
    rows, segments = (and_(t.bank_id == bank_id, t.embedder_id == embedder) for t in (_c, _s))
    return _newest(connection, rows, segments)


def _newest(connection: Connection, rows: ColumnElement[bool], segments: ColumnElement[bool]) -> int:
    """Returns the highest id of a message with a code; 0 if there is none."""
    queries = select(func.max(_c.message_id)).where(rows), select(func.max(_s.last_message)).where(segments)
    return max(int(connection.execute(query).scalar() or 0) for query in queries)


def pending(connection: Connection, bank_id: int, embedder: int | None, after: int, limit: int) -> list[int]:
    """Returns the ids of up to `limit` messages above `after` without a code of the embedder. None: an embedder without
    any codes."""
    if not after and not count_pending(connection, bank_id, embedder):
        return []
    result: list[int] = []
    while len(result) < limit and (ids := messages.ids_after(connection, bank_id, after, _EXAMINED)):
        coded = _codes(connection, bank_id, embedder, ids[0], ids[-1])
        result += [i for i in ids if i not in coded]
        after = ids[-1]
    return result[:limit]


def count_pending(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """Returns the number of messages without a code of the embedder."""
    rows = select(func.count()).where(_c.bank_id == bank_id, _c.embedder_id == (embedder or 0))
    segments = select(func.coalesce(func.sum(_s.messages), 0))
    segments = segments.where(_s.bank_id == bank_id, _s.embedder_id == (embedder or 0))
    coded = sum(int(connection.execute(query).scalar_one()) for query in (rows, segments))
    return messages.count(connection, bank_id) - coded


#: Sizes of the codes of each bank with their rows, in bytes.
SIZES = [
    sum_by_bank(_c.bank_id, func.length(_c.code) + ROW_BYTES),
    sum_by_bank(_s.bank_id, func.length(_s.codes) + SEGMENT_ROW_BYTES),
]
