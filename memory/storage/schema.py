"""The tables. Nothing in them that SQLite or PostgreSQL could not do."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database. A naive datetime is an error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class octet_length(GenericFunction[int]):
    """Bytes of a text in UTF-8. SQLite's `length` counts characters, and those only up to the first NUL."""

    type = Integer()
    inherit_cache = True


@compiles(octet_length, "sqlite")
def _octet_length_in_sqlite(element: octet_length, compiler: SQLCompiler, **options: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


#: SQLite counts only INTEGER keys up by itself.
Key = BigInteger().with_variant(Integer(), "sqlite")

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
    #: counts up with every sealing; two processes that seal at once find out by it
    Column("seal_version", Integer, nullable=False, server_default=text("0")),
)

threads = Table(
    "threads",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("name", String(200), nullable=False),
    UniqueConstraint("bank_id", "name"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("key", String(200), nullable=False),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", String(200)),
    Column("created_at", UtcDateTime, nullable=False),
    #: exact text until the message is sealed whole
    Column("content", Text),
    #: tells the same message stored twice from another one under its id
    Column("digest", LargeBinary(16), nullable=False),
    Column("chars", Integer, nullable=False),
    #: characters that stand on pages already; a message longer than a page is sealed in parts
    Column("sealed_chars", Integer, nullable=False, server_default=text("0")),
    Column("open", Boolean, nullable=False, server_default=true()),
    #: index terms, counted with repetitions: the document length of BM25
    Column("terms", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("bank_id", "key"),
    Index("ix_messages_bank_id_terms", "bank_id", "terms"),  # counts and sums without reading the rows
    Index("ix_messages_bank_id_created_at", "bank_id", "created_at", "id"),
    Index("ix_messages_open", "bank_id", "created_at", "id", sqlite_where=text("open"), postgresql_where=text("open")),
)

pages = Table(
    "pages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("key", String(40), nullable=False, unique=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    #: counts up with every change of tokens or text; writers compare and swap on it
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("tier", String(10), nullable=False),
    Column("codec", String(40), nullable=False),
    Column("layout", JSON, nullable=False),
    Column("rows_used", Integer, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("sealed_at", UtcDateTime, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("vision_tokens", Integer, nullable=False),
    Column("token_bytes", Integer, nullable=False),
    Column("text_bytes", Integer, nullable=False, server_default=text("0")),
    Column("confidence", Float, nullable=False),
    Column("lease_owner", String(40)),
    Column("lease_until", UtcDateTime),
    Index("ix_pages_bank_id_last_at", "bank_id", "last_at", "id"),
)

#: The large columns of a page, apart so that listing pages does not read them.
page_contents = Table(
    "page_contents",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("tokens", LargeBinary, nullable=False),
    #: the exact grid, zstd; null once the text is dropped
    Column("text", LargeBinary),
)

spans = Table(
    "spans",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False, index=True),
    Column("header_start", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("stop", Integer, nullable=False),
    Column("char_start", Integer, nullable=False),
    Column("char_stop", Integer, nullable=False),
)

keepsakes = Table(
    "keepsakes",
    metadata,
    Column("page_id", ForeignKey("pages.id"), primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("stop", Integer, nullable=False),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("text", Text, nullable=False),
)

#: Which message holds which word how often; without their order, so that it is no copy of the text.
postings = Table(
    "postings",
    metadata,
    Column("bank_id", Key, primary_key=True),
    Column("term", String(64), primary_key=True),
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    Index("ix_postings_message_id", "message_id"),
    sqlite_with_rowid=False,
)

#: What ageing dropped, out of reach of recall, until the undo window has passed.
wastebasket = Table(
    "wastebasket",
    metadata,
    Column("id", Key, primary_key=True),
    Column("bank_id", ForeignKey("banks.id"), nullable=False),
    Column("page_id", ForeignKey("pages.id"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("tier", String(10), nullable=False),
    Column("tokens", LargeBinary),
    Column("text", LargeBinary),
    Column("dropped_at", UtcDateTime, nullable=False),
    Column("purge_at", UtcDateTime, nullable=False),
    Index("ix_wastebasket_bank_id_purge_at", "bank_id", "purge_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("bank_id", ForeignKey("banks.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", LargeBinary(16), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)
