"""Owners of banks, and PostgreSQL's policies that keep each to their own banks.

The policies do not apply to the role that owns the tables. Others see the banks of the owner whom `foxing.owner` names,
or those that are nobody's.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0014"
down_revision = "2026_11_27_0013"
branch_labels = None
depends_on = None

OWNER = "nullif(current_setting('foxing.owner', true), '')"
OF_BANK = (
    *("threads", "messages", "pages", "message_runs", "recent_postings", "posting_segments", "embeddings"),
    *("rehearsals", "wastebasket", "idempotency_keys", "records", "schedule", "jobs"),
)
OF_PAGE = ("page_contents", "page_directories", "keepsakes")


def _policies() -> dict[str, str]:
    """Table → the condition under which the present owner may see and write a row."""
    return {
        "banks": f"owner IS NOT DISTINCT FROM {OWNER}",
        "message_keys": f"owner IS NOT DISTINCT FROM {OWNER}",  # which has no bank
        **{table: f"EXISTS (SELECT 1 FROM banks WHERE banks.id = {table}.bank_id)" for table in OF_BANK},
        **{table: f"EXISTS (SELECT 1 FROM pages WHERE pages.id = {table}.page_id)" for table in OF_PAGE},
    }


def upgrade() -> None:
    op.add_column("banks", sa.Column("owner", sa.String(length=200), nullable=True))
    if op.get_bind().dialect.name != "postgresql":
        return
    op.add_column("message_keys", sa.Column("owner", sa.String(length=200), nullable=True))
    for table in ("banks", "message_keys"):
        op.execute(f"ALTER TABLE {table} ALTER owner SET DEFAULT {OWNER}")  # not of rows that are there
    for table, condition in _policies().items():
        op.execute(f"CREATE POLICY owner ON {table} USING ({condition})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _policies():
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            op.execute(f"DROP POLICY owner ON {table}")
        op.drop_column("message_keys", "owner")
    op.drop_column("banks", "owner")
