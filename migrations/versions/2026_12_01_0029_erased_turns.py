"""Ids of erased turns."""

import sqlalchemy as sa
from alembic import op

revision = "2026_12_01_0029"
down_revision = "2026_11_29_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column. The ids of turns erased earlier are unknown."""
    op.add_column("erased_messages", sa.Column("turn", sa.String(37)))
    op.create_index("ix_erased_messages_turn", "erased_messages", ["bank_id", "turn"])


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
