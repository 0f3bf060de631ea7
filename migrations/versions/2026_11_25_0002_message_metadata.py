"""Metadata of messages, and whether their content was given in parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_0002"
down_revision = "2026_11_25_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("has_parts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "messages", sa.Column("metadata", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("messages", "metadata")
    op.drop_column("messages", "has_parts")
