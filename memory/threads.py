"""Threads of a bank: lists of them, and their titles."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection

from .cursors import TimePosition, decode_cursor, encode_cursor, time_position
from .errors import InvalidInput, NotFound
from .ingest.redaction import Redaction
from .pages.assembler import MessageAssembler, StoredMessages
from .pages.indexing import remembered_title
from .storage.database import Database
from .storage.repositories import banks, holds, messages, threads
from .storage.repositories.threads import MessageTitle, ThreadTotals, TitleRow
from .text.planted import planted_form
from .text.times.window import parse_since, parse_until
from .text.titles import one_line
from .values.base import check_limit
from .values.threads import ThreadInfo, ThreadQuery, Threads

#: Words of a search for titles.
MOST_WORDS = 20


@dataclass(frozen=True)
class ThreadList:
    """Lists threads and renames them. Safe to share between threads of a process."""

    database: Database = field(repr=False)
    assembler: MessageAssembler = field(repr=False)

    def select(self, bank: str, query: ThreadQuery, now: datetime, *, limit: int, cursor: str | None) -> Threads:
        """See `Memory.threads`."""
        check_limit(limit)
        since = None if query.since is None else parse_since(query.since, now, query.timezone)
        until = None if query.until is None else parse_until(query.until, now, query.timezone)
        words = (query.q or "").split()[:MOST_WORDS]
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank).id
            list_name = f"threads:{bank_id}"
            seen = time_position(decode_cursor(cursor, list_name)) if cursor else None
            source = query.source
            among = threads.matching(connection, bank_id, words=words, person=query.person, source=source)
            totals = [] if among == set() else threads.newest_first(connection, bank_id)
            after_cursor = [
                item
                for item in totals
                if (seen is None or item < (seen.at, seen.id))
                and (among is None or item.id in among)
                and (since is None or item.last_at >= since)
                and (until is None or item.last_at < until)
            ]
            listed = after_cursor[:limit]
            infos = self._infos(connection, bank_id, listed)
        following = None
        if len(after_cursor) > limit:
            following = encode_cursor(list_name, TimePosition(listed[-1].last_at, listed[-1].id).encoded())
        return Threads(threads=self._titled(bank_id, infos), next_cursor=following)

    def find(self, bank: str, thread: str) -> ThreadInfo:
        """Returns a thread. Raises `NotFound`."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank).id
            thread_id = _find(connection, bank, bank_id, thread)
            infos = self._infos(connection, bank_id, [threads.totals_of(connection, thread_id)])
        [info] = self._titled(bank_id, infos)
        return info

    def days(self, bank: str, thread: str | None) -> Counter[date]:
        """See `Operations.message_days`."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank).id
            thread_id = None if thread is None else _find(connection, bank, bank_id, thread)
            return threads.days(connection, bank_id, thread_id)

    def rename(self, bank: str, thread: str, title: str | None) -> ThreadInfo:
        """See `Operations.rename_thread`."""
        from .lifecycle.erase import held_by  # lists of threads need nothing of what erases

        with self.database.read() as connection:
            row = banks.get(connection, bank)
            thread_id = _find(connection, bank, row.id, thread)
        brought = None
        words = None
        if title is None:
            brought = self._brought(row.id, [thread_id]).get(thread_id)
        else:
            words = one_line(Redaction.of(row.policy).text(title, Counter()))
            if not words:
                raise InvalidInput("title must have a visible character; give a name, or null for the title it had")
        with self.database.write() as connection:
            banks.lock(connection, row.id)
            if (hold := holds.of_bank(connection, row.id).whole) is not None:
                raise held_by(hold)
            thread_id = _find(connection, bank, row.id, thread)
            if words is not None:
                threads.set_title(connection, row.id, thread_id, words, "rename", None)
            elif brought is not None and messages.by_ids(connection, row.id, [brought.message_id]):
                values = (brought.title, brought.source, brought.message_id)
                threads.set_title(connection, row.id, thread_id, *values)
            else:
                threads.set_title(connection, row.id, thread_id, None, None, None)
        return self.find(bank, thread)

    def _infos(
        self, connection: Connection, bank_id: int, listed: Collection[ThreadTotals]
    ) -> Mapping[int, tuple[ThreadTotals, TitleRow, list[str]]]:
        rows = threads.rows(connection, [item.id for item in listed])
        persons = threads.persons_of(connection, rows)
        return {item.id: (item, rows[item.id], persons[item.id]) for item in listed}

    def _titled(self, bank_id: int, infos: Mapping[int, tuple[ThreadTotals, TitleRow, list[str]]]) -> list[ThreadInfo]:
        """Returns threads, with titles made now for those that have none."""
        titles = self._brought(bank_id, [i for i, (_, row, _) in infos.items() if row.title is None])
        result = []
        for thread_id, (totals, row, persons) in infos.items():
            title = titles.get(thread_id)
            result.append(
                ThreadInfo(
                    thread=row.name,
                    title=row.title if title is None else title.title,
                    title_source=row.source if title is None else title.source,
                    source=source_of(row.name),
                    persons=persons,
                    messages=totals.messages,
                    first_at=totals.first_at,
                    last_at=totals.last_at,
                )
            )
        return result

    def _brought(self, bank_id: int, thread_ids: Collection[int]) -> dict[int, MessageTitle]:
        """Returns thread id → the title that its first message makes, as remembered now. May decode pages."""
        if not thread_ids:
            return {}
        with self.database.read() as connection:
            firsts = threads.first_messages(connection, thread_ids)
            rows = messages.by_ids(connection, bank_id, list(firsts.values()))
            stored = StoredMessages.fetch(connection, bank_id, list(rows.values()))
        remembered = self.assembler.assemble(stored)
        titles: dict[int, MessageTitle] = {}
        for thread_id, message_id in firsts.items():
            if message_id not in rows:
                continue
            message = rows[message_id]
            words = (message.metadata or {}).get("title")
            if isinstance(words, str) and one_line(words) and planted_form(words) is None:
                titles[thread_id] = MessageTitle(thread_id, message_id, one_line(words), "export")
            elif not message.suspicious and (title := remembered_title(remembered[message_id])):
                titles[thread_id] = MessageTitle(thread_id, message_id, title, "request")
        return titles


def source_of(thread: str) -> str | None:
    """Returns the source with which the name of a thread begins: that of "chatgpt:7f3" is "chatgpt"."""
    source, mark, _ = thread.partition(":")
    return source if mark and 0 < len(source) <= 20 and source.replace("-", "").isalnum() else None


def _find(connection: Connection, bank: str, bank_id: int, thread: str) -> int:
    thread_id = banks.find_thread(connection, bank_id, thread)
    if thread_id is None:
        raise NotFound(f"there is no thread '{thread}' in bank '{bank}'")
    return thread_id
