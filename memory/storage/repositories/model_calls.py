"""Calls of models as they were billed."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, and_, cast, func, select

from foxing.memory.storage import schema

from .batches import batched

_c = schema.model_calls.c
#: Columns to group by.
GROUPS = {"day": _c.day, "session": _c.session, "model": _c.model}
_SUMS = (
    func.count().label("calls"),
    func.sum(cast(_c.folded, Integer)).label("folded_calls"),
    func.sum(cast(_c.counted, Integer)).label("counted_calls"),
    *(
        func.sum(column).label(column.name)
        for column in (
            _c.retries,
            _c.fresh_tokens,
            _c.written_tokens,
            _c.read_tokens,
            _c.output_tokens,
            _c.original_tokens,
            _c.billed,
            _c.original,
        )
    ),
)


@dataclass(frozen=True)
class ModelCallRow:
    """A call."""

    key: str
    called_at: datetime
    day: date
    session: str
    conversation: str
    model: str
    folded: bool
    #: Whether the conversation has been sent folded, and the provider has cached some of it, at this call or before.
    ever_folded: bool
    caches: bool
    #: Whether the tokens of the original are exact.
    counted: bool
    retries: int
    fresh_tokens: int
    written_tokens: int
    read_tokens: int
    output_tokens: int
    original_tokens: int
    original_prefix: int
    #: Price of the input, and what it would have been without folding.
    billed: float
    original: float


def known(connection: Connection, bank_id: int, keys: Sequence[str]) -> set[str]:
    """Returns those of the keys that are recorded."""
    ids = set[str]()
    for part in batched(keys):
        ids |= set(connection.scalars(select(_c.key).where(_c.bank_id == bank_id, _c.key.in_(part))))
    return ids


def last_of(connection: Connection, bank_id: int, session: str, conversation: str) -> ModelCallRow | None:
    """Returns the call of a conversation that was recorded last; None if there is none."""
    fields = [column for column in _c if column.name not in ("id", "bank_id")]
    of_conversation = and_(_c.bank_id == bank_id, _c.session == session, _c.conversation == conversation)
    row = connection.execute(select(*fields).where(of_conversation).order_by(_c.id.desc()).limit(1)).mappings().first()
    return None if row is None else ModelCallRow(**row)


def insert(connection: Connection, bank_id: int, rows: Sequence[ModelCallRow]) -> None:
    """Inserts calls."""
    connection.execute(schema.model_calls.insert(), [{"bank_id": bank_id, **asdict(row)} for row in rows])


def sums(
    connection: Connection, bank_id: int | None, by: str | None, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    """Returns the sums over the calls of a time window by day, session or model, with the key of each and the times of
    its first and last call; over all of them if `by` is None. `bank_id`: None for all banks."""
    all_banks = select(schema.banks.c.id)  # so that the index by bank and time finds the window
    window: list[ColumnElement[bool]] = [_c.bank_id.in_(all_banks) if bank_id is None else _c.bank_id == bank_id]
    if since is not None:
        window.append(_c.called_at >= since)
    if until is not None:
        window.append(_c.called_at < until)
    if by is None:
        return [dict(row) for row in connection.execute(select(*_SUMS).where(*window)).mappings()]
    key = GROUPS[by]
    first = func.min(_c.called_at)
    last = func.max(_c.called_at)
    query = select(key.label("key"), first.label("first_at"), last.label("last_at"), *_SUMS)
    query = query.where(*window).group_by(key).order_by(*([key] if by == "day" else [last.desc(), key]))
    return [dict(row) for row in connection.execute(query).mappings()]


def forget_sessions(connection: Connection, bank_id: int, sessions: Collection[str]) -> None:
    """Removes the names of sessions from their calls, which are only counted from then on."""
    for part in batched(sorted(sessions)):
        of_sessions = and_(_c.bank_id == bank_id, _c.session.in_(part))
        connection.execute(schema.model_calls.update().where(of_sessions).values(session="", conversation=""))
