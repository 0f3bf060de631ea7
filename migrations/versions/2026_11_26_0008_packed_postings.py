"""Postings by message instead of by word, with hashes of words, which are packed into segments as messages come."""

import hashlib
import struct
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0008"
down_revision = "2026_11_26_0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MESSAGES_AT_ONCE = 1_000


def upgrade() -> None:
    recent = op.create_table(
        "recent_postings",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_recent_postings_message_id")),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name=op.f("pk_recent_postings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "posting_segments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("first_message", sa.BigInteger(), nullable=False),
        sa.Column("last_message", sa.BigInteger(), nullable=False),
        sa.Column("postings", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_posting_segments_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting_segments")),
    )
    op.create_index("ix_posting_segments_bank_id", "posting_segments", ["bank_id"])
    _copy(recent)
    op.drop_table("postings")
    op.drop_index("ix_messages_bank_id_terms", "messages")
    op.drop_column("messages", "terms")
    op.add_column("messages", sa.Column("passages", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    """Words cannot be had from their hashes, so that messages of before are found by their meaning alone."""
    op.drop_column("messages", "passages")
    op.add_column("messages", sa.Column("terms", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_messages_bank_id_terms", "messages", ["bank_id", "terms"])
    op.drop_table("posting_segments")
    op.drop_table("recent_postings")
    op.create_table(
        "postings",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("term", sa.String(length=64), nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_postings_message_id")),
        sa.PrimaryKeyConstraint("bank_id", "term", "message_id", name=op.f("pk_postings")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_postings_message_id", "postings", ["message_id"])


def _copy(recent: sa.Table) -> None:
    connection = op.get_bind()
    key = bytes(connection.execute(sa.text("SELECT value FROM secrets WHERE name = 'digests'")).scalar_one())
    query = sa.text("SELECT bank_id, message_id, term, count FROM postings ORDER BY bank_id, message_id")
    values = []
    for (bank_id, message_id), rows in groupby(connection.execute(query), key=lambda row: (row[0], row[1])):
        counts: dict[int, int] = {}
        for _, _, term, count in rows:
            data = term.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(data, digest_size=5, key=key, person=b"terms").digest()
            hashed = int.from_bytes(digest, "little")
            counts[hashed] = min(counts.get(hashed, 0) + count, (1 << 16) - 1)
        entries = b"".join(struct.pack("<HHQ", 0, count, term) for term, count in sorted(counts.items()))
        values.append({"bank_id": bank_id, "message_id": message_id, "entries": entries})
        if len(values) == MESSAGES_AT_ONCE:
            op.bulk_insert(recent, values)
            values = []
    if values:
        op.bulk_insert(recent, values)
