"""Quarantined messages: data with the form of instructions, apart from all that recall and pages read."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import is_turn_id
from foxing.memory.storage import columns, schema
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.policy import ErasureRule
from foxing.renderer.clock import later

from . import schedule
from .batches import batched, sum_by_bank
from .messages import Message

_c = schema.quarantine.c
SIZES = [sum_by_bank(_c.bank_id, columns.octet_length(_c.message))]


@dataclass(frozen=True)
class QuarantineRow:
    """A quarantined message."""

    key: str
    thread: str
    #: Name of the rule that recognised instructions in it.
    rule: str
    digest: bytes
    arrived_at: datetime
    #: The `NewMessage` as JSON, with id, thread and times.
    json: str
    #: Order of arrival; None before it is inserted.
    id: int | None = None

    @classmethod
    def of(cls, message: NewMessage, rule: str, digest: bytes) -> "QuarantineRow":
        """Returns the row of a message with id, thread and times."""
        if message.id is None or message.thread is None or message.arrived_at is None:
            raise ValueError("a quarantined message needs an id, a thread and times")
        plain = message if message.parts is None else message.with_content(message.parts)
        document = compact_json(plain.model_dump(mode="json", exclude_none=True))
        return cls(message.id, message.thread, rule, digest, message.arrived_at, document)

    @cached_property
    def message(self) -> NewMessage:
        """The message."""
        return NewMessage.model_validate(json.loads(self.json))

    @cached_property
    def expires_at(self) -> datetime | None:
        """Time at which it expires; None if it does not."""
        return self.message.expiry(self.arrived_at)

    @property
    def as_stored(self) -> Message:
        """The message as if it were stored and sealed, for comparison."""
        message = self.message
        chars = len(message.text)
        at = message.created_at or self.arrived_at
        return Message(
            *(0, self.key, 0, self.thread, message.role, message.name, at, None, None, chars, chars, self.digest)
        )


_columns = (_c.key, _c.thread, _c.rule, _c.digest, _c.arrived_at, _c.message, _c.id)


def by_keys(connection: Connection, bank_id: int, keys: Sequence[str]) -> dict[str, QuarantineRow]:
    """Returns key → row, for messages in the quarantine of a bank."""
    rows: dict[str, QuarantineRow] = {}
    for part in batched(keys):
        query = select(*_columns).where(_c.bank_id == bank_id, _c.key.in_(part))
        rows |= {row.key: QuarantineRow(*row) for row in connection.execute(query)}
    return rows


def list_after(connection: Connection, bank_id: int, after: int, limit: int, now: datetime) -> list[QuarantineRow]:
    """Returns up to `limit` rows in the order of their arrival, after that with the id `after`, but for those that have
    expired at `now`."""
    query = select(*_columns).where(_c.bank_id == bank_id, _c.id > after, ~_expired(now)).order_by(_c.id).limit(limit)
    return [QuarantineRow(*row) for row in connection.execute(query)]


def count(connection: Connection, bank_id: int) -> int:
    """Returns the number of rows of a bank."""
    return int(connection.execute(select(func.count()).where(_c.bank_id == bank_id)).scalar_one())


def count_by_bank(connection: Connection) -> dict[str, int]:
    """Returns name of a bank → number of its rows, for banks that have some, by name."""
    name = schema.banks.c.name
    query = select(name, func.count()).join_from(schema.banks, schema.quarantine, schema.banks.c.id == _c.bank_id)
    return {bank: int(number) for bank, number in connection.execute(query.group_by(name).order_by(name))}


def insert(
    connection: Connection, bank_id: int, rows: Collection[QuarantineRow], rules: Collection[ErasureRule]
) -> None:
    """Inserts rows and schedules their erasure. `rules`: those of the policy of the bank."""
    values = []
    times = []
    for row in rows:
        message = row.message
        created_at = message.created_at or row.arrived_at
        times += [later(created_at, rule.after + rule.slack) for rule in rules]
        times += [] if row.expires_at is None else [row.expires_at]
        values.append(
            {
                "bank_id": bank_id,
                "key": row.key,
                "thread": row.thread,
                "role": message.role,
                "name": message.name,
                "created_at": created_at,
                "expires_at": row.expires_at,
                "rule": row.rule,
                "digest": row.digest,
                "arrived_at": row.arrived_at,
                "message": row.json,
            }
        )
    connection.execute(schema.quarantine.insert(), values)
    if times:
        schedule.bring_forward(connection, bank_id, "erase", min(times))


def keys_of_thread(connection: Connection, bank_id: int, thread: str, until: datetime | None = None) -> list[str]:
    """Returns the keys of the messages of a thread. `until`: only of those that arrived until then."""
    return _keys(connection, bank_id, _c.thread == thread, *_arrived(until))


def _arrived(until: datetime | None) -> Sequence[ColumnElement[bool]]:
    return () if until is None else (_c.arrived_at <= until,)


def keys_within(connection: Connection, bank_id: int, until: datetime | None = None) -> list[str]:
    """Returns the keys of the messages of a bank, in the order of their arrival. `until`: only of those that arrived
    until then."""
    return _keys(connection, bank_id, *_arrived(until))


def threads(connection: Connection, bank_id: int, keys: Sequence[str]) -> set[str]:
    """Returns the threads of messages with these keys."""
    names = set[str]()
    for part in batched(keys):
        query = select(_c.thread).where(_c.bank_id == bank_id, _c.key.in_(part)).distinct()
        names |= set(connection.execute(query).scalars())
    return names


def speakers(connection: Connection, bank_id: int) -> set[str]:
    """Returns the folded names of all who have said a message."""
    return {name.casefold() for name in _names(connection, bank_id)}


def said_by(connection: Connection, bank_id: int, persons: Collection[str], until: datetime | None = None) -> list[str]:
    """Returns the keys of the messages that these persons said. `persons`: folded names. `until`: only of those that
    arrived until then."""
    names = _names_of(connection, bank_id, persons)
    return _keys(connection, bank_id, _c.name.in_(names), *_arrived(until)) if names else []


def due(
    connection: Connection, bank_id: int, now: datetime, rules: Collection[ErasureRule], without: Collection[str]
) -> list[str]:
    """Returns the keys of the messages that have expired at `now`, and of those that rules erase then. `without`:
    folded names of persons whose messages stay."""
    aged = (and_(*_of_rule(rule), _c.created_at < now - rule.after) for rule in rules)
    return _keys(connection, bank_id, or_(_expired(now), *aged), *_of_others(connection, bank_id, without))


def next_due(
    connection: Connection, bank_id: int, rules: Collection[ErasureRule], without: Collection[str]
) -> datetime | None:
    """Returns when `due` next has something; None if never."""
    others = (_c.bank_id == bank_id, *_of_others(connection, bank_id, without))
    times = [connection.execute(select(func.min(_c.expires_at)).where(*others)).scalar()]
    for rule in rules:
        oldest = connection.execute(select(func.min(_c.created_at)).where(*others, *_of_rule(rule))).scalar()
        times.append(None if oldest is None else later(oldest, rule.after + rule.slack))
    return min((time for time in times if time is not None), default=None)


def _keys(connection: Connection, bank_id: int, *conditions: ColumnElement[bool]) -> list[str]:
    query = select(_c.key).where(_c.bank_id == bank_id, *conditions).order_by(_c.id)
    return list(connection.execute(query).scalars())


def _names(connection: Connection, bank_id: int) -> list[str]:
    query = select(_c.name).where(_c.bank_id == bank_id, _c.name.is_not(None)).distinct()
    return list(connection.execute(query).scalars())


def _names_of(connection: Connection, bank_id: int, persons: Collection[str]) -> list[str]:
    """Returns the names of persons as messages have them."""
    return [name for name in _names(connection, bank_id) if name.casefold() in persons] if persons else []


def _of_others(connection: Connection, bank_id: int, persons: Collection[str]) -> list[ColumnElement[bool]]:
    names = _names_of(connection, bank_id, persons)
    return [or_(_c.name.is_(None), _c.name.not_in(names))] if names else []


def _of_rule(rule: ErasureRule) -> list[ColumnElement[bool]]:
    conditions = [] if rule.role is None else [_c.role == rule.role]
    return conditions if rule.thread is None else [*conditions, _c.thread == rule.thread]


def _expired(now: datetime) -> ColumnElement[bool]:
    return and_(_c.expires_at.is_not(None), _c.expires_at <= now)


def delete(connection: Connection, bank_id: int, keys: Sequence[str]) -> None:
    """Deletes rows."""
    for part in batched(keys):
        connection.execute(schema.quarantine.delete().where(_c.bank_id == bank_id, _c.key.in_(part)))


def erase(connection: Connection, bank_id: int, keys: Sequence[str]) -> None:
    """Deletes rows and notes turns of sessions as erased, so that a transcript does not bring them back."""
    delete(connection, bank_id, keys)
    turns = [key for key in keys if is_turn_id(key)]
    if not turns:
        return
    c = schema.erased_messages.c
    lowest = connection.execute(select(func.min(c.message_id)).where(c.bank_id == bank_id)).scalar() or 0
    first = min(lowest, 0) - 1  # they have had no number of a message
    noted = [{"bank_id": bank_id, "message_id": first - place, "turn": turn} for place, turn in enumerate(turns)]
    connection.execute(schema.erased_messages.insert(), noted)
