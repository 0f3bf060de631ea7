"""Embeddings of records."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0022"
down_revision = "2026_11_29_0021"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the columns. Records stored earlier are found by words until `foxing reindex` embeds them."""
    op.add_column("records", sa.Column("vectors", sa.LargeBinary(), nullable=True))
    op.add_column("records", sa.Column("embedder_id", KEY, nullable=True))


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
