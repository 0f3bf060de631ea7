"""Calls of models as they were billed."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0025"
down_revision = "2026_11_29_0024"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String(200).with_variant(sa.Text(), "postgresql")


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "model_calls",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("conversation", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("folded", sa.Boolean(), nullable=False),
        sa.Column("ever_folded", sa.Boolean(), nullable=False),
        sa.Column("caches", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("fresh_tokens", sa.Integer(), nullable=False),
        sa.Column("written_tokens", sa.Integer(), nullable=False),
        sa.Column("read_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("original_tokens", sa.Integer(), nullable=False),
        sa.Column("original_prefix", sa.Integer(), nullable=False),
        sa.Column("billed", sa.Float(), nullable=False),
        sa.Column("original", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_model_calls_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_model_calls"),
        sa.UniqueConstraint("bank_id", "key", name="uq_model_calls_bank_id_key"),
    )
    op.create_index(
        "ix_model_calls_bank_id_session_conversation", "model_calls", ["bank_id", "session", "conversation", "id"]
    )
    op.create_index("ix_model_calls_bank_id_called_at", "model_calls", ["bank_id", "called_at"])
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = model_calls.bank_id)"
        op.execute(f"CREATE POLICY owner ON model_calls USING ({same_bank})")
        op.execute("ALTER TABLE model_calls ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
