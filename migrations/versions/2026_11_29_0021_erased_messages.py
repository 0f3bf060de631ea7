"""Numbers of erased messages."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0021"
down_revision = "2026_11_28_0020"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates the table. Messages erased earlier are unknown."""
    op.create_table(
        "erased_messages",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name="pk_erased_messages"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = erased_messages.bank_id)"
        op.execute(f"CREATE POLICY owner ON erased_messages USING ({same_bank})")
        op.execute("ALTER TABLE erased_messages ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
