"""Text in images, read by a machine."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0028"
down_revision = "2026_11_29_0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns."""
    op.add_column("images", sa.Column("read_text", sa.Text()))
    op.add_column("images", sa.Column("read_confidence", sa.Float()))


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
