"""Embeddings of messages. Those of present messages are made by the next tick of the clock."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0006"
down_revision = "2026_11_26_0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("banks", sa.Column("embeddings_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "embedders",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedders")),
        sa.UniqueConstraint("name", "dimensions", name=op.f("uq_embedders_name_dimensions")),
    )
    op.create_table(
        "embeddings",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("embedder_id", KEY, nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_embeddings_message_id")),
        sa.ForeignKeyConstraint(["embedder_id"], ["embedders.id"], name=op.f("fk_embeddings_embedder_id")),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name=op.f("pk_embeddings")),
        sqlite_with_rowid=False,
    )
    banks = sa.table("banks", sa.column("id"))
    schedule = sa.table("schedule", sa.column("bank_id"), sa.column("kind"), sa.column("due_at"))
    at_once = sa.literal(datetime(1, 1, 1, tzinfo=UTC), sa.DateTime(timezone=True))
    rows = sa.select(banks.c.id, sa.literal("embed"), at_once)
    op.execute(schedule.insert().from_select(["bank_id", "kind", "due_at"], rows))


def downgrade() -> None:
    op.drop_table("embeddings")
    op.drop_table("embedders")
    op.drop_column("banks", "embeddings_version")
    for table in ("schedule", "jobs"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE kind = 'embed'"))
