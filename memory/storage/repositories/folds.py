"""Folds of conversations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from foxing.memory.storage import schema

from .batches import batched

_c = schema.folds.c
_FIELDS = [column for column in schema.folds.c if column.name not in ("bank_id", "key", "content")]


@dataclass(frozen=True)
class FoldRow:
    """A fold, without its content."""

    number: int
    #: Number of the fold whose content comes before this one; None for none.
    base: int | None
    thread: str
    #: Number of items of the conversation that are folded, and the digest of these.
    folded_items: int
    digest: bytes
    #: Number of items of the conversation when it was folded.
    until: int
    #: Digests, 8 bytes each, of the kept items whose thinking was removed.
    kept: bytes
    #: Tokens of the folded part, base included, and of the items that it stands for.
    tokens: int
    raw_tokens: int
    #: Number of page images, base included.
    images: int
    #: What this fold and those before it had cost more than they had saved when it was made.
    cost: float
    created_at: datetime

    @property
    def is_refusal(self) -> bool:
        """True for a row that is not a fold: the provider has refused those before it."""
        return self.folded_items == 0


def of_conversation(connection: Connection, bank_id: int, key: bytes) -> list[FoldRow]:
    """Returns the folds of a conversation, newest first."""
    query = select(*_FIELDS).where(_c.bank_id == bank_id, _c.key == key).order_by(_c.number.desc())
    return [FoldRow(**row) for row in connection.execute(query).mappings()]


def newest(connection: Connection, bank_id: int, key: bytes) -> int:
    """Returns the number of the newest fold of a conversation; 0 if it has none."""
    query = select(func.max(_c.number)).where(_c.bank_id == bank_id, _c.key == key)
    return connection.execute(query).scalar() or 0


def contents(connection: Connection, bank_id: int, key: bytes, numbers: Sequence[int]) -> Mapping[int, bytes]:
    """Returns number → content, for folds of a conversation that exist."""
    result: dict[int, bytes] = {}
    for part in batched(numbers):
        query = select(_c.number, _c.content).where(_c.bank_id == bank_id, _c.key == key, _c.number.in_(part))
        result |= {row.number: bytes(row.content) for row in connection.execute(query)}
    return result


def insert(connection: Connection, bank_id: int, key: bytes, row: FoldRow, content: bytes) -> None:
    """Inserts a fold."""
    values = {"bank_id": bank_id, "key": key, "content": content, **asdict(row)}
    connection.execute(schema.folds.insert().values(values))


def delete_of_threads(connection: Connection, bank_id: int, threads: Collection[str]) -> None:
    """Deletes the folds whose messages are stored in these threads."""
    for part in batched(sorted(threads)):
        connection.execute(schema.folds.delete().where(_c.bank_id == bank_id, _c.thread.in_(part)))
