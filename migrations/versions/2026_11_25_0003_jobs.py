"""The queue of jobs, the schedule that fills it, and text columns that may hold NUL on PostgreSQL."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_0003"
down_revision = "2026_11_25_0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = ("seal", "age", "purge")
#: (table, column, length): an escaped NUL takes two characters, so that the length cannot be enforced.
USER_TEXTS = (
    ("threads", "name", 200),
    ("messages", "key", 200),
    ("messages", "name", 200),
    ("idempotency_keys", "key", 255),
)


def upgrade() -> None:
    schedule = op.create_table(
        "schedule",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chars_left", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("codec", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_schedule_bank_id")),
        sa.PrimaryKeyConstraint("bank_id", "kind", name=op.f("pk_schedule")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_schedule_due_at"), "schedule", ["due_at"])
    op.create_index(op.f("ix_schedule_codec"), "schedule", ["codec"])
    op.create_table(
        "jobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(length=40), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_jobs_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("bank_id", "kind", name=op.f("uq_jobs_bank_id_kind")),
    )
    op.create_index("ix_jobs_run_after", "jobs", ["run_after", "id"])
    # what is due in present banks is unknown until they have been looked at once
    banks = sa.table("banks", sa.column("id"))
    at_once = datetime(1, 1, 1, tzinfo=UTC)
    for kind in KINDS:
        rows = sa.select(banks.c.id, sa.literal(kind), sa.literal(at_once, sa.DateTime(timezone=True)))
        op.execute(schedule.insert().from_select(["bank_id", "kind", "due_at"], rows))
    if op.get_bind().dialect.name == "postgresql":
        for table, column, _ in USER_TEXTS:
            op.alter_column(table, column, type_=sa.Text())


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column, length in USER_TEXTS:
            op.alter_column(table, column, type_=sa.String(length=length))
    op.drop_table("jobs")
    op.drop_table("schedule")
