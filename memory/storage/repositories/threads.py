"""Threads in the order of their last messages, with their titles and speakers.

A title is one that a message brings in its metadata, as those of exports do, else the first request of the thread. It
lasts as long as the words of its message: the writer of pages replaces it when they fade, and erasing the message
deletes it. A title that somebody gave lasts as long as the thread.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into
from foxing.memory.storage.message_filter import instant
from foxing.memory.values.threads import TitleSource

from .batches import batched

_m = schema.messages.c
_r = schema.message_ranges.c
_t = schema.threads.c
_p = schema.thread_persons.c
#: Speakers of a thread that its entry in a list names.
PERSONS = 8


class ThreadTotals(NamedTuple):
    """A thread with the number and the times of its messages. Orders by time."""

    last_at: datetime
    id: int
    messages: int
    first_at: datetime


def newest_first(connection: Connection, bank_id: int) -> list[ThreadTotals]:
    """Returns the threads of a bank that have messages by the times of their last ones, newest first, then by id."""
    # a message that is sealed in part is counted on its first page
    begun = func.count().filter(_m.sealed_chars == 0)
    still_open = select(_m.thread_id, begun, func.min(_m.created_at), func.max(_m.created_at))
    sealed = select(_r.thread_id, func.sum(_r.messages), func.min(_r.first_at), func.max(_r.last_at))
    rows: list[tuple[Any, ...]] = [
        tuple(row) for row in connection.execute(still_open.where(_m.bank_id == bank_id).group_by(_m.thread_id))
    ]
    for thread_id, number, *times in connection.execute(sealed.where(_r.bank_id == bank_id).group_by(_r.thread_id)):
        rows.append((thread_id, int(number), *map(instant, times)))
    threads: dict[int, ThreadTotals] = {}
    for thread_id, number, first_at, last_at in rows:
        other = threads.get(thread_id, ThreadTotals(last_at, thread_id, 0, first_at))
        threads[thread_id] = ThreadTotals(
            max(last_at, other.last_at), thread_id, number + other.messages, min(first_at, other.first_at)
        )
    return sorted(threads.values(), reverse=True)


def totals_of(connection: Connection, thread_id: int) -> ThreadTotals:
    """Returns the totals of a thread that has messages."""
    begun = func.count().filter(_m.sealed_chars == 0)
    still_open = select(begun, func.min(_m.created_at), func.max(_m.created_at)).where(_m.thread_id == thread_id)
    sealed = select(func.sum(_r.messages), func.min(_r.first_at), func.max(_r.last_at))
    number, *times = connection.execute(still_open).one()
    begun_on_pages, *instants = connection.execute(sealed.where(_r.thread_id == thread_id)).one()
    times = [time for time in (*times, *map(instant, filter(None, instants))) if time is not None]
    return ThreadTotals(max(times), thread_id, number + int(begun_on_pages or 0), min(times))


class MessageTitle(NamedTuple):
    """Title that a message gives its thread."""

    thread_id: int
    message_id: int
    title: str
    source: TitleSource


def add_titles(connection: Connection, bank_id: int, titles: Iterable[MessageTitle]) -> None:
    """Gives threads the first of these titles that each has."""
    first: dict[int, MessageTitle] = {}
    for title in titles:
        first.setdefault(title.thread_id, title)
    for thread_id, title in first.items():
        set_title(connection, bank_id, thread_id, title.title, title.source, title.message_id)


_set_title = (
    schema.threads.update()
    .where(_t.id == bindparam("thread", type_=BigInteger), _t.bank_id == bindparam("bank", type_=BigInteger))
    .values(title=bindparam("words"), title_source=bindparam("source"), title_message_id=bindparam("message"))
)


def set_title(
    connection: Connection,
    bank_id: int,
    thread_id: int,
    title: str | None,
    source: TitleSource | None,
    message_id: int | None,
) -> None:
    """Sets the title of a thread; None for none. `message_id`: message that it comes from."""
    values = {"thread": thread_id, "bank": bank_id, "words": title, "source": source, "message": message_id}
    connection.execute(_set_title, values)


def requests_with_titles(connection: Connection, bank_id: int, message_ids: Collection[int]) -> set[int]:
    """Returns those of the messages that are the requests from which threads have their titles."""
    query = select(_t.title_message_id).where(_t.bank_id == bank_id, _t.title_source == "request")
    query = query.where(columns.among(_t.title_message_id, sorted(message_ids)))
    return set(connection.execute(query).scalars()) if message_ids else set()


def fade_titles(connection: Connection, bank_id: int, titles: Mapping[int, str | None]) -> None:
    """Replaces titles that come from requests: message id → what its words are now, None if none are left."""
    for message_id, title in titles.items():
        of_request = (_t.bank_id == bank_id, _t.title_message_id == message_id, _t.title_source == "request")
        source = None if title is None else "request"
        message = None if title is None else message_id
        values = {"title": title, "title_source": source, "title_message_id": message}
        connection.execute(schema.threads.update().where(*of_request).values(**values))


def delete_titles_of(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Deletes the titles that come from messages."""
    of_messages = (_t.bank_id == bank_id, columns.among(_t.title_message_id, sorted(message_ids)))
    values = {"title": None, "title_source": None, "title_message_id": None}
    connection.execute(schema.threads.update().where(*of_messages).values(**values))


def delete_titles_with(connection: Connection, bank_id: int, words: str) -> None:
    """Deletes the titles that have `words`, compared without case."""
    titled = connection.execute(select(_t.id, _t.title).where(_t.bank_id == bank_id, _t.title.is_not(None)))
    for thread_id, title in titled.all():
        if words.casefold() in title.casefold():
            set_title(connection, bank_id, thread_id, None, None, None)


def add_persons(connection: Connection, bank_id: int, messages: Mapping[tuple[int, str], int]) -> None:
    """Counts messages of speakers: (thread id, name) → number, less than 0 for messages that are erased."""
    rows = [
        {"bank_id": bank_id, "thread_id": thread_id, "name": name, "messages": number}
        for (thread_id, name), number in sorted(messages.items())
    ]
    if not rows:
        return
    insert = insert_into(connection, schema.thread_persons)
    number = {"messages": _p.messages + insert.excluded.messages}
    keys = (_p.bank_id, _p.thread_id, _p.name)
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=number), rows)
    if min(messages.values()) < 0:
        connection.execute(schema.thread_persons.delete().where(_p.bank_id == bank_id, _p.messages < 1))


def persons_of(connection: Connection, thread_ids: Collection[int]) -> dict[int, list[str]]:
    """Returns thread id → its speakers, those with the most messages first, at most `PERSONS`."""
    query = select(_p.thread_id, _p.name).order_by(_p.messages.desc(), _p.name)
    persons: dict[int, list[str]] = {thread_id: [] for thread_id in thread_ids}
    for part in batched(sorted(persons)):
        for thread_id, name in connection.execute(query.where(_p.thread_id.in_(part))):
            if len(persons[thread_id]) < PERSONS:
                persons[thread_id].append(name)
    return persons


def speakers(connection: Connection, bank_id: int) -> Counter[str]:
    """Returns the speakers of a bank with the numbers of their messages."""
    query = select(_p.name, func.sum(_p.messages)).where(_p.bank_id == bank_id).group_by(_p.name)
    return Counter({name: int(number) for name, number in connection.execute(query)})


class TitleRow(NamedTuple):
    """A thread with its title."""

    id: int
    name: str
    title: str | None
    source: TitleSource | None


def rows(connection: Connection, thread_ids: Collection[int]) -> dict[int, TitleRow]:
    """Returns threads by id, with their titles."""
    titled: dict[int, TitleRow] = {}
    for part in batched(sorted(thread_ids)):
        query = select(_t.id, _t.name, _t.title, _t.title_source).where(_t.id.in_(part))
        titled |= {row.id: TitleRow(*row) for row in connection.execute(query)}
    return titled


def matching(
    connection: Connection, bank_id: int, *, words: Sequence[str], person: str | None, source: str | None
) -> set[int] | None:
    """Returns the ids of the threads of a bank whose titles have all `words`, in which a person speaks, and whose names
    begin with a source; None for all of the bank. Words and names are compared without case."""
    ids: set[int] | None = None
    if source is not None:
        begins = func.substr(_t.name, 1, len(source) + 1) == f"{source}:"
        ids = set(connection.execute(select(_t.id).where(_t.bank_id == bank_id, begins)).scalars())
    if person is not None:
        names = [name for name in speakers(connection, bank_id) if name.casefold() == person.casefold()]
        of_person = select(_p.thread_id).where(_p.bank_id == bank_id, _p.name.in_(names))
        spoken = set(connection.execute(of_person).scalars())
        ids = spoken if ids is None else ids & spoken
    if words:
        folded = [word.casefold() for word in words]
        titled = connection.execute(select(_t.id, _t.title, _t.name).where(_t.bank_id == bank_id))
        matches = {
            thread_id
            for thread_id, title, name in titled
            if (text := (title or name).casefold()) and all(word in text for word in folded)
        }
        ids = matches if ids is None else ids & matches
    return ids


def first_messages(connection: Connection, thread_ids: Collection[int]) -> dict[int, int]:
    """Returns thread id → number of its first message."""
    firsts: dict[int, int] = {}
    for thread_id in thread_ids:
        first_open = select(_m.id).where(_m.thread_id == thread_id).order_by(_m.id).limit(1)
        ranges = select(_r.first_message).where(_r.thread_id == thread_id).order_by(_r.first_message).limit(1)
        ids = [*connection.execute(ranges).scalars(), *connection.execute(first_open).scalars()]
        if ids:
            firsts[thread_id] = min(ids)
    return firsts


#: Microseconds of a day.
_DAY = 86_400_000_000


def days(connection: Connection, bank_id: int, thread_id: int | None) -> Counter[date]:
    """Returns the number of messages of a bank, or of one of its threads, by day of UTC. Sealed messages count on the
    day on which the first of their page and thread was said."""
    where = (_r.bank_id == bank_id,) if thread_id is None else (_r.thread_id == thread_id,)
    numbers = select(_r.first_at, _r.messages).where(*where)
    counts: Counter[date] = Counter()
    for at, number in connection.execute(numbers):
        counts[_EPOCH + timedelta(days=at // _DAY)] += number
    still_open = (_m.bank_id == bank_id,) if thread_id is None else (_m.thread_id == thread_id,)
    for at in connection.execute(select(_m.created_at).where(*still_open, _m.sealed_chars == 0)).scalars():
        counts[at.date()] += 1
    return counts


_EPOCH = date(1970, 1, 1)
