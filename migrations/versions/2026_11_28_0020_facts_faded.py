"""Pages and trash say whether facts have faded."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0020"
down_revision = "2026_11_28_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns. Facts of earlier pages count as complete."""
    for table in ("pages", "trash"):
        op.add_column(table, sa.Column("facts_faded", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
