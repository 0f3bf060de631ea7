"""Sealed messages by the page: a packed directory of each page instead of rows of messages and spans."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from foxing.memory.storage.columns import JsonObject, UserText, UtcDateTime
from foxing.memory.storage.directory import DIGEST_BYTES, PageDirectory, Place, SealedMessage

revision = "2026_11_27_0012"
down_revision = "2026_11_27_0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAGES_AT_ONCE = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Tables with ids of messages, which may be sealed from now on.
REFERRING = ("keepsakes", "recent_postings", "embeddings")
WITHOUT_ROWID = {"sqlite_with_rowid": False}

messages = sa.table(
    "messages",
    sa.column("id"),
    sa.column("bank_id"),
    sa.column("key", UserText()),
    sa.column("thread_id"),
    sa.column("role"),
    sa.column("name", UserText()),
    sa.column("created_at", UtcDateTime()),
    sa.column("content", UserText()),
    sa.column("parts"),
    sa.column("metadata", JsonObject()),
    sa.column("digest", sa.LargeBinary()),
    sa.column("chars"),
    sa.column("sealed_chars"),
    sa.column("open", sa.Boolean()),
    sa.column("passages"),
)
spans = sa.table(
    "spans",
    *(sa.column(name) for name in ("page_id", "ordinal", *Place._fields)),
)
pages = sa.table("pages", sa.column("id"), sa.column("bank_id"))
directories = sa.table(
    "page_directories", sa.column("page_id"), sa.column("stamp"), sa.column("directory", sa.LargeBinary())
)
runs = sa.table(
    "message_runs",
    *(sa.column(name) for name in ("bank_id", "first_message", "page_id", "last_message", "thread_id", "messages")),
)
keys = sa.table("message_keys", sa.column("hash"), sa.column("message_id"))


def upgrade() -> None:
    _create()
    connection = op.get_bind()
    for ids in _page_ids(connection):
        _pack(connection, ids)
    for bank_id in connection.execute(sa.text("SELECT id FROM banks")).scalars().all():
        _add_runs(connection, bank_id)
    _add_keys(connection)
    op.drop_table("spans")
    _drop_references()
    op.drop_index("ix_messages_open", "messages")
    _change_messages()
    op.drop_index("ix_pages_bank_id_last_at", "pages")
    op.create_index("ix_pages_bank_id_last_at", "pages", ["bank_id", "last_at", "id", "first_at"])


def _create() -> None:
    op.create_table(
        "page_directories",
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("directory", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_page_directories_page_id")),
        sa.PrimaryKeyConstraint("page_id", name=op.f("pk_page_directories")),
    )
    op.create_table(
        "message_runs",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("first_message", sa.BigInteger(), nullable=False),
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("last_message", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", KEY, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_message_runs_page_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name=op.f("fk_message_runs_thread_id")),
        sa.PrimaryKeyConstraint("bank_id", "first_message", "page_id", name=op.f("pk_message_runs")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_message_runs_thread_id", "message_runs", ["thread_id", "first_message"])
    op.create_table(
        "message_keys",
        sa.Column("hash", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "message_id", name=op.f("pk_message_keys")),
        sqlite_with_rowid=False,
    )


def _page_ids(connection: sa.Connection) -> Iterator[Sequence[int]]:
    ids = connection.execute(sa.select(pages.c.id).order_by(pages.c.id)).scalars().all()
    for start in range(0, len(ids), PAGES_AT_ONCE):
        yield ids[start : start + PAGES_AT_ONCE]


def _pack(connection: sa.Connection, page_ids: Sequence[int]) -> None:
    """Stores the directories of pages."""
    on_pages = sa.select(spans).where(spans.c.page_id.in_(page_ids)).order_by(spans.c.page_id, spans.c.ordinal)
    places: dict[int, list[Place]] = {page_id: [] for page_id in page_ids}
    for page_id, _, *place in connection.execute(on_pages):
        places[page_id].append(Place(*place))
    wanted = sa.select(spans.c.message_id).where(spans.c.page_id.in_(page_ids))
    known = [_sealed(row) for row in connection.execute(sa.select(messages).where(messages.c.id.in_(wanted)))]
    rows = [
        {"page_id": page_id, "stamp": secrets.randbits(62), "directory": PageDirectory.of(known, of_page).pack()}
        for page_id, of_page in places.items()
    ]
    connection.execute(directories.insert(), rows)


def _sealed(row: Any) -> SealedMessage:
    metadata = None if row.metadata is None else json.dumps(row.metadata, ensure_ascii=False, separators=(",", ":"))
    at = (row.created_at - EPOCH) // timedelta(microseconds=1)
    digest = bytes(row.digest)[:DIGEST_BYTES]
    who = (row.id, row.key, row.thread_id, row.role, row.name)
    return SealedMessage(*who, at, row.chars, row.parts, row.passages, digest, metadata)


def _add_runs(connection: sa.Connection, bank_id: int) -> None:
    """Stores which messages of a bank follow one another on a page and in a thread."""
    query = (
        sa.select(
            messages.c.id,
            messages.c.thread_id,
            sa.func.min(spans.c.page_id),
            sa.func.max(spans.c.page_id),
        )
        .outerjoin_from(messages, spans, spans.c.message_id == messages.c.id)
        .where(messages.c.bank_id == bank_id)
        .group_by(messages.c.id, messages.c.thread_id)
        .order_by(messages.c.id)
    )
    rows = connection.execute(query).all()
    found = []
    number = 0
    for (thread_id, page_id, last_page), group in groupby(rows, key=lambda row: tuple(row[1:])):
        ids = [row[0] for row in group]
        number += 1
        if page_id is None:
            continue
        if page_id == last_page:
            found.append(_run(bank_id, ids, page_id, thread_id, len(ids)))
            continue
        for message_id in ids:  # on several pages
            on = sa.select(spans.c.page_id, sa.func.min(spans.c.char_start)).where(spans.c.message_id == message_id)
            for page, start in connection.execute(on.group_by(spans.c.page_id)):
                found.append(_run(bank_id, [message_id], page, thread_id, int(start == 0)))
    if found:
        connection.execute(runs.insert(), found)


def _run(bank_id: int, ids: Sequence[int], page_id: int, thread_id: int, begun: int) -> dict[str, int]:
    return {
        "bank_id": bank_id,
        "first_message": ids[0],
        "last_message": ids[-1],
        "page_id": page_id,
        "thread_id": thread_id,
        "messages": begun,
    }


def _add_keys(connection: sa.Connection) -> None:
    last = 0
    while True:
        query = sa.select(messages.c.id, messages.c.bank_id, messages.c.key).where(messages.c.id > last)
        rows = connection.execute(query.order_by(messages.c.id).limit(10_000)).all()
        if not rows:
            return
        values = [{"hash": _hash(row.bank_id, row.key), "message_id": row.id} for row in rows]
        connection.execute(keys.insert(), values)
        last = rows[-1].id


def _hash(bank_id: int, key: str) -> int:
    data, salt = key.encode("utf-8", "surrogatepass"), bank_id.to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(data, digest_size=4, salt=salt).digest(), "little", signed=True)


def _drop_references() -> None:
    """Drops the foreign keys to messages, whose rows go when they are sealed."""
    for table in REFERRING:
        with op.batch_alter_table(table, table_kwargs=WITHOUT_ROWID) as batch:
            batch.drop_constraint(f"fk_{table}_message_id", type_="foreignkey")
    op.create_table(
        "rehearsals_by_bank",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name=op.f("pk_rehearsals_by_bank")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO rehearsals_by_bank SELECT m.bank_id, r.message_id, r.weight FROM rehearsals AS r "
        "JOIN messages AS m ON m.id = r.message_id"
    )
    op.drop_table("rehearsals")
    op.rename_table("rehearsals_by_bank", "rehearsals")


def _change_messages() -> None:
    """Only open messages stay. In SQLite ids of sealed ones must not be used again."""
    with op.batch_alter_table("messages", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("uq_messages_bank_id_key", type_="unique")
        batch.alter_column("key", existing_type=sa.Text(), nullable=True)
    op.execute(messages.delete().where(~messages.c.open))
    with op.batch_alter_table("messages", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("open")
        batch.alter_column("content", existing_type=sa.Text(), nullable=False)
    if op.get_context().dialect.name == "sqlite":
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'messages'")
        op.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'messages', coalesce(max(id), 0) FROM "
            "(SELECT max(last_message) AS id FROM message_runs UNION ALL SELECT max(id) FROM messages)"
        )


def downgrade() -> None:
    connection = op.get_bind()
    op.drop_index("ix_pages_bank_id_last_at", "pages")
    op.create_index("ix_pages_bank_id_last_at", "pages", ["bank_id", "last_at", "id"])
    with op.batch_alter_table("messages") as batch:
        batch.alter_column("content", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("open", sa.Boolean(), server_default=sa.true(), nullable=False))
    for ids in _page_ids(connection):
        _unpack_messages(connection, ids)
    secret = bytes(connection.execute(sa.text("SELECT value FROM secrets WHERE name = 'digests'")).scalar_one())
    for message_id in connection.execute(sa.select(messages.c.id).where(messages.c.key.is_(None))).scalars().all():
        named = messages.update().where(messages.c.id == message_id)
        connection.execute(named.values(key=_generated(secret, message_id)))
    with op.batch_alter_table("messages") as batch:
        batch.alter_column("key", existing_type=sa.Text(), nullable=False)
        batch.create_unique_constraint("uq_messages_bank_id_key", ["bank_id", "key"])
    _add_spans(connection)
    op.create_index(
        "ix_messages_open",
        "messages",
        ["bank_id", "created_at", "id"],
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    for table in REFERRING:
        with op.batch_alter_table(table, table_kwargs=WITHOUT_ROWID) as batch:
            batch.create_foreign_key(f"fk_{table}_message_id", "messages", ["message_id"], ["id"])
    op.create_table(
        "rehearsals_by_message",
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_rehearsals_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_rehearsals_by_message")),
    )
    op.execute("INSERT INTO rehearsals_by_message SELECT message_id, weight FROM rehearsals")
    op.drop_table("rehearsals")
    op.rename_table("rehearsals_by_message", "rehearsals")
    for table in ("message_runs", "message_keys", "page_directories"):
        op.drop_table(table)


def _add_spans(connection: sa.Connection) -> None:
    op.create_table(
        "spans",
        *(sa.Column(name, KEY if name.endswith("id") else sa.Integer(), nullable=False) for name in spans.c.keys()),  # noqa: SIM118 - names, not columns
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_spans_page_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_spans_message_id")),
        sa.PrimaryKeyConstraint("page_id", "ordinal", name=op.f("pk_spans")),
    )
    op.create_index("ix_spans_message_id", "spans", ["message_id"])
    for ids in _page_ids(connection):
        packed = sa.select(directories).where(directories.c.page_id.in_(ids))
        rows = [
            {"page_id": row.page_id, "ordinal": ordinal, **place._asdict()}
            for row in connection.execute(packed)
            for ordinal, place in enumerate(PageDirectory.unpack(row.directory).places)
        ]
        if rows:
            connection.execute(spans.insert(), rows)


def _unpack_messages(connection: sa.Connection, page_ids: Sequence[int]) -> None:
    """Stores the messages of pages as rows. Of digests too little is left to compare them."""
    query = sa.select(directories.c.directory, pages.c.bank_id)
    query = query.join_from(directories, pages, pages.c.id == directories.c.page_id)
    for packed, bank_id in connection.execute(query.where(directories.c.page_id.in_(page_ids))).all():
        found = PageDirectory.unpack(packed).messages
        ids = [message.id for message in found]
        known = set(connection.execute(sa.select(messages.c.id).where(messages.c.id.in_(ids))).scalars())
        rows = [
            {
                **{name: getattr(message, name) for name in ("id", "key", "thread_id", "role", "name", "chars")},
                "bank_id": bank_id,
                "created_at": EPOCH + timedelta(microseconds=message.created_at),
                "parts": message.parts,
                "passages": message.passages,
                "metadata": None if message.metadata is None else json.loads(message.metadata),
                "digest": b"",
                "sealed_chars": message.chars,
                "open": False,
            }
            for message in found
            if message.id not in known
        ]
        if rows:
            connection.execute(messages.insert(), rows)


def _generated(secret: bytes, message_id: int) -> str:
    number = message_id.to_bytes(5, "big")
    proof = hashlib.blake2b(number, digest_size=5, key=secret, person=b"message id").digest()
    return base64.b32hexencode(number + proof).decode().lower()
