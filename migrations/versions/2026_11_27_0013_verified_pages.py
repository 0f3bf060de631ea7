"""Whether a page keeps its exact text, apart from the bytes that are stored for it."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0013"
down_revision = "2026_11_27_0012"
branch_labels = None
depends_on = None

pages = sa.table("pages", sa.column("text_bytes"), sa.column("text_kept", sa.Boolean()))


def upgrade() -> None:
    op.add_column("pages", sa.Column("text_kept", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(pages.update().values(text_kept=pages.c.text_bytes > 0))


def downgrade() -> None:
    """Texts that are read from tokens count as dropped then."""
    op.execute("UPDATE page_contents SET text = NULL WHERE page_id IN (SELECT id FROM pages WHERE text_bytes = 0)")
    op.drop_column("pages", "text_kept")
