"""Records: values of agent frameworks that come back exactly."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0009"
down_revision = "2026_11_26_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    byte_ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    op.add_column("banks", sa.Column("records_version", key, server_default=sa.text("0"), nullable=False))
    op.create_table(
        "records",
        sa.Column("id", key, nullable=False),
        sa.Column("bank_id", key, nullable=False),
        sa.Column("namespace", byte_ordered, nullable=False),
        sa.Column("key", byte_ordered, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("ordinal", key, nullable=False),
        sa.Column("version", key, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("ttl_s", sa.Float(), nullable=True),
        sa.Column("expires_at", time, nullable=True),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name=op.f("fk_records_bank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("bank_id", "namespace", "key", name=op.f("uq_records_bank_id_namespace_key")),
    )
    op.create_index("ix_records_bank_id_namespace_ordinal", "records", ["bank_id", "namespace", "ordinal"])
    op.create_index(op.f("ix_records_expires_at"), "records", ["expires_at"])


def downgrade() -> None:
    op.drop_table("records")
    op.drop_column("banks", "records_version")
