"""The tables, in types that both SQLite and PostgreSQL have."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from .columns import ByteOrdered, JsonObject, Key, UtcDateTime, user_text

#: Table and column of what PostgreSQL has for its policies alone: nothing here reads or writes it.
POLICY_COLUMNS = frozenset({("blobs", "owner"), ("message_keys", "owner")})

#: Tables that hold nothing of a bank; the policies leave them alone.
SHARED_TABLES = frozenset({"embedders", "retired_ids", "secrets"})

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

banks = Table(
    "banks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("policy", JSON, nullable=False),
    #: Incremented by every sealing, so that two processes that seal at once notice.
    Column("seal_version", Integer, nullable=False, server_default=text("0")),
    #: Incremented when embeddings of older messages change, so that processes read them again.
    Column("embeddings_version", Integer, nullable=False, server_default=text("0")),
    #: Incremented by every record that is stored, whose version it becomes.
    Column("records_version", Key, nullable=False, server_default=text("0")),
    #: Incremented when ranges of a new page are added, and when others are added or removed: `sealed.bank_ranges`.
    Column("ranges_added", BigInteger, nullable=False, server_default=text("0")),
    Column("ranges_changed", BigInteger, nullable=False, server_default=text("0")),
    #: Whose it is; null if it is nobody's. PostgreSQL sets it, and keeps other owners from all rows of the bank, see
    #: `options.DatabaseOptions.owner`.
    Column("owner", String(200)),
)

#: Random bytes that never leave the database.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

#: The highest id of a row that was deleted from a table; SQLite would give it again. See `ids`.
retired_ids = Table(
    "retired_ids",
    metadata,
    Column("table_name", String(40), primary_key=True),
    Column("id", Key, nullable=False),
    sqlite_with_rowid=False,
)

threads = Table(
    "threads",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("name", user_text(200), nullable=False),
    UniqueConstraint("bank_id", "name"),
)

#: Messages that are not sealed to their end. What is sealed is in the manifests of pages.
messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Its id as callers know it; null if it was generated, see `repositories.sealed.keys`.
    Column("key", user_text(200)),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", user_text(200)),
    Column("created_at", UtcDateTime, nullable=False),
    #: When it came into the bank.
    Column("arrived_at", UtcDateTime, nullable=False),
    #: The exact text.
    Column("content", user_text(), nullable=False),
    #: How many parts the content was given in; 0 if it is just a text, else the text is their rendering.
    Column("parts", Integer, nullable=False, server_default=text("0")),
    #: What the caller keeps with the message.
    Column("metadata", JsonObject),
    #: Keyed: tells a message stored twice from a different one under the same key.
    Column("digest", LargeBinary(16), nullable=False),
    Column("chars", Integer, nullable=False),
    #: Characters that are on pages; a message longer than a page is sealed in parts.
    Column("sealed_chars", Integer, nullable=False, server_default=text("0")),
    #: In how many passages it is found and given back.
    Column("passages", Integer, nullable=False, server_default=text("1")),
    Index("ix_messages_bank_id_created_at", "bank_id", "created_at", "id"),
    Index("ix_messages_thread_id", "thread_id", "id"),  # finds the messages before and after one in its thread
    sqlite_autoincrement=True,  # the id of a message that is sealed must not be used again
)

#: Finds messages by the ids that callers chose, open ones and sealed ones; see `repositories.sealed.keys`.
message_keys = Table(
    "message_keys",
    metadata,
    #: Of the bank and the id. Another message may have the same.
    Column("hash", Integer, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

pages = Table(
    "pages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("key", String(40), nullable=False, unique=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Incremented by every change; writers compare and swap on it.
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("tier", String(10), nullable=False),
    Column("codec", String(40), nullable=False),
    Column("layout", JSON, nullable=False),
    Column("rows_used", Integer, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("sealed_at", UtcDateTime, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    #: When the last of its messages came into the bank.
    Column("arrived_at", UtcDateTime, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("vision_tokens", Integer, nullable=False),
    Column("token_bytes", Integer, nullable=False),
    #: Of what is stored of the exact text beside the tokens.
    Column("text_bytes", Integer, nullable=False, server_default=text("0")),
    Column("text_kept", Boolean, nullable=False, server_default=false()),
    Column("confidence", Float, nullable=False),
    Column("lease_owner", String(40)),
    Column("lease_until", UtcDateTime),
    Index("ix_pages_bank_id_last_at", "bank_id", "last_at", "id", "first_at"),
)

#: The large columns of pages, in a table of their own so that listing pages does not read them.
page_contents = Table(
    "page_contents",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("tokens", LargeBinary, nullable=False),
    #: What the tokens do not read of the exact text, see `pages.exact_text`; null once it is dropped.
    Column("text", LargeBinary),
)

#: Blobs that are in object storage; columns hold references to them, see `storage.blobs.reference`.
blobs = Table(
    "blobs",
    metadata,
    #: The name of the object: the digest of its content and a random number.
    Column("name", String(90), primary_key=True),
    #: Finds a blob by its content; null once it is to be deleted, and must not be used again.
    Column("digest", LargeBinary(32), unique=True),
    #: The bank that it belongs to. The bank may be gone before it.
    Column("bank", Key, nullable=False),
    Column("size", BigInteger, nullable=False),
    #: How many columns refer to it.
    Column("uses", Integer, nullable=False),
    Index("ix_blobs_uses", "uses"),
)

#: The messages of a page and their places on it; see `storage.manifest`.
page_manifests = Table(
    "page_manifests",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    #: A new random number with every change: what is known of other stamps must be read again.
    Column("stamp", BigInteger, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
)

#: Which page holds a message; see `repositories.sealed.ranges`.
message_ranges = Table(
    "message_ranges",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("first_message", BigInteger, primary_key=True),
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("last_message", BigInteger, nullable=False),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    #: How many of them begin on the page.
    Column("messages", Integer, nullable=False),
    Index("ix_message_ranges_thread_id", "thread_id", "first_message"),
    sqlite_with_rowid=False,
)

#: Exact identifiers and the cells that they replace.
keepsakes = Table(
    "keepsakes",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("stop", Integer, nullable=False),
    Column("message_id", Key, nullable=False),
    Column("text", user_text(), nullable=False),
    sqlite_with_rowid=False,
)

#: Which terms new messages contain, and how often; see `recall.lexical.postings.ENTRY`. Terms are hashed and not in the
#: order of the text, so this is no copy of it.
recent_postings = Table(
    "recent_postings",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", Key, primary_key=True, autoincrement=False),
    Column("entries", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: The same of many messages, packed by term.
posting_segments = Table(
    "posting_segments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False, index=True),
    #: A new random number with every change: what is known of other stamps need not be read again.
    Column("stamp", BigInteger, nullable=False),
    #: Lowest and highest id of the messages.
    Column("first_message", BigInteger, nullable=False),
    Column("last_message", BigInteger, nullable=False),
    Column("postings", LargeBinary, nullable=False),
)

#: Who made embeddings: name of the model, and how many numbers its vectors have.
embedders = Table(
    "embedders",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("dimensions", Integer, nullable=False),
    UniqueConstraint("name", "dimensions"),
)

#: What each message means, as a code of at most 96 bytes; empty if nothing of it is left to embed.
embeddings = Table(
    "embeddings",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", Key, primary_key=True, autoincrement=False),
    Column("embedder_id", ForeignKey("embedders.id"), nullable=False),
    Column("code", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: How much each message was recalled; see `repositories.recall_weights`.
recall_weights = Table(
    "recall_weights",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("weight", Float, nullable=False),
    sqlite_with_rowid=False,
)

#: What ageing dropped, out of reach of recall, until the undo window has passed.
trash = Table(
    "trash",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("page_id", ForeignKey("pages.id"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("tier", String(10), nullable=False),
    Column("tokens", LargeBinary),
    Column("text", LargeBinary),
    #: Where messages and keepsakes stood on the page, if it was re-laid out; see `repositories.trash.pack_parts`.
    Column("parts", LargeBinary),
    Column("dropped_at", UtcDateTime, nullable=False),
    Column("purge_at", UtcDateTime, nullable=False),
    Index("ix_trash_bank_id_purge_at", "bank_id", "purge_at"),
)

#: Answers to writes with an idempotency key, given again to the same request.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("key", user_text(255), primary_key=True),
    Column("digest", LargeBinary(16), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

#: Values of agent frameworks that come back exactly; see `foxing.memory.records`.
records = Table(
    "records",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Its labels, each followed by U+001F, so that a beginning of labels is a beginning of the text.
    Column("namespace", ByteOrdered, nullable=False),
    Column("key", ByteOrdered, nullable=False),
    #: JSON as text: a database's own type of JSON would reorder members and round numbers.
    Column("value", Text, nullable=False),
    #: What a search by words looks at; null for all strings of the value.
    Column("text", user_text()),
    #: The bank's `records_version` when the record was created, which orders records.
    Column("ordinal", Key, nullable=False),
    #: The same when it was last stored. Never used twice in a bank, not even for a record that was deleted.
    Column("version", Key, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    #: Seconds that it lives after it was stored or, where the reader asks for it, read.
    Column("ttl_s", Float),
    Column("expires_at", UtcDateTime, index=True),
    UniqueConstraint("bank_id", "namespace", "key"),
    Index("ix_records_bank_id_namespace_ordinal", "bank_id", "namespace", "ordinal"),
)

#: When the clock next has to look at a bank, for each kind of job. A time may be too early, never too late: whatever
#: could make work due earlier brings it forward in the same transaction.
schedule = Table(
    "schedule",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    #: Null if nothing becomes due by the passing of time.
    Column("due_at", UtcDateTime, index=True),
    #: Sealing: how many more characters the open messages can take before they may fill a page.
    Column("chars_left", Integer, nullable=False, server_default=text("0")),
    #: The codec whose tiers and pages the time was worked out for; null if it does not depend on one.
    Column("codec", String(40), index=True),
    sqlite_with_rowid=False,
)

#: Work that is due, until it is done: at most one job of a kind and bank.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("kind", String(10), nullable=False),
    #: "waiting" or "running".
    Column("state", String(10), nullable=False),
    Column("run_after", UtcDateTime, nullable=False),
    Column("lease_owner", String(40)),
    Column("lease_until", UtcDateTime),
    #: How often it was taken.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    #: Why it failed the last time.
    Column("last_error", user_text()),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("bank_id", "kind"),
    Index("ix_jobs_run_after", "run_after", "id"),
)
