"""A recall request, and the same with its times and words resolved against a bank."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypedDict, Unpack

from sqlalchemy import Connection

from foxing.memory.clock import aware_utc
from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.metadata import Scalar, check_filter
from foxing.memory.models import Fidelity
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.text.terms import query_terms
from foxing.memory.text.times.window import Window, parse_since, parse_until, split_query, zone_of

from .cursors import Position, decode_cursor, encode_cursor, window_bounds
from .preference import TimePreference

MAX_LIMIT = 500
MAX_NEIGHBOURS = 5
MAX_QUERY_CHARS = 10_000
#: The reader that is shown pages as they are held; others have them laid out.
NATIVE_READER = "native"
#: A date as identifiers are written.
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class QueryFields(TypedDict, total=False):
    """Fields of a `RecallQuery` that text and images have in common, as keyword arguments."""

    since: str | datetime | None
    until: str | datetime | None
    now: str | datetime | None
    timezone: str | None
    thread: str | None
    metadata: Mapping[str, Scalar] | None
    limit: int
    cursor: str | None


class TextQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for text, as keyword arguments."""

    max_tokens: int | None
    neighbours: int
    fidelity: Fidelity


class ImageQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for page images, as keyword arguments."""

    reader: str


class AnyQueryFields(TextQueryFields, ImageQueryFields, total=False):
    """All fields of a `RecallQuery` but the query itself, as keyword arguments."""


@dataclass(frozen=True)
class RecallQuery:
    """What to recall.

    Raises `InvalidInput` for a field out of range and `InvalidTime` for a naive `now`. Times, timezone and cursor are
    checked when the query is run.
    """

    #: words to search for; without any, the time window is listed in time order. A time in the words, as in "what did
    #: we decide 3 weeks ago?", ranks messages of that time higher and excludes none; alone, it is the time window,
    #: and a date such as 2026-03-04 on which nothing was said is searched for as it is written
    query: str | None = None
    #: start of the time window, inclusive: a time, RFC 3339, or words such as "3 weeks ago" or "지난달"
    since: str | datetime | None = None
    #: end of the time window, exclusive, in the same forms; a period such as "last week" is included as a whole
    until: str | datetime | None = None
    #: time that words are relative to, in the same forms, of a period its start; the memory's clock by default
    now: str | datetime | None = None
    #: IANA name or offset for times without one; UTC by default
    timezone: str | None = None
    #: restricts the answer to one thread
    thread: str | None = None
    #: members that the metadata of a message must have, with equal values; null matches only a null that is there
    metadata: Mapping[str, Scalar] | None = None
    #: maximum number of messages, or of images and open messages together, 1 to 500
    limit: int = 20
    #: `next_cursor` of the previous answer to the same query
    cursor: str | None = None
    #: maximum number of text tokens of all spans together, each with who spoke and when; for text only
    max_tokens: int | None = None
    #: number of messages before and after each match in its thread to return with it, 0 to 5; for text only
    neighbours: int = 0
    #: "remembered" for the best that the memory holds, "verbatim" for text that is kept exactly; for text only
    fidelity: Fidelity = "remembered"
    #: model that the page images are laid out for, "native" for pages as they are held; for images only
    reader: str = NATIVE_READER

    def __post_init__(self) -> None:
        if self.query is not None and len(self.query) > MAX_QUERY_CHARS:
            raise InvalidInput(f"a query has at most {MAX_QUERY_CHARS:,} characters")
        if self.fidelity not in ("remembered", "verbatim"):
            raise InvalidInput(f"fidelity is 'remembered' or 'verbatim', not '{self.fidelity}'")
        if isinstance(self.now, datetime):
            aware_utc(self.now)
        check_limit(self.limit)
        check_filter(self.metadata or {})
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InvalidInput("max_tokens is at least 1")
        if not 0 <= self.neighbours <= MAX_NEIGHBOURS:
            raise InvalidInput(f"neighbours is 0 to {MAX_NEIGHBOURS}, not {self.neighbours}")

    @classmethod
    def build(cls, query: "str | RecallQuery | None", **fields: Unpack[AnyQueryFields]) -> "RecallQuery":
        """A query from its words and fields, or an existing one with some fields replaced."""
        return replace(query, **fields) if isinstance(query, RecallQuery) else cls(query, **fields)

    @property
    def verbatim(self) -> bool:
        return self.fidelity == "verbatim"


@dataclass(frozen=True)
class ResolvedQuery:
    """A `RecallQuery` in terms of the index of one bank."""

    #: index term → its count in the query; empty to list the time window
    terms: dict[str, int]
    #: the time window, half open, in UTC
    window: Window
    #: restricts the answer to one thread
    thread_id: int | None
    #: identifies the bank and the query in cursors, so that the cursor of another one is rejected
    fingerprint: str
    #: members that the metadata must have
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    #: time that the query says, if it also has words
    preference: TimePreference | None = None
    #: where the answer continues; None to begin
    position: Position | None = None

    def cursor(self, position: Position) -> str:
        """A cursor for `position`. It holds the window and the preference, so that later pages do not move with the
        clock."""
        preferred = Window(None, None) if self.preference is None else self.preference.window
        bounds = (self.window.since, self.window.until, preferred.since, preferred.until)
        return encode_cursor(self.fingerprint, [*(b and b.isoformat() for b in bounds), *position])

    @property
    def filter(self) -> MessageFilter:
        """The messages that the window, the thread and the metadata let through."""
        return MessageFilter(self.window.since, self.window.until, self.thread_id, self.metadata)


def resolve(connection: Connection, bank: Bank, query: RecallQuery, now: datetime) -> ResolvedQuery | None:
    """`query` resolved against `bank` at `now`; None if it names a thread that does not exist. Raises `InvalidTime`,
    `InvalidCursor`."""
    window = _given_window(query, now)
    words, said = split_query(query.query, now, query.timezone) if query.query else ("", None)
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise InvalidTime("since is not before until; there is no time between them")
    thread_id = None
    if query.thread is not None:
        thread_id = banks.find_thread(connection, bank.id, query.thread)
        if thread_id is None:
            return None
    terms = dict(query_terms(words)) if words.strip() else {}
    fingerprint = _fingerprint(bank, query)
    position = None
    if query.cursor:
        position = decode_cursor(query.cursor, fingerprint)
        window, said, position = _positioned(position)
        if said is not None and not terms:
            terms = dict(query_terms(query.query or ""))
    elif said is not None and not terms:  # a time alone asks for all that was said in it
        listed = _intersection(window, said)
        within = MessageFilter(listed.since, listed.until, thread_id, query.metadata or {})
        if _DATE.search(query.query or "") and not messages.window(connection, bank.id, within, after=None, limit=1):
            terms = dict(query_terms(query.query or ""))  # or, if nothing was said then, for who named the date
        else:
            window, said = listed, None
    preference = None if said is None else TimePreference(said)
    return ResolvedQuery(terms, window, thread_id, fingerprint, dict(query.metadata or {}), preference, position)


def narrowed(within: MessageFilter, window: Window) -> MessageFilter:
    """`within`, and in `window`."""
    both = _intersection(Window(within.since, within.until), window)
    return replace(within, since=both.since, until=both.until)


def check_limit(limit: int) -> None:
    """Raises `InvalidInput` unless `limit` is 1 to `MAX_LIMIT`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {limit}")


def _given_window(query: RecallQuery, now: datetime) -> Window:
    """The window between `since` and `until`."""
    zone_of(query.timezone)
    since = parse_since(query.since, now, query.timezone) if query.since is not None else None
    until = parse_until(query.until, now, query.timezone) if query.until is not None else None
    return Window(since, until)


def _positioned(position: Position) -> tuple[Window, Window | None, Position]:
    """The window, the preferred one and the rest of a position. Raises `InvalidCursor`."""
    window = Window(*window_bounds(position))
    preferred = Window(*window_bounds(position[2:]))
    return window, None if preferred == Window(None, None) else preferred, position[4:]


def _intersection(one: Window, other: Window) -> Window:
    since = max(filter(None, (one.since, other.since)), default=None)
    until = min(filter(None, (one.until, other.until)), default=None)
    return Window(since, until)


def _fingerprint(bank: Bank, query: RecallQuery) -> str:
    wanted = sorted((query.metadata or {}).items())
    fields = [bank.id, query.query, str(query.since), str(query.until), query.thread, wanted]
    plain = json.dumps(fields, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:12]
