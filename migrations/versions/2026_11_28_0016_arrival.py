"""When messages came into a bank, from which their age counts if that is later than when they were said.

Of pages that are there already only the time of sealing is known, of open messages nothing: these count from now.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0016"
down_revision = "2026_11_27_0015"
branch_labels = None
depends_on = None

#: The earliest time that a database has, for the moment between adding a column and filling it.
_UNKNOWN = sa.text("'0001-01-01 00:00:00.000000'")


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    for name in ("messages", "pages"):
        op.add_column(name, sa.Column("arrived_at", time, server_default=_UNKNOWN, nullable=False))
    op.execute("UPDATE pages SET arrived_at = sealed_at")
    now = datetime.now(UTC)
    if op.get_context().dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    op.execute(sa.text("UPDATE messages SET arrived_at = :now").bindparams(sa.bindparam("now", now, type_=time)))
    if op.get_context().dialect.name != "sqlite":  # which cannot, and where the default does no harm
        for name in ("messages", "pages"):
            op.alter_column(name, "arrived_at", server_default=None)


def downgrade() -> None:
    for name in ("pages", "messages"):
        op.drop_column(name, "arrived_at")
