"""Imports that services carry out."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0023"
down_revision = "2026_11_29_0022"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "imports",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("lease_owner", sa.String(40), nullable=False),
        sa.Column("lease_until", TIME, nullable=False),
        sa.Column("job", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_imports_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.UniqueConstraint("key", name="uq_imports_key"),
    )
    op.create_index("ix_imports_bank_id", "imports", ["bank_id"])
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = imports.bank_id)"
        op.execute(f"CREATE POLICY owner ON imports USING ({same_bank})")
        op.execute("ALTER TABLE imports ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
