"""Tables, in types that both SQLite and PostgreSQL support."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
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

#: (table, column) of columns that exist on PostgreSQL only, for its row-level security policies.
POLICY_COLUMNS = frozenset(
    {
        *(("api_keys", "owner"), ("audit_chain", "owner"), ("audit_events", "owner"), ("bank_jobs", "owner")),
        *(("blobs", "owner"), ("holds", "owner"), ("message_keys", "owner")),
    }
)

#: Tables without data of banks, which all owners share.
SHARED_TABLES = frozenset({"embedders", "secrets", "tenants", "usage_days"})

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
    #: Full name: that of its tenant, a mark, and its own.
    Column("name", String(251), nullable=False, unique=True),
    #: Tenant that it belongs to; null for none.
    Column("tenant", String(50), index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("policy", JSON, nullable=False),
    #: Incremented by every sealing, to detect concurrent sealing.
    Column("seal_version", Integer, nullable=False, server_default=text("0")),
    #: Time at which the first of its messages expires; null if none does.
    Column("expires_at", UtcDateTime),
    #: Incremented when embeddings of older messages change, to invalidate caches.
    Column("embeddings_version", Integer, nullable=False, server_default=text("0")),
    #: Version of the record stored last; incremented by every write of a record.
    Column("records_version", Key, nullable=False, server_default=text("0")),
    #: Incremented when ranges of a new page are added, and when others or open messages change; see
    #: `sealed.bank_ranges` and `sealed.open_threads`.
    Column("ranges_added", BigInteger, nullable=False, server_default=text("0")),
    Column("ranges_changed", BigInteger, nullable=False, server_default=text("0")),
    #: Key of the hashes of terms in its index, for a bank that came in a bundle; null for one that is derived from the
    #: secret of the database; see `secrets.index_key`.
    Column("index_key", LargeBinary(32)),
    #: What was added to the numbers of its messages when it came in a bundle.
    Column("numbers_added", BigInteger, nullable=False, server_default=text("0")),
    #: Owner; null if it has none. Set by PostgreSQL, whose policies hide all rows of the bank from other owners; see
    #: `options.DatabaseOptions.owner`.
    Column("owner", String(200)),
    sqlite_autoincrement=True,  # a process may still work on a bank that was erased
)

#: Random keys, which are never exported.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

#: Keys of callers of a service.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    #: Public part of the key, by which it is found.
    Column("prefix", String(16), nullable=False, unique=True),
    Column("salt", LargeBinary(16), nullable=False),
    #: HMAC-SHA256 of the whole key under the salt. A key is random, so that a slow digest would add nothing.
    Column("digest", LargeBinary(32), nullable=False),
    Column("name", user_text(200), nullable=False),
    #: "read", "write" or "admin".
    Column("role", String(10), nullable=False),
    #: Tenant that the key belongs to; null for none.
    Column("tenant", String(50)),
    #: Patterns of names of banks; null for all banks.
    Column("banks", JSON(none_as_null=True)),
    #: Limits of the key in each process; null for those of its tenant alone.
    Column("requests_per_s", Float),
    Column("recalls_at_once", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    sqlite_autoincrement=True,
)

#: Audit events: who did what and when, without words. Rows are inserted, joined to the chain once, and purged by age.
audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Key, primary_key=True),
    #: Place in the chain, from 1; null until the event is joined to it.
    Column("number", BigInteger, index=True),
    Column("at", UtcDateTime, nullable=False),
    #: Tenant of the bank, else of the caller; null for none.
    Column("tenant", String(50)),
    #: Id of the key of the caller; null for a caller without one.
    Column("key_id", String(16)),
    Column("door", String(20), nullable=False),
    Column("action", String(40), nullable=False),
    #: Full name of the bank; null for an action that concerns none.
    Column("bank", String(251)),
    #: Generated id, or keyed digest of an id that a caller chose; null for none.
    Column("subject", String(80)),
    #: Number of things concerned; null if it is not counted.
    Column("items", Integer),
    #: "done", or the type of the problem.
    Column("outcome", String(60), nullable=False),
    Column("hash", LargeBinary(32)),
    sqlite_autoincrement=True,
)

#: End of the chain of audit events, and the end of what was purged from its beginning.
audit_chain = Table(
    "audit_chain",
    metadata,
    Column("id", Key, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("purged", BigInteger, nullable=False),
    Column("purged_hash", LargeBinary(32), nullable=False),
)

#: Tenants with limits.
tenants = Table(
    "tenants",
    metadata,
    #: Empty for the callers that belong to none.
    Column("name", String(50), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    #: As `UsageLimits` has them.
    Column("limits", JSON, nullable=False),
    sqlite_with_rowid=False,
)

#: Usage by day of UTC. Messages and bytes are counted in the transaction that stores them.
usage_days = Table(
    "usage_days",
    metadata,
    Column("day", Date, primary_key=True),
    #: Empty for none, as the id of the key.
    Column("tenant", String(50), primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("requests", BigInteger, nullable=False, server_default=text("0")),
    Column("recalls", BigInteger, nullable=False, server_default=text("0")),
    Column("messages", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("image_tokens", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

#: Legal holds: what they name is neither erased nor aged.
holds = Table(
    "holds",
    metadata,
    Column("id", Key, primary_key=True),
    #: Public id.
    Column("key", String(16), nullable=False, unique=True),
    #: Tenant that set it, whose banks a hold on a person concerns; null for an operator, and all banks.
    Column("tenant", String(50)),
    #: Bank that is held; null for a hold on a person.
    Column("bank_id", ForeignKey("banks.id"), index=True),
    #: Name of a speaker whose messages are held; null for a hold on a bank.
    Column("person", user_text(200)),
    Column("reason", user_text(500), nullable=False),
    #: Time at which it was set.
    Column("since", UtcDateTime, nullable=False),
    #: Id of the API key that set it; null for a caller in process and for the key of the settings.
    Column("key_id", String(16)),
    sqlite_autoincrement=True,
)

threads = Table(
    "threads",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("name", user_text(200), nullable=False),
    #: Null while none is known; see `repositories.threads`.
    Column("title", user_text(200)),
    #: "export", "request" or "rename"; null for no title.
    Column("title_source", String(10)),
    #: Message that the title comes from, with which it fades or is erased; null for one of a rename.
    Column("title_message_id", BigInteger),
    UniqueConstraint("bank_id", "name"),
    Index("ix_threads_bank_id_title_message_id", "bank_id", "title_message_id"),
)

#: Speakers of threads by name, with the number of messages of each.
thread_persons = Table(
    "thread_persons",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), primary_key=True),
    Column("name", user_text(200), primary_key=True),
    Column("messages", Integer, nullable=False),
    Index("ix_thread_persons_bank_id_name", "bank_id", "name"),
    sqlite_with_rowid=False,
)

#: Open messages: those that are not sealed completely. Sealed ones are in the manifests of pages.
messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Public id; null if it was generated, see `repositories.sealed.keys`.
    Column("key", user_text(200)),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", user_text(200)),
    Column("created_at", UtcDateTime, nullable=False),
    #: Time of arrival in the bank.
    Column("arrived_at", UtcDateTime, nullable=False),
    #: Exact text.
    Column("content", user_text(), nullable=False),
    #: Number of content parts, of which the text is a rendering; 0 if the content is a plain text.
    Column("parts", Integer, nullable=False, server_default=text("0")),
    #: Metadata of the caller.
    Column("metadata", JsonObject),
    #: Keyed digest: distinguishes a message stored twice from a different one with the same id.
    Column("digest", LargeBinary(16), nullable=False),
    Column("chars", Integer, nullable=False),
    #: Number of characters on pages; a message longer than a page is sealed in parts.
    Column("sealed_chars", Integer, nullable=False, server_default=text("0")),
    #: Number of passages in the index.
    Column("passages", Integer, nullable=False, server_default=text("1")),
    #: Trust class; null for that of its role.
    Column("trust", String(10)),
    #: Whether rules recognise instructions in it, though it is data.
    Column("suspicious", Boolean, nullable=False, server_default=false()),
    #: Offsets of the gaps in its text, of a message that had faded in another bank; null for none.
    Column("gaps", JSON(none_as_null=True)),
    Index("ix_messages_bank_id_created_at", "bank_id", "created_at", "id"),
    Index("ix_messages_thread_id", "thread_id", "created_at", "id"),  # for the messages around one in its thread
    sqlite_autoincrement=True,  # ids of sealed messages must not be reused
)

#: Messages that expire, open and sealed ones, with the time.
message_expiries = Table(
    "message_expiries",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("message_id", Key, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_message_expiries_bank_id_expires_at", "bank_id", "expires_at"),
    sqlite_with_rowid=False,
)

#: Hash index of the ids chosen by callers, for open and sealed messages; see `repositories.sealed.keys`.
message_keys = Table(
    "message_keys",
    metadata,
    #: Hash of bank and public id. Not unique.
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
    #: Incremented by every change, for compare-and-swap.
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("tier", String(10), nullable=False),
    Column("codec", String(40), nullable=False),
    Column("layout", JSON, nullable=False),
    Column("rows_used", Integer, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("sealed_at", UtcDateTime, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    #: Latest time of arrival of its messages.
    Column("arrived_at", UtcDateTime, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("vision_tokens", Integer, nullable=False),
    Column("token_bytes", Integer, nullable=False),
    #: Bytes stored for the exact text, in addition to the tokens.
    Column("text_bytes", Integer, nullable=False, server_default=text("0")),
    Column("text_kept", Boolean, nullable=False, server_default=false()),
    Column("confidence", Float, nullable=False),
    #: Whether facts have faded, because they alone exceed a tier's maximum.
    Column("facts_faded", Boolean, nullable=False, server_default=false()),
    Column("lease_owner", String(40)),
    Column("lease_until", UtcDateTime),
    Index("ix_pages_bank_id_last_at", "bank_id", "last_at", "id", "first_at"),
    sqlite_autoincrement=True,  # a process may still work on a page that was deleted
)

#: Large columns of pages, in a separate table so that listing pages does not read them.
page_contents = Table(
    "page_contents",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("tokens", LargeBinary, nullable=False),
    #: Exact text, or corrections to the tokens' reading, see `pages.exact_text`; null once it is dropped.
    Column("text", LargeBinary),
)

#: Blobs in object storage; columns hold references to them, see `storage.blobs.reference`.
blobs = Table(
    "blobs",
    metadata,
    #: Name of the object: digest of its content and a nonce.
    Column("name", String(90), primary_key=True),
    #: Digest of the content, for reuse; null once the blob is marked for deletion.
    Column("digest", LargeBinary(32), unique=True),
    #: Bank that it belongs to, which may be deleted earlier.
    Column("bank", Key, nullable=False),
    Column("size", BigInteger, nullable=False),
    #: Reference count.
    Column("uses", Integer, nullable=False),
    Index("ix_blobs_uses", "uses"),
)

#: Messages of a page and their places on it; see `storage.manifest`.
page_manifests = Table(
    "page_manifests",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    #: New random number with every change, to invalidate caches.
    Column("stamp", BigInteger, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
)

#: Index from messages to pages; see `repositories.sealed.ranges`.
message_ranges = Table(
    "message_ranges",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("first_message", BigInteger, primary_key=True),
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("last_message", BigInteger, nullable=False),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    #: Number of messages that begin on the page.
    Column("messages", Integer, nullable=False),
    #: Times of the earliest and the latest of the messages, in microseconds since 1970.
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index("ix_message_ranges_thread_id", "thread_id", "first_message"),
    sqlite_with_rowid=False,
)

#: Keepsakes: exact identifiers and the cells that they replace.
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

#: Terms of new messages with their counts; see `index.postings.ENTRY`. Terms are hashed and not in text order, so
#: the text cannot be restored from them.
recent_postings = Table(
    "recent_postings",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", Key, primary_key=True, autoincrement=False),
    Column("entries", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Terms of many messages, packed by term.
posting_segments = Table(
    "posting_segments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False, index=True),
    #: New random number with every change, to invalidate caches.
    Column("stamp", BigInteger, nullable=False),
    #: Lowest and highest message id.
    Column("first_message", BigInteger, nullable=False),
    Column("last_message", BigInteger, nullable=False),
    Column("postings", LargeBinary, nullable=False),
)

#: Embedding models and their dimensions.
embedders = Table(
    "embedders",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("dimensions", Integer, nullable=False),
    UniqueConstraint("name", "dimensions"),
)

#: Embeddings of new messages, each as a code of at most 96 bytes per passage; empty if there is no text to embed.
embeddings = Table(
    "embeddings",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", Key, primary_key=True, autoincrement=False),
    Column("embedder_id", ForeignKey("embedders.id"), nullable=False),
    Column("code", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Embeddings of many messages, packed when a page is sealed; see `packed_codes`.
embedding_segments = Table(
    "embedding_segments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False, index=True),
    Column("embedder_id", ForeignKey("embedders.id"), nullable=False),
    #: Lowest and highest message id.
    Column("first_message", BigInteger, nullable=False),
    Column("last_message", BigInteger, nullable=False),
    #: Number of messages.
    Column("messages", Integer, nullable=False),
    Column("codes", LargeBinary, nullable=False),
)

#: Images in messages, each once a bank; see `repositories.images`.
images = Table(
    "images",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Keyed digest of the file as it came.
    Column("digest", LargeBinary(32), nullable=False),
    #: New random number with every change, for compare-and-swap.
    Column("stamp", BigInteger, nullable=False),
    #: Tier at which it is held; null while it is as it came.
    Column("tier", String(10)),
    Column("media_type", String(40), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    #: Size of the file in bytes.
    Column("bytes", Integer, nullable=False),
    #: The same as it came.
    Column("original_media_type", String(40), nullable=False),
    Column("original_width", Integer, nullable=False),
    Column("original_height", Integer, nullable=False),
    Column("original_bytes", Integer, nullable=False),
    #: The file; null once it is dropped.
    Column("content", LargeBinary),
    #: Text in it as a machine read it, empty if there is none; null while it is not read.
    Column("read_text", Text),
    #: Mean confidence of the characters read, 0 to 1.
    Column("read_confidence", Float),
    UniqueConstraint("bank_id", "digest"),
)

#: Images of each message, open or sealed.
image_places = Table(
    "image_places",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    #: Number in the message, from 1, as its label says.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("image_id", ForeignKey("images.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: Decaying count of recalls of each message; see `repositories.recall_weights`.
recall_weights = Table(
    "recall_weights",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("weight", Float, nullable=False),
    sqlite_with_rowid=False,
)

#: Standing facts: clauses of messages that state what holds, and those that say that something has changed. Rows have
#: no words; see `foxing.memory.facts`.
facts = Table(
    "facts",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    #: Range of characters in the message as it was stored.
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("stop", Integer, nullable=False),
    #: Null for a clause that only says that something has changed.
    Column("kind", String(10)),
    Column("changes", Boolean, nullable=False),
    #: Time of the message.
    Column("said_at", UtcDateTime, nullable=False),
    #: A byte for each of its words, too short to tell the word, by which a clause is found among what has not faded.
    Column("marks", LargeBinary, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    #: Time at which it was dismissed or corrected, and the message that corrects it.
    Column("closed_at", UtcDateTime),
    Column("closed_by", BigInteger),
    Index("ix_facts_bank_id_said_at", "bank_id", "said_at", "message_id"),
    sqlite_with_rowid=False,
)

#: Numbers of erased messages, so that their references are told from unknown ones, and the ids of those that were turns
#: of a session, so that no way in stores them again. Nothing else of them is kept.
erased_messages = Table(
    "erased_messages",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("turn", String(37)),
    Index("ix_erased_messages_turn", "bank_id", "turn"),
    sqlite_with_rowid=False,
)

#: Messages that the policy of a bank has quarantined; see `foxing.memory.quarantine`.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Public id of the message.
    Column("key", user_text(200), nullable=False),
    Column("thread", user_text(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", user_text(200)),
    Column("created_at", UtcDateTime, nullable=False),
    #: Time at which it expires; null if it does not.
    Column("expires_at", UtcDateTime),
    #: Rule that recognised instructions in it.
    Column("rule", String(60), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("arrived_at", UtcDateTime, nullable=False),
    #: The `NewMessage` as JSON.
    Column("message", Text, nullable=False),
    UniqueConstraint("bank_id", "key"),
)

#: Contents dropped by ageing, kept for undo until the undo window has passed. Not searched by recall.
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
    #: Earlier spans and keepsakes, if the page was laid out again; see `repositories.trash.pack_parts`.
    Column("parts", LargeBinary),
    #: Whether facts had faded before.
    Column("facts_faded", Boolean, nullable=False, server_default=false()),
    Column("dropped_at", UtcDateTime, nullable=False),
    Column("purge_at", UtcDateTime, nullable=False),
    Index("ix_trash_bank_id_purge_at", "bank_id", "purge_at"),
)

#: Files of images dropped by ageing, kept for undo until the undo window has passed.
image_trash = Table(
    "image_trash",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("image_id", ForeignKey("images.id"), nullable=False, index=True),
    #: Tier at which it was held; null for an image as it came.
    Column("tier", String(10)),
    Column("media_type", String(40), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("purge_at", UtcDateTime, nullable=False),
    Index("ix_image_trash_bank_id_purge_at", "bank_id", "purge_at"),
)

#: Answers to writes with an idempotency key, repeated for the same request.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("key", user_text(255), primary_key=True),
    Column("digest", LargeBinary(16), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

#: Jobs of banks that services carry out: imports, and calls that take longer than a request; see
#: `foxing.memory.bank_jobs`.
bank_jobs = Table(
    "bank_jobs",
    metadata,
    Column("id", Key, primary_key=True),
    #: Public id.
    Column("key", String(40), nullable=False, unique=True),
    #: Null for the erasure of a bank, which the job outlives, or of a person, in all banks of the caller.
    Column("bank_id", ForeignKey("banks.id"), index=True),
    #: Tenant of its bank or its caller; null for none.
    Column("tenant", String(50)),
    Column("kind", String(20), nullable=False),
    #: "waiting", "running", "done", "failed", "cancelled" or, of an import, "stopped".
    Column("state", String(10), nullable=False),
    #: Whether it is to end.
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    #: Number of times that it began.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    #: Process that carries it out, which renews its lease.
    Column("lease_owner", String(40), nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    #: Id of the key of its caller, for the audit log; null for none.
    Column("key_id", String(16)),
    #: Digest of the request, and arguments of the call; null for an import, and once it has ended.
    Column("digest", LargeBinary(32)),
    Column("options", JSON(none_as_null=True)),
    #: Its other fields, as `ImportJob` or `Job` has them.
    Column("job", JSON, nullable=False),
    Index("ix_bank_jobs_state_lease_until", "state", "lease_until"),
    sqlite_autoincrement=True,  # ids are positions in lists
)

#: Exact values stored for agent frameworks; see `foxing.memory.records`.
records = Table(
    "records",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Labels, each followed by U+001F, so that a prefix of labels is a prefix of the text.
    Column("namespace", ByteOrdered, nullable=False),
    Column("key", ByteOrdered, nullable=False),
    #: JSON as text: database types for JSON reorder members and round numbers.
    Column("value", Text, nullable=False),
    #: Text for search by words; null for all strings of the value.
    Column("text", user_text()),
    #: Embeddings of the text, see `foxing.memory.records.vectors`; null while it has none.
    Column("vectors", LargeBinary),
    #: The embedder that they come from, a row of `embedders`; null while it has not been embedded.
    Column("embedder_id", Key),
    #: The bank's `records_version` when the record was created; defines the order of records.
    Column("ordinal", Key, nullable=False),
    #: The bank's `records_version` when it was last stored. Never reused in a bank, not even after deletion.
    Column("version", Key, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    #: Time to live in seconds, counted from the last write or, if the reader requests it, read.
    Column("ttl_s", Float),
    Column("expires_at", UtcDateTime, index=True),
    UniqueConstraint("bank_id", "namespace", "key"),
    Index("ix_records_bank_id_namespace_ordinal", "bank_id", "namespace", "ordinal"),
)

#: Folds of conversations: what stands for their older messages; see `foxing.memory.fold`. Rows are never changed.
folds = Table(
    "folds",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    #: Digest of session, request format, reader and first user message.
    Column("key", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: Number of the fold whose content comes before this one; null for none.
    Column("base", Integer),
    #: Thread in which the folded messages are stored.
    Column("thread", user_text(200), nullable=False),
    #: Number of items of the conversation that are folded, and the digest of these; 0 for a mark that the provider has
    #: refused the folds before it.
    Column("folded_items", Integer, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    #: Number of items of the conversation when it was folded.
    Column("until", Integer, nullable=False),
    #: Digests, 8 bytes each, of the kept items whose thinking was removed.
    Column("kept", LargeBinary, nullable=False),
    #: Tokens of the folded part, base included, and of the items that it stands for.
    Column("tokens", Integer, nullable=False),
    Column("raw_tokens", Integer, nullable=False),
    #: Number of page images, base included.
    Column("images", Integer, nullable=False),
    #: What the fold cost more than the call without it, in the unit of the prices of the request.
    Column("cost", Float, nullable=False),
    #: Compressed JSON: blocks of the folded message, and what is left of the messages in it.
    Column("content", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_folds_bank_id_thread", "bank_id", "thread"),
)

#: Calls of models as they were billed, and as they would have been without folding; see `foxing.memory.savings`.
model_calls = Table(
    "model_calls",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: Id given by the caller.
    Column("key", user_text(200), nullable=False),
    Column("called_at", UtcDateTime, nullable=False),
    #: Day of the call in UTC.
    Column("day", Date, nullable=False),
    #: Session and conversation; both empty once the thread of the session has been erased.
    Column("session", user_text(200), nullable=False),
    Column("conversation", user_text(200), nullable=False),
    Column("model", user_text(200), nullable=False),
    Column("folded", Boolean, nullable=False),
    #: Whether the conversation has been sent folded at this call or before.
    Column("ever_folded", Boolean, nullable=False),
    #: Whether the provider has cached some of the conversation at this call or before.
    Column("caches", Boolean, nullable=False),
    #: Whether the tokens of the original are exact.
    Column("counted", Boolean, nullable=False),
    Column("retries", Integer, nullable=False),
    #: Tokens of the input by how they were billed, and of the answer.
    Column("fresh_tokens", Integer, nullable=False),
    Column("written_tokens", Integer, nullable=False),
    Column("read_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    #: Tokens of the input without folding, and those of them that the provider caches.
    Column("original_tokens", Integer, nullable=False),
    Column("original_prefix", Integer, nullable=False),
    #: Price of the input, and what it would have been without folding.
    Column("billed", Float, nullable=False),
    Column("original", Float, nullable=False),
    UniqueConstraint("bank_id", "key"),
    Index("ix_model_calls_bank_id_session_conversation", "bank_id", "session", "conversation", "id"),
    Index("ix_model_calls_bank_id_called_at", "bank_id", "called_at"),
)

#: Time at which each kind of job of a bank is next due. It may be too early but never too late: every change that makes
#: work due earlier brings it forward in the same transaction.
schedule = Table(
    "schedule",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    #: Null if nothing is going to be due.
    Column("due_at", UtcDateTime, index=True),
    #: Sealing: number of characters that can be added to the open messages before they may fill a page.
    Column("chars_left", Integer, nullable=False, server_default=text("0")),
    #: Codec for which the time was computed; null if it does not depend on one.
    Column("codec", String(40), index=True),
    sqlite_with_rowid=False,
)

#: Queue of due jobs, at most one for each bank and kind.
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
    #: Number of attempts.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    #: Last error.
    Column("last_error", user_text()),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("bank_id", "kind"),
    Index("ix_jobs_run_after", "run_after", "id"),
)
