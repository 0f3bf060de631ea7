"""Images in messages."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_0026"
down_revision = "2026_11_29_0025"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "images",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.String(10)),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("original_media_type", sa.String(40), nullable=False),
        sa.Column("original_width", sa.Integer(), nullable=False),
        sa.Column("original_height", sa.Integer(), nullable=False),
        sa.Column("original_bytes", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_images_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.UniqueConstraint("bank_id", "digest", name="uq_images_bank_id_digest"),
    )
    op.create_table(
        "image_places",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("image_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_places_image_id"),
        sa.PrimaryKeyConstraint("bank_id", "message_id", "number", name="pk_image_places"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_image_places_image_id", "image_places", ["image_id"])
    if op.get_context().dialect.name == "postgresql":
        for table in ("images", "image_places"):
            same_bank = f"EXISTS (SELECT 1 FROM banks WHERE banks.id = {table}.bank_id)"
            op.execute(f"CREATE POLICY owner ON {table} USING ({same_bank})")
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Raises `NotImplementedError`: restore a backup instead."""
    raise NotImplementedError("restore a backup that was made before the upgrade instead")
