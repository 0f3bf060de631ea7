"""Where messages stood on a page before it faded, so that the page can be restored."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0004"
down_revision = "2026_11_25_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("wastebasket", sa.Column("parts", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("wastebasket", "parts")
