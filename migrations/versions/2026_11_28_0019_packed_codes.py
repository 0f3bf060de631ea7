"""Embedding codes of many messages in one row. Rows of single messages are packed when pages are sealed."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0019"
down_revision = "2026_11_28_0018"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates the table and, on PostgreSQL, its policy."""
    op.create_table(
        "embedding_segments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("embedder_id", KEY, nullable=False),
        sa.Column("first_message", sa.BigInteger(), nullable=False),
        sa.Column("last_message", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_embedding_segments_bank_id"),
        sa.ForeignKeyConstraint(["embedder_id"], ["embedders.id"], name="fk_embedding_segments_embedder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_embedding_segments"),
    )
    op.create_index("ix_embedding_segments_bank_id", "embedding_segments", ["bank_id"])
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = embedding_segments.bank_id)"
        op.execute(f"CREATE POLICY owner ON embedding_segments USING ({same_bank})")
        op.execute("ALTER TABLE embedding_segments ENABLE ROW LEVEL SECURITY")
