"""The last conversations of a bank, and what is new in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar, Unpack

from foxing.memory import RecalledMessage, RecallResult, TextQueryFields, ThreadInfo

from .banks import BankCall

R = TypeVar("R")

#: Times before the last message of a conversation in which its last messages are looked for, until there are `SHOWN`.
WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=30), None)
THREADS = 5
#: Messages fetched at most, and shown of each conversation.
FETCHED = 5_000
SHOWN = 4


@dataclass(frozen=True)
class RecentThread:
    """A conversation: the number of its messages in the time listed, and its last messages, oldest first. `title`: what
    somebody named it. Other titles are words of messages, which a model is given with their speaker and class alone."""

    thread: str
    title: str | None
    messages: int
    last: list[RecalledMessage]


@dataclass(frozen=True)
class RecentThreads:
    """Conversations, the newest first, since a time: None if nothing is remembered. `messages`: those of the bank."""

    since: datetime | None
    threads: list[RecentThread]
    messages: int


class Run(Protocol):
    """Runs a call for the bank of the request."""

    async def __call__(self, call: BankCall[R]) -> R:
        """Returns the result of the call."""


async def recent(run: Run, since: str | None) -> RecentThreads:
    """Returns the last conversations. `run`: calls the memory; `since`: the start, as in a query; by default the last
    `THREADS` conversations. Raises what `run` raises."""
    info = await run(lambda memory, bank: memory.bank(bank))
    if info.last_at is None:
        return RecentThreads(None, [], 0)
    if since is None:
        listed = (await run(lambda memory, bank: memory.threads(bank, limit=THREADS))).threads
        first = min((summary.first_at for summary in listed), default=info.last_at)
        threads = [
            RecentThread(
                summary.thread,
                summary.title if summary.title_source == "rename" else None,
                summary.messages,
                await _last_of(run, summary),
            )
            for summary in listed
        ]
    else:
        messages_since = await _messages_of(run, since=since)
        first = messages_since[0].created_at if messages_since else info.last_at
        by_thread: dict[str, list[RecalledMessage]] = {}
        for span in messages_since:
            by_thread.setdefault(span.thread, []).append(span)
        newest = sorted(by_thread.items(), key=lambda item: item[1][-1].created_at, reverse=True)[: 2 * THREADS]
        threads = [RecentThread(name, None, len(spans), spans[-SHOWN:]) for name, spans in newest]
    return RecentThreads(first, [thread for thread in threads if thread.last], info.messages)


async def _last_of(run: Run, thread: ThreadInfo) -> list[RecalledMessage]:
    """Returns the last `SHOWN` messages of a conversation, in time order."""
    last: list[RecalledMessage] = []
    for window in WINDOWS:
        since = None if window is None else thread.last_at - window
        last = (await _messages_of(run, since=since, thread=thread.thread))[-SHOWN:]
        if len(last) == min(SHOWN, thread.messages):
            break
    return last


async def _messages_of(run: Run, **fields: Unpack[TextQueryFields]) -> list[RecalledMessage]:
    """Returns the messages of a time window in time order, the first `FETCHED`. `fields`: fields of `RecallQuery`."""
    spans: list[RecalledMessage] = []
    cursor: str | None = None
    while len(spans) < FETCHED:
        part = await run(_page(fields, cursor))
        spans += part.spans
        cursor = part.next_cursor
        if cursor is None:
            break
    return spans


def _page(fields: TextQueryFields, cursor: str | None) -> BankCall[RecallResult]:
    page_fields: TextQueryFields = {**fields, "limit": 500, "cursor": cursor}
    return lambda memory, bank: memory.recall(bank, **page_fields)
