"""Blobs in object storage, and how often each is used; how often the runs of a bank changed, by which processes that
hold them in memory notice."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0015"
down_revision = "2026_11_27_0014"
branch_labels = None
depends_on = None

OWNER = "nullif(current_setting('foxing.owner', true), '')"
RUN_COUNTS = ("runs_added", "runs_changed")
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("name", sa.String(90), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=True),
        sa.Column("bank", KEY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_blobs")),
        sa.UniqueConstraint("digest", name=op.f("uq_blobs_digest")),
    )
    op.create_index("ix_blobs_uses", "blobs", ["uses"])
    for name in RUN_COUNTS:
        op.add_column("banks", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    if op.get_bind().dialect.name == "postgresql":  # the bank may be gone, so that it cannot say whose a blob is
        op.add_column("blobs", sa.Column("owner", sa.String(length=200), nullable=True))
        op.execute(f"ALTER TABLE blobs ALTER owner SET DEFAULT {OWNER}")
        op.execute(f"CREATE POLICY owner ON blobs USING (owner IS NOT DISTINCT FROM {OWNER})")
        op.execute("ALTER TABLE blobs ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Refused while blobs are outside the database."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM blobs LIMIT 1")).first() is not None:
        raise RuntimeError("blobs are in object storage, which the older version does not read; restore a backup")
    op.drop_table("blobs")
    for name in RUN_COUNTS:
        op.drop_column("banks", name)
