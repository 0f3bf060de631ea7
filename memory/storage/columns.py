"""Column types and functions with the same behaviour on SQLite and PostgreSQL."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from sqlite3 import sqlite_version_info
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    String,
    Text,
    TypeDecorator,
    bindparam,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import NullType, TypeEngine

from foxing.memory.errors import StorageError


class UtcDateTime(TypeDecorator[datetime]):
    """Timestamp: aware in Python, in UTC in the database. Binding a naive datetime raises `ValueError`."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Converts to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the database")
        return value.astimezone(UTC)  # SQLite's type drops the time zone

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Returns a processor that returns an aware datetime in UTC, and raises `StorageError` for a damaged value. It
        runs for each time of each row."""
        parse = self.impl_instance.result_processor(dialect, coltype)

        def read(value: Any) -> datetime | None:
            if value is None:
                return None
            try:
                moment: Any = value if parse is None else parse(value)
            except (TypeError, ValueError) as error:
                raise StorageError("the database is damaged: it has an invalid time; restore a backup") from error
            time: datetime = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            return time

        return read


_ESCAPE = "\x10"  # data link escape: rare in text, doubled where it occurs


class EscapedText(TypeDecorator[str]):
    """Text on PostgreSQL, which cannot store NUL: NUL is escaped reversibly."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escapes NUL."""
        return None if value is None else _escaped(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Reverses the escaping of NUL."""
        return None if value is None else _unescaped(value)


def user_text(chars: int | None = None) -> TypeEngine[str]:
    """Returns the type of a text from users, which may contain NUL. `chars`: maximum length before escaping, declared
    for SQLite only, which does not enforce it."""
    plain = Text() if chars is None else String(chars)
    return plain.with_variant(EscapedText(), "postgresql")


def _escaped(text: str) -> str:
    return text.replace(_ESCAPE, 2 * _ESCAPE).replace("\0", _ESCAPE + "0")


def _unescaped(text: str) -> str:
    if _ESCAPE not in text:
        return text
    return _ESCAPE.join(part.replace(_ESCAPE + "0", "\0") for part in text.split(2 * _ESCAPE))


class EscapedJson(TypeDecorator[dict[str, Any]]):
    """JSON object on PostgreSQL, as JSONB, with NUL escaped in its strings."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> Any:
        """Escapes NUL in all strings."""
        return _with_strings(value, _escaped)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Reverses the escaping of NUL."""
        return _with_strings(value, _unescaped)


#: JSON object; None becomes SQL NULL.
JsonObject: TypeEngine[Any] = JSON(none_as_null=True).with_variant(EscapedJson(), "postgresql")


def _with_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Returns a JSON value with `change` applied to all its strings, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _with_strings(member, change) for key, member in value.items()}
    return [_with_strings(item, change) for item in value] if isinstance(value, list) else value


class octet_length(GenericFunction[int]):
    """Length of a text in UTF-8 bytes. SQLite's `length` counts characters and stops at the first NUL."""

    type = Integer()
    inherit_cache = True


@compiles(octet_length, "sqlite")
def _octet_length_in_sqlite(element: octet_length, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    # SQLite 3.43 and later tell the length without reading the text
    return f"octet_length({text})" if sqlite_version_info >= (3, 43) else f"length(CAST({text} AS BLOB))"


class JsonIds(TypeDecorator[Sequence[int]]):
    """Ids as a JSON array, which SQLite can read as a table."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> Any:
        """Encodes the ids as JSON."""
        return json.dumps(list(value or ()))


#: List of ids as one parameter. An IN (…) with a parameter for each id takes longer to build than to execute.
IdList: TypeEngine[Sequence[int]] = JsonIds().with_variant(ARRAY(BigInteger()), "postgresql")


class is_among(GenericFunction[Any]):
    """Condition that a column is one of the ids of an `IdList`. It has no type, because SQLite would compare a boolean
    with 1 and then not use an index."""

    type = NullType()
    inherit_cache = True


@compiles(is_among, "sqlite")
def _is_among_in_sqlite(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({ids})))"


@compiles(is_among, "postgresql")
def _is_among_in_postgresql(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY({ids}))"


def among(column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Returns the condition that a column is one of `ids`."""
    return is_among(column, bindparam(None, list(ids), IdList))


def is_given(column: ColumnElement[int]) -> ColumnElement[bool]:
    """Returns the condition that a column is one of the parameter `ids`, for statements that are built once: building a
    statement takes longer than executing it."""
    return is_among(column, bindparam("ids", type_=IdList))


class json_contains(GenericFunction[bool]):
    """Condition that a JSON object has all members of another one, whose values are scalars. Numbers are equal
    regardless of notation; true and 1 are not equal."""

    type = Boolean()
    inherit_cache = True


@compiles(json_contains, "sqlite")
def _json_contains_in_sqlite(element: json_contains, compiler: SQLCompiler, **options: Any) -> str:
    column, members = (compiler.process(clause, **options) for clause in element.clauses)
    return (
        f"(NOT EXISTS (SELECT 1 FROM json_each({members}) AS wanted LEFT JOIN json_each({column}) AS held "
        "ON held.key = wanted.key AND held.value IS wanted.value AND (held.type = wanted.type "
        "OR (held.type IN ('integer', 'real') AND wanted.type IN ('integer', 'real'))) WHERE held.key IS NULL))"
    )


@compiles(json_contains, "postgresql")
def _json_contains_in_postgresql(element: json_contains, compiler: SQLCompiler, **options: Any) -> str:
    column, members = (compiler.process(clause, **options) for clause in element.clauses)
    return f"coalesce({column} @> CAST({members} AS JSONB), false)"


#: Type of primary keys. SQLite generates keys only for columns of type INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")

#: Text without control characters, compared byte by byte regardless of the locale of the database.
ByteOrdered = Text().with_variant(Text(collation="C"), "postgresql")
