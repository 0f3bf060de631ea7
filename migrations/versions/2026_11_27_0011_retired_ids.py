"""The highest ids of rows that were deleted, which are not given again."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0011"
down_revision = "2026_11_27_0010"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "retired_ids",
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_retired_ids")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("retired_ids")
