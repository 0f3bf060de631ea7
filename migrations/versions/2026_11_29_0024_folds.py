"""Folds of conversations."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0024"
down_revision = "2026_11_29_0023"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.String(200).with_variant(sa.Text(), "postgresql")


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "folds",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer()),
        sa.Column("thread", TEXT, nullable=False),
        sa.Column("folded_items", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("raw_tokens", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_folds_bank_id"),
        sa.PrimaryKeyConstraint("bank_id", "key", "number", name="pk_folds"),
    )
    op.create_index("ix_folds_bank_id_thread", "folds", ["bank_id", "thread"])
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = folds.bank_id)"
        op.execute(f"CREATE POLICY owner ON folds USING ({same_bank})")
        op.execute("ALTER TABLE folds ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
