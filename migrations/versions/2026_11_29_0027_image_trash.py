"""Files of images dropped by ageing."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0027"
down_revision = "2026_11_29_0026"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "image_trash",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("image_id", KEY, nullable=False),
        sa.Column("tier", sa.String(10)),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_image_trash_bank_id"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_trash_image_id"),
        sa.PrimaryKeyConstraint("id", name="pk_image_trash"),
    )
    op.create_index("ix_image_trash_image_id", "image_trash", ["image_id"])
    op.create_index("ix_image_trash_bank_id_purge_at", "image_trash", ["bank_id", "purge_at"])
    if op.get_context().dialect.name == "postgresql":
        same_bank = "EXISTS (SELECT 1 FROM banks WHERE banks.id = image_trash.bank_id)"
        op.execute(f"CREATE POLICY owner ON image_trash USING ({same_bank})")
        op.execute("ALTER TABLE image_trash ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
