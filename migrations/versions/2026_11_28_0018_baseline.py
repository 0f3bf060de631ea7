"""Baseline: all tables of the first release and, on PostgreSQL, row-level security by bank owner.

The policies do not apply to the role that owns the tables. Other roles see the banks of the owner set in
`foxing.owner`, or banks without an owner if none is set.
"""

import os

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_28_0018"
down_revision = None
branch_labels = None
depends_on = None

#: SQLite generates keys only for columns of type INTEGER.
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON_OBJECT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BYTE_ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

OWNER = "nullif(current_setting('foxing.owner', true), '')"
#: Tables with an owner column. Rows of all others belong to the owner of their bank or page.
OWNED = ("banks", "message_keys", "blobs")
OF_BANK = (
    *("threads", "messages", "pages", "message_ranges", "recent_postings", "posting_segments", "embeddings"),
    *("recall_weights", "trash", "idempotency_keys", "records", "schedule", "jobs"),
)
OF_PAGE = ("page_contents", "page_manifests", "keepsakes")


def user_text(chars: int) -> sa.types.TypeEngine[str]:
    """Returns the type of a text from users of up to `chars` characters. It has no limit on PostgreSQL, where NUL is
    escaped."""
    return sa.Text().with_variant(sa.String(chars), "sqlite")


def upgrade() -> None:
    """Creates the tables, the secret key of digests and, on PostgreSQL, the policies."""
    create_tables()
    #: Secret key of digests, which stays in the database.
    secrets = sa.table("secrets", sa.column("name"), sa.column("value", sa.LargeBinary()))
    op.bulk_insert(secrets, [{"name": "digests", "value": os.urandom(32)}])
    if op.get_context().dialect.name == "postgresql":
        create_owner_policies()


def downgrade() -> None:
    """Raises `NotImplementedError`: there is no earlier schema."""
    raise NotImplementedError("this is the first schema; delete the database instead")


def create_owner_policies() -> None:
    """Enables row-level security on all tables that hold data of banks."""
    for table in ("message_keys", "blobs"):  # these have no bank, or may outlive it
        op.add_column(table, sa.Column("owner", sa.String(200)))
    conditions = {
        **{table: f"owner IS NOT DISTINCT FROM {OWNER}" for table in OWNED},
        **{table: f"EXISTS (SELECT 1 FROM banks WHERE banks.id = {table}.bank_id)" for table in OF_BANK},
        **{table: f"EXISTS (SELECT 1 FROM pages WHERE pages.id = {table}.page_id)" for table in OF_PAGE},
    }
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ALTER owner SET DEFAULT {OWNER}")
    for table, condition in conditions.items():
        op.execute(f"CREATE POLICY owner ON {table} USING ({condition})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def create_tables() -> None:
    """Creates all tables and indexes."""
    op.create_table(
        "banks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("seal_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("embeddings_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("records_version", KEY, server_default=sa.text("0"), nullable=False),
        sa.Column("ranges_added", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ranges_changed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_banks"),
        sa.UniqueConstraint("name", name="uq_banks_name"),
    )
    op.create_table(
        "blobs",
        sa.Column("name", sa.String(90), nullable=False),
        sa.Column("digest", sa.LargeBinary(32)),
        sa.Column("bank", KEY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_blobs"),
        sa.UniqueConstraint("digest", name="uq_blobs_digest"),
    )
    op.create_index("ix_blobs_uses", "blobs", ["uses"])
    op.create_table(
        "embedders",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_embedders"),
        sa.UniqueConstraint("name", "dimensions", name="uq_embedders_name_dimensions"),
    )
    op.create_table(
        "message_keys",
        sa.Column("hash", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "message_id", name="pk_message_keys"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recent_postings",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name="pk_recent_postings"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recall_weights",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name="pk_recall_weights"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "retired_ids",
        sa.Column("table_name", sa.String(40), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("table_name", name="pk_retired_ids"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "embeddings",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("embedder_id", KEY, nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["embedder_id"], ["embedders.id"], name="fk_embeddings_embedder_id"),
        sa.PrimaryKeyConstraint("bank_id", "message_id", name="pk_embeddings"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("key", user_text(255), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_idempotency_keys_bank_id"),
        sa.PrimaryKeyConstraint("bank_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "jobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("run_after", TIME, nullable=False),
        sa.Column("lease_owner", sa.String(40)),
        sa.Column("lease_until", TIME),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_jobs_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("bank_id", "kind", name="uq_jobs_bank_id_kind"),
    )
    op.create_index("ix_jobs_run_after", "jobs", ["run_after", "id"])
    op.create_table(
        "pages",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("tier", sa.String(10), nullable=False),
        sa.Column("codec", sa.String(40), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=False),
        sa.Column("rows_used", sa.Integer(), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("sealed_at", TIME, nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("vision_tokens", sa.Integer(), nullable=False),
        sa.Column("token_bytes", sa.Integer(), nullable=False),
        sa.Column("text_bytes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("text_kept", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("lease_owner", sa.String(40)),
        sa.Column("lease_until", TIME),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_pages_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pages"),
        sa.UniqueConstraint("key", name="uq_pages_key"),
    )
    op.create_index("ix_pages_bank_id_last_at", "pages", ["bank_id", "last_at", "id", "first_at"])
    op.create_table(
        "posting_segments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("first_message", sa.BigInteger(), nullable=False),
        sa.Column("last_message", sa.BigInteger(), nullable=False),
        sa.Column("postings", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_posting_segments_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_posting_segments"),
    )
    op.create_index("ix_posting_segments_bank_id", "posting_segments", ["bank_id"])
    op.create_table(
        "records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("namespace", BYTE_ORDERED, nullable=False),
        sa.Column("key", BYTE_ORDERED, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("ordinal", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("ttl_s", sa.Float()),
        sa.Column("expires_at", TIME),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_records_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sa.UniqueConstraint("bank_id", "namespace", "key", name="uq_records_bank_id_namespace_key"),
    )
    op.create_index("ix_records_bank_id_namespace_ordinal", "records", ["bank_id", "namespace", "ordinal"])
    op.create_index("ix_records_expires_at", "records", ["expires_at"])
    op.create_table(
        "schedule",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("chars_left", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("codec", sa.String(40)),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_schedule_bank_id"),
        sa.PrimaryKeyConstraint("bank_id", "kind", name="pk_schedule"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_schedule_codec", "schedule", ["codec"])
    op.create_index("ix_schedule_due_at", "schedule", ["due_at"])
    op.create_table(
        "threads",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("name", user_text(200), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_threads_bank_id"),
        sa.PrimaryKeyConstraint("id", name="pk_threads"),
        sa.UniqueConstraint("bank_id", "name", name="uq_threads_bank_id_name"),
    )
    op.create_table(
        "keepsakes",
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_keepsakes_page_id"),
        sa.PrimaryKeyConstraint("page_id", "start", name="pk_keepsakes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message_ranges",
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("first_message", sa.BigInteger(), nullable=False),
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("last_message", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", KEY, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_message_ranges_page_id"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_message_ranges_thread_id"),
        sa.PrimaryKeyConstraint("bank_id", "first_message", "page_id", name="pk_message_ranges"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_message_ranges_thread_id", "message_ranges", ["thread_id", "first_message"])
    op.create_table(
        "messages",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("key", user_text(200)),
        sa.Column("thread_id", KEY, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("name", user_text(200)),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("parts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("metadata", JSON_OBJECT),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("chars", sa.Integer(), nullable=False),
        sa.Column("sealed_chars", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("passages", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_messages_bank_id"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_messages_thread_id"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_bank_id_created_at", "messages", ["bank_id", "created_at", "id"])
    op.create_index("ix_messages_thread_id", "messages", ["thread_id", "id"])
    op.create_table(
        "page_contents",
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_page_contents_page_id"),
        sa.PrimaryKeyConstraint("page_id", name="pk_page_contents"),
    )
    op.create_table(
        "page_manifests",
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_page_manifests_page_id"),
        sa.PrimaryKeyConstraint("page_id", name="pk_page_manifests"),
    )
    op.create_table(
        "trash",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank_id", KEY, nullable=False),
        sa.Column("page_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(10), nullable=False),
        sa.Column("tokens", sa.LargeBinary()),
        sa.Column("text", sa.LargeBinary()),
        sa.Column("parts", sa.LargeBinary()),
        sa.Column("dropped_at", TIME, nullable=False),
        sa.Column("purge_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["bank_id"], ["banks.id"], name="fk_trash_bank_id"),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name="fk_trash_page_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trash"),
    )
    op.create_index("ix_trash_bank_id_purge_at", "trash", ["bank_id", "purge_at"])
    op.create_index("ix_trash_page_id", "trash", ["page_id"])
