"""Messages, both open and sealed. Open messages are rows with their exact text; sealed ones are in the manifests of
pages."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypedDict, TypeVar

from pydantic import JsonValue
from sqlalchemy import BigInteger, Column, Connection, Select, and_, bindparam, func, literal, select, tuple_

from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import is_turn_id
from foxing.memory.references import reference
from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into
from foxing.memory.storage.manifest import SealedMessage
from foxing.memory.storage.message_filter import MessageFilter, instant, microseconds
from foxing.memory.storage.secrets import message_digest
from foxing.memory.values.trust import page_marks, trust_of

from . import bank_versions, banks, expiries, images
from .sealed import keys, lookup, manifests, ranges
from .sealed.lookup import Located

_TURNS_AT_ONCE = 500  # parameters of a statement
_c = schema.messages.c
T = TypeVar("T")

MAX_CHARS = 8 << 20  # cap on the characters read per answer


@dataclass(frozen=True)
class Message:
    """A message, with its text while it is open."""

    id: int
    #: Public id, unique in its bank.
    key: str
    thread_id: int
    thread: str
    role: str
    name: str | None
    created_at: datetime
    #: Time of arrival in the bank; None for a sealed message, whose pages have it.
    arrived_at: datetime | None
    #: Exact text; None once the message is sealed completely.
    content: str | None
    #: Length of the text.
    chars: int
    #: Number of characters on pages.
    sealed_chars: int
    #: Digest; its first bytes for a sealed message, empty once the text is purged.
    digest: bytes
    #: Number of content parts, of which the text is a rendering; 0 if the content is a plain text.
    parts: int = 0
    #: Metadata of the caller, if any.
    metadata: Mapping[str, JsonValue] | None = None
    #: Number of passages in the index.
    passages: int = 1
    #: Trust class; None for that of its role.
    own_trust: str | None = None
    #: Whether rules recognise instructions in it, though it is data.
    suspicious: bool = False
    #: Offsets of the gaps in the text of an open message; None for none.
    gaps: Sequence[int] | None = None

    @property
    def trust(self) -> str:
        """Its trust class."""
        return trust_of(self.role, self.own_trust)

    @property
    def page_marks(self) -> tuple[str, ...]:
        """Words after its role on page images; see `trust.page_marks`."""
        return page_marks(self.role, self.trust, suspicious=self.suspicious)

    @property
    def ref(self) -> str:
        """Its reference; see `foxing.memory.references`."""
        return reference(self.id, self.created_at)

    @property
    def open(self) -> bool:
        """True if it is not sealed completely."""
        return self.content is not None


class NewRow(TypedDict):
    """Columns of a message to insert."""

    id: int
    bank_id: int
    #: Public id chosen by the caller; None to generate it from the row id.
    key: str | None
    thread_id: int
    role: str
    name: str | None
    created_at: datetime
    arrived_at: datetime
    content: str
    parts: int
    metadata: dict[str, JsonValue] | None
    digest: bytes
    chars: int
    passages: int
    #: None for that of its role
    trust: str | None
    suspicious: bool
    #: None for none
    gaps: list[int] | None


select_open = select(
    _c.id,
    _c.key,
    _c.thread_id,
    schema.threads.c.name.label("thread"),
    _c.role,
    _c.name,
    _c.created_at,
    _c.arrived_at,
    _c.content,
    _c.chars,
    _c.sealed_chars,
    _c.digest,
    _c.parts,
    _c.metadata,
    _c.passages,
    _c.trust,
    _c.suspicious,
    _c.gaps,
).join_from(schema.messages, schema.threads, schema.threads.c.id == _c.thread_id)
#: those of the messages `ids` of the `bank` that are open
#: (an expression, since SQLite would read all messages of the bank by its index)
_is_given = columns.is_given(_c.id), _c.bank_id + 0 == bindparam("bank", type_=BigInteger)
_open_given = select_open.where(*_is_given)


def open_message(connection: Connection, row: Any) -> Message:
    """Returns the message of a row of `select_open`."""
    key = row.key if row.key is not None else keys.generated(connection, row.id)
    return Message(row.id, key, *row[2:])


def _sealed(connection: Connection, sealed_messages: Iterable[SealedMessage]) -> list[Message]:
    listed = list(sealed_messages)
    names = banks.thread_names(connection, {message.thread_id for message in listed})
    return [
        Message(
            message.id,
            message.key if message.key is not None else keys.generated(connection, message.id),
            message.thread_id,
            names[message.thread_id],
            message.role,
            message.name,
            instant(message.created_at),
            None,
            None,
            message.chars,
            message.chars,
            message.digest,
            message.parts,
            None if message.metadata is None else json.loads(message.metadata),
            message.passages,
            message.trust,
            message.suspicious,
        )
        for message in listed
    ]


def sealed_form(connection: Connection, message: Message) -> SealedMessage:
    """Returns a message as stored in the manifest of a page."""
    return SealedMessage(
        message.id,
        None if message.key == keys.generated(connection, message.id) else message.key,
        message.thread_id,
        message.role,
        message.name,
        microseconds(message.created_at),
        message.chars,
        message.parts,
        message.passages,
        message.digest,
        None if message.metadata is None else compact_json(dict(message.metadata)),
        message.own_trust,
        message.suspicious,
    )


def by_keys(connection: Connection, bank_id: int, names: Sequence[str]) -> dict[str, Message]:
    """Returns key → message, for messages that exist."""
    by_id = by_ids(connection, bank_id, keys.candidates(connection, bank_id, names))
    keys_asked = set(names)
    return {message.key: message for message in by_id.values() if message.key in keys_asked}


def ids_of(connection: Connection, bank_id: int, names: Sequence[str]) -> dict[str, int]:
    """Returns key → id of the message, for messages that exist."""
    return {key: message.id for key, message in by_keys(connection, bank_id, names).items()}


def by_ids(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, Message]:
    """Returns id → message, for messages of the bank that exist."""
    if not ids:
        return {}
    rows = connection.execute(_open_given, {"ids": sorted(ids), "bank": bank_id})
    result = {row.id: open_message(connection, row) for row in rows}
    located = lookup.read(connection, bank_id, set(ids) - result.keys())
    sealed = _sealed(connection, (place.message for place in located.values()))
    return result | {message.id: message for message in sealed}


def lengths(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, int]:
    """Returns id → length of the message in characters, for messages that exist."""
    return _values(connection, bank_id, ids, (_c.chars,), lambda place: int(place.manifest.chars[place.number]))


def times(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, datetime]:
    """Returns id → creation time of the message, for messages that exist."""
    return _values(connection, bank_id, ids, (_c.created_at,), _time_of)


def places(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, tuple[int, datetime]]:
    """Returns id → thread and creation time of the message, for messages that exist."""
    return _values(
        connection,
        bank_id,
        ids,
        (_c.thread_id, _c.created_at),
        lambda place: (int(place.manifest.threads[place.number]), _time_of(place)),
    )


def _time_of(place: Located) -> datetime:
    return instant(int(place.manifest.times[place.number]))


def _values(
    connection: Connection,
    bank_id: int,
    ids: Collection[int],
    columns_: tuple[Column[Any], ...],
    of_sealed: Callable[[Located], T],
) -> dict[int, T]:
    """Returns id → a value of the message, for messages that exist: the columns of an open message, or the only one,
    and `of_sealed` of a sealed one."""
    if not ids:
        return {}
    rows = connection.execute(_values_of(columns_), {"ids": sorted(ids), "bank": bank_id})
    result: dict[int, Any] = {i: values[0] if len(values) == 1 else tuple(values) for i, *values in rows}
    located = lookup.read(connection, bank_id, set(ids) - result.keys())
    return result | {message_id: of_sealed(place) for message_id, place in located.items()}


@cache
def _values_of(columns_: tuple[Column[Any], ...]) -> Select[Any]:
    return select(_c.id, *columns_).where(*_is_given)


def on_pages(connection: Connection, page_ids: Collection[int]) -> dict[int, Message]:
    """Returns id → message, for the messages on these pages. All count as sealed."""
    on_them = manifests.get(connection, page_ids).values()
    return {message.id: message for message in _sealed(connection, (m for d in on_them for m in d.messages))}


def insert(connection: Connection, rows: Sequence[NewRow], bank_id: int) -> None:
    """Inserts messages of one bank with ids from `Dialect.reserve_message_ids`."""
    connection.execute(schema.messages.insert(), [dict(row) for row in rows])
    keys.add(connection, bank_id, {row["key"]: row["id"] for row in rows if row["key"] is not None})


def replace_content(
    connection: Connection, bank_id: int, message: Message, content: str, parts: int, passages: int, digest: bytes
) -> None:
    """Replaces the content of an open message; see `NewRow`."""
    values = {"content": content, "chars": len(content), "parts": parts, "passages": passages, "digest": digest}
    values["gaps"] = None
    connection.execute(schema.messages.update().where(_c.id == message.id).values(values))
    ranges.note_change(connection, bank_id)


class MessageTime(NamedTuple):
    """When a message was said, and its id: what messages are in order by."""

    created_at: datetime
    id: int


def window(
    connection: Connection,
    bank_id: int,
    condition: MessageFilter,
    *,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Message]:
    """Returns up to `limit` messages in time order, starting after the message with the time and id `after`. Fewer if
    they are long, but at least one if there is any."""
    return _at(connection, bank_id, window_times(connection, bank_id, condition, after=after, limit=limit))


def window_times(
    connection: Connection,
    bank_id: int,
    condition: MessageFilter,
    *,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[MessageTime]:
    """Returns the times of the messages of a `window`."""
    query = _lengths.order_by(_c.created_at, _c.id)
    if after is not None:
        at, message_id = after
        query = query.where(tuple_(_c.created_at, _c.id) > tuple_(literal(at, _c.created_at.type), literal(message_id)))
    sealed = lookup.in_time_order(connection, bank_id, condition, after)
    return _first(connection, bank_id, condition, query, sealed, limit, MAX_CHARS)


def latest(connection: Connection, bank_id: int, condition: MessageFilter, limit: int) -> list[Message]:
    """Returns the last `limit` messages, in time order. Fewer if they are long, but at least one if there is any."""
    return _at(connection, bank_id, latest_times(connection, bank_id, condition, limit))


def latest_times(connection: Connection, bank_id: int, condition: MessageFilter, limit: int) -> list[MessageTime]:
    """Returns the times of the `latest` messages."""
    query = _lengths.order_by(_c.created_at.desc(), _c.id.desc())
    sealed = lookup.in_time_order(connection, bank_id, condition, newest_first=True)
    chars = MAX_CHARS // 2  # all of them are assembled together
    return _first(connection, bank_id, condition, query, sealed, limit, chars, newest_first=True)[::-1]


_lengths = select(_c.created_at, _c.id, _c.chars)


def _at(connection: Connection, bank_id: int, times: Sequence[MessageTime]) -> list[Message]:
    by_id = by_ids(connection, bank_id, [time.id for time in times])
    return [by_id[time.id] for time in times]


def _first(
    connection: Connection,
    bank_id: int,
    condition: MessageFilter,
    query: Select[Any],
    sealed: Iterator[SealedMessage],
    limit: int,
    chars: int,
    *,
    newest_first: bool = False,
) -> list[MessageTime]:
    """Returns the times of the first `limit` messages with at most `chars` characters in total. `query`: time, id and
    length of open messages. A partly sealed message is among these and among the sealed ones."""
    still_open = connection.execute(query.where(_c.bank_id == bank_id, *condition.conditions()).limit(limit))
    lengths_of_sealed = ((instant(message.created_at), message.id, message.chars) for message in islice(sealed, limit))
    listed = sorted({*map(tuple, still_open), *lengths_of_sealed}, reverse=newest_first)[:limit]
    ids = first_within(((message_id, length) for _, message_id, length in listed), chars)
    return [MessageTime(at, message_id) for at, message_id, _ in listed[: len(ids)]]


def first_within(messages: Iterable[Sequence[int]], chars: int) -> list[int]:
    """Returns the ids of the first messages with at most `chars` characters in total; at least one if there is any.
    `messages`: id and length of each."""
    ids: list[int] = []
    for message_id, length in messages:
        chars -= length
        if ids and chars < 0:
            break
        ids.append(message_id)
    return ids


def _by_time(message: Message) -> tuple[datetime, int]:
    return message.created_at, message.id


def fetch_ordered(connection: Connection, bank_id: int, condition: MessageFilter, ids: Sequence[int]) -> list[Message]:
    """Returns those of the messages that exist and match the filter, in time order."""
    by_id = by_ids(connection, bank_id, sorted(filter_ids(connection, bank_id, ids, condition)))
    return sorted(by_id.values(), key=_by_time)


def ids_within(connection: Connection, bank_id: int, condition: MessageFilter) -> set[int]:
    """Returns the ids of the messages of a bank that match the filter."""
    still_open = connection.execute(select(_c.id).where(_c.bank_id == bank_id, *condition.conditions())).scalars()
    return {*still_open, *lookup.ids_within(connection, bank_id, condition)}


def oldest(connection: Connection, bank_id: int, condition: MessageFilter) -> datetime | None:
    """Returns the time of the oldest message of a bank that matches the filter; None if none does."""
    query = select(func.min(_c.created_at)).where(_c.bank_id == bank_id, *condition.conditions())
    sealed = next(lookup.in_time_order(connection, bank_id, condition), None)
    times_ = (connection.execute(query).scalar(), None if sealed is None else instant(sealed.created_at))
    return min((time for time in times_ if time is not None), default=None)


def speakers(connection: Connection, bank_id: int) -> set[str]:
    """Returns the folded names of all who have said a message of a bank; names are compared without case."""
    names = set(connection.execute(select(_c.name).where(_c.bank_id == bank_id).distinct()).scalars())
    names |= lookup.names(connection, bank_id)
    return {name.casefold() for name in names if name is not None}


def said_by(connection: Connection, bank_id: int, persons: Collection[str]) -> set[int]:
    """Returns the ids of the messages of a bank that these persons said. `persons`: folded names."""
    if not persons:
        return set()
    named = connection.execute(select(_c.id, _c.name).where(_c.bank_id == bank_id, _c.name.is_not(None)))
    still_open = (message_id for message_id, name in named if name.casefold() in persons)
    return {*still_open, *lookup.said_by(connection, bank_id, persons)}


def ids_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[int]:
    """Returns the ids of up to `limit` messages of a bank above `message_id`, ascending."""
    query = select(_c.id).where(_c.bank_id == bank_id, _c.id > message_id).order_by(_c.id).limit(limit)
    still_open = connection.execute(query).scalars()
    return sorted({*still_open, *lookup.ids_after(connection, bank_id, message_id, limit)})[:limit]


def count(connection: Connection, bank_id: int) -> int:
    """Returns the number of messages in a bank."""
    begun = select(func.count()).where(_c.bank_id == bank_id, _c.sealed_chars == 0)
    return ranges.counts(connection, [bank_id])[bank_id] + int(connection.execute(begun).scalar_one())


def filter_ids(connection: Connection, bank_id: int, ids: Collection[int], condition: MessageFilter) -> set[int]:
    """Returns the ids of those of the messages that exist and match the filter."""
    if not ids:
        return set()
    query = select(_c.id, and_(True, *condition.conditions())).where(
        columns.among(_c.id, sorted(ids)), _c.bank_id == bank_id
    )
    still_open = {message_id: bool(through) for message_id, through in connection.execute(query)}
    result = {message_id for message_id, through in still_open.items() if through}
    return result | lookup.filtered(connection, bank_id, set(ids) - still_open.keys(), condition)


def passage_counts(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, int]:
    """Returns id → number of passages, for messages with several."""
    if not ids:
        return {}
    query = select(_c.id, _c.passages).where(columns.among(_c.id, sorted(ids)), _c.bank_id == bank_id)
    still_open = {message_id: passages for message_id, passages in connection.execute(query).all()}
    sealed = lookup.read(connection, bank_id, set(ids) - still_open.keys())
    counts = still_open | {i: int(place.manifest.passages[place.number]) for i, place in sealed.items()}
    return {i: passages for i, passages in counts.items() if passages > 1}


def newest_id(connection: Connection, bank_id: int) -> int:
    """Returns an upper bound of the ids of stored messages. Messages of the bank that are stored later have higher
    ids."""
    return bank_versions.of_bank(connection, bank_id).newest


def newest_of_all(connection: Connection) -> int:
    """Returns the highest id of the stored messages of all banks. Those that are stored later have higher ids."""
    newest = (select(func.max(schema.messages.c.id)), select(func.max(schema.message_ranges.c.last_message)))
    return max(connection.execute(query).scalar() or 0 for query in newest)


def delete(connection: Connection, bank_id: int, rows: Collection[Message]) -> None:
    """Deletes messages that are no longer on a page or in the index, with their recall weights and images, and notes
    their numbers as erased."""
    ids = sorted(message.id for message in rows)
    if ids:
        turns = {message.id: message.key for message in rows if is_turn_id(message.key)}
        noted = [{"bank_id": bank_id, "message_id": message_id, "turn": turns.get(message_id)} for message_id in ids]
        connection.execute(insert_into(connection, schema.erased_messages).on_conflict_do_nothing(), noted)
    recall_weights = schema.recall_weights
    of_bank = (recall_weights.c.bank_id == bank_id, columns.among(recall_weights.c.message_id, ids))
    connection.execute(recall_weights.delete().where(*of_bank))
    facts = schema.facts
    connection.execute(facts.delete().where(facts.c.bank_id == bank_id, columns.among(facts.c.message_id, ids)))
    images.delete_of(connection, bank_id, ids)
    expiries.remove(connection, bank_id, ids)
    connection.execute(schema.messages.delete().where(columns.among(_c.id, ids)))
    ranges.note_change(connection, bank_id)
    keys.remove(connection, bank_id, [(message.key, message.id) for message in rows])


def erased(connection: Connection, bank_id: int, ids: Collection[int]) -> set[int]:
    """Returns those of the ids that belonged to messages of the bank which were erased."""
    c = schema.erased_messages.c
    query = select(c.message_id).where(c.bank_id == bank_id, columns.among(c.message_id, sorted(ids)))
    return set(connection.execute(query).scalars()) if ids else set()


def erased_turns(connection: Connection, bank_id: int, keys_: Collection[str]) -> set[str]:
    """Returns those of the ids that are turns of a session which were erased."""
    turns = sorted(filter(is_turn_id, keys_))
    erased_keys = set[str]()
    c = schema.erased_messages.c
    for start in range(0, len(turns), _TURNS_AT_ONCE):
        query = select(c.turn).where(c.bank_id == bank_id, c.turn.in_(turns[start : start + _TURNS_AT_ONCE]))
        erased_keys.update(connection.execute(query).scalars())
    return erased_keys


def matches_digest(message: Message, text: str, key: bytes) -> bool:
    """True if a text matches the digest of a message, or the stored prefix of it, or if there is no digest. A message
    in content parts cannot be checked, because its text does not determine them. `key`: key of digests."""
    if message.parts or not message.digest:
        return True
    digest = message_digest(key, [message.role, message.name, text], message.metadata)
    return digest.startswith(message.digest)
