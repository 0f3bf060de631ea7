"""Metadata of messages, and how many parts their content was given in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_0002"
down_revision = "2026_11_25_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("parts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "messages", sa.Column("metadata", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("messages", "metadata")
    op.drop_column("messages", "parts")
