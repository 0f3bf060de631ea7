"""Digests of messages keyed with a secret of the database, so that a text cannot be guessed by trying."""

import hmac
import os

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0007"
down_revision = "2026_11_26_0006"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 10_000


def upgrade() -> None:
    table = op.create_table(
        "secrets",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
        sqlite_with_rowid=False,
    )
    secret = os.urandom(32)
    op.bulk_insert(table, [{"name": "digests", "value": secret}])
    connection = op.get_bind()
    messages = sa.table("messages", sa.column("id"), sa.column("digest", sa.LargeBinary()))
    last = 0
    while True:
        query = sa.select(messages.c.id, messages.c.digest).where(messages.c.id > last).order_by(messages.c.id)
        rows = connection.execute(query.limit(ROWS_AT_ONCE)).all()
        if not rows:
            break
        values = [
            {"key_id": row.id, "keyed": hmac.digest(secret, bytes(row.digest), "sha256")[:16]}
            for row in rows
            if row.digest
        ]
        if values:
            update = messages.update().where(messages.c.id == sa.bindparam("key_id"))
            connection.execute(update.values(digest=sa.bindparam("keyed")), values)
        last = rows[-1].id
    op.execute("DELETE FROM idempotency_keys")  # they hold digests of requests, for a day


def downgrade() -> None:
    op.execute(sa.table("messages", sa.column("digest", sa.LargeBinary())).update().values(digest=b""))
    op.drop_table("secrets")
