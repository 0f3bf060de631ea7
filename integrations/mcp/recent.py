"""The last conversations of a bank, and what is new in them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import RecallResult

from .banks import BankCall
from .results import RecentThreads, SeenMessage, SeenThread

R = TypeVar("R")

#: Times before the last message in which conversations are looked for, until there are `THREADS`.
WINDOWS = tuple(timedelta(hours=hours) for hours in (1, 24, 7 * 24, 30 * 24, 365 * 24))
THREADS = 5
#: Messages fetched at most, and shown of each conversation.
FETCHED, SHOWN = 5_000, 4


class Run(Protocol):
    """Runs a call for the bank of the request."""

    async def __call__(self, call: BankCall[R]) -> R:
        """Returns the result of the call."""


async def recent(run: Run, since: str | None) -> tuple[RecentThreads, list[RecalledMessage]]:
    """Returns the last conversations and the messages shown, in time order. `run`: calls the memory; `since`: the
    start, as in a query; by default as far back as `THREADS` conversations reach. Raises what `run` raises."""
    info = await run(lambda memory, bank: memory.bank(bank))
    if info.last_at is None:
        return RecentThreads(since=None, threads=[], messages=0), []
    starts: Sequence[str | datetime] = [since] if since is not None else [info.last_at - window for window in WINDOWS]
    for start in starts:
        found = await _said_since(run, start)
        threads = dict.fromkeys(span.thread for span in found)
        if len(threads) >= THREADS or len(found) >= FETCHED:
            break
    by_thread: dict[str, list[RecalledMessage]] = {}
    for span in found:
        by_thread.setdefault(span.thread, []).append(span)
    newest = sorted(by_thread.items(), key=lambda item: item[1][-1].created_at, reverse=True)[: 2 * THREADS]
    shown = [span for _, said in newest for span in said[-SHOWN:]]
    listed = [
        SeenThread(
            thread=name,
            last_at=said[-1].created_at,
            messages=len(said),
            last=[SeenMessage.of(span) for span in said[-SHOWN:]],
        )
        for name, said in newest
    ]
    first = found[0].created_at if found else info.last_at
    return RecentThreads(since=first, threads=listed, messages=info.messages), shown


async def _said_since(run: Run, start: str | datetime) -> list[RecalledMessage]:
    """Returns the messages since `start` in time order, the first `FETCHED`."""
    spans: list[RecalledMessage] = []
    cursor: str | None = None
    while len(spans) < FETCHED:
        part = await run(_messages(start, cursor))
        spans += part.spans
        cursor = part.next_cursor
        if cursor is None:
            break
    return spans


def _messages(start: str | datetime, cursor: str | None) -> BankCall[RecallResult]:
    return lambda memory, bank: memory.recall(bank, since=start, limit=500, cursor=cursor)
