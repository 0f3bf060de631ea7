"""Episodes: runs of messages of one thread that belong together, and whether a question is answered by some.

An episode ends where the thread pauses for long, for its own pace. Nothing is stored: what it takes stands in the index
of a page and in the rows of open messages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import fsum
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages
from foxing.memory.storage.repositories.messages import Message, MessageTime

from .candidates import Candidate
from .standings import Standings, rarities_in_language

#: Messages that are looked at on either side of a match.
REACH = 256
#: A pause ends an episode if it takes at least this long, and so many times the usual time between its messages.
PAUSE, PACE = timedelta(hours=4), 12
#: An episode without pauses that has more messages than this is cut around its matches.
LONG, BEFORE, AFTER = 64, 16, 32
#: Matches whose concentration decides, and the power of their scores.
CONSIDERED, POWER = 20, 3.0
#: Episodes of an answer at most, and the share of the best one's weight that a further one has.
MOST_EPISODES, FURTHER = 3, 0.3
#: Power of the standing of an episode that is its weight.
STEEP = 4.0
#: A bank has at least so many times the messages of an episode, or concentration says nothing.
OTHERS = 3

#: Thread id, and number of the run in it.
_Run = tuple[int, int]


@dataclass(frozen=True)
class Episode:
    """A run of messages of one thread."""

    #: its first message, whose id is that of the episode
    first: Message
    #: those of its messages that are not given yet, in time order
    messages: Sequence[Message]
    #: share of the weight of the matches, 0 to 1
    weight: float = 0.0


def choose_episodes(
    connection: Connection,
    bank_id: int,
    matches: Sequence[Candidate],
    held: Mapping[int, Collection[str]],
    within: MessageFilter,
    question: str,
    *,
    any_episode: bool,
) -> list[Episode]:
    """Returns the episodes that answer a query, in time order; none if messages do. `matches`: best first; `held`:
    message id → words of the query that it has; `any_episode`: also if none stands out."""
    if not matches:
        return []
    weights = _weights(matches)
    runs = _runs(messages.places(connection, bank_id, {*held, *weights}))
    every = banks.count_threads(connection, [bank_id])[bank_id]
    standings = Standings.of(held, runs, weights, every, rarities_in_language(question))
    if not any_episode and not standings.stands_out:
        return []
    best = list(standings.values)[:MOST_EPISODES]
    anchors = [_anchor([i for i, run in runs.items() if run == key], held, weights, standings) for key in best]
    rows = messages.by_ids(connection, bank_id, anchors)
    outlines: list[_Outline] = []
    taken: set[int] = set()
    for key, anchor in zip(best, anchors, strict=True):
        if anchor not in rows or anchor in taken:
            continue
        run = _run(connection, bank_id, rows[anchor], within)
        part = run if len(run) <= LONG else _cut(run, anchor, weights)
        # the messages around two places of a long thread may be the same
        ids = [message.id for message in part if message.id not in taken]
        outlines.append(_Outline(run[0], ids, standings.values[key] ** STEEP))
        taken.update(message.id for message in run)
    if not any_episode and messages.count(connection, bank_id) < OTHERS * max(len(each.ids) for each in outlines):
        return []
    heaviest = max(each.weight for each in outlines)
    outlines = sorted(each for each in outlines if each.weight >= FURTHER * heaviest)
    rows = messages.by_ids(connection, bank_id, {i for each in outlines for i in (each.first.id, *each.ids)})
    return [Episode(rows[each.first.id], [rows[i] for i in each.ids], each.weight) for each in outlines]


class _Outline(NamedTuple):
    """An episode whose messages have not been read."""

    first: MessageTime
    #: those of its messages that no episode before has, in time order
    ids: Sequence[int]
    weight: float


def _runs(places: Mapping[int, tuple[int, datetime]]) -> dict[int, _Run]:
    """Returns message id → run of messages of its thread without a long pause between those that are known. `places`:
    message id → thread and time."""
    runs: dict[int, _Run] = {}
    before: tuple[int, datetime] | None = None
    number = 0
    for message_id, (thread_id, at) in sorted(places.items(), key=lambda item: item[1]):
        if before is not None and before[0] == thread_id and at - before[1] > PAUSE:
            number += 1
        runs[message_id] = (thread_id, number)
        before = thread_id, at
    return runs


def _anchor(
    ids: Collection[int], held: Mapping[int, Collection[str]], weights: Mapping[int, float], standings: Standings
) -> int:
    """Returns the message of a run that matches best."""

    def words(message_id: int) -> float:
        return fsum(standings.rarities[word] for word in held.get(message_id, ()))

    return max(ids, key=lambda message_id: (weights.get(message_id, 0.0), words(message_id), message_id))


def _weights(matches: Sequence[Candidate]) -> dict[int, float]:
    """Returns message id → share of the weight of the first matches."""
    best = max(matches[0].score or 0.0, 1e-9)
    weights: dict[int, float] = {}
    for match in matches[:CONSIDERED]:
        weight = max(0.0, (match.score or 0.0) / best) ** POWER
        weights[match.message.id] = max(weight, weights.get(match.message.id, 0.0))
    total = sum(weights.values()) or 1.0
    return {message_id: weight / total for message_id, weight in weights.items()}


def _run(connection: Connection, bank_id: int, anchor: Message, within: MessageFilter) -> Sequence[MessageTime]:
    """Returns the messages of the episode of a message, without what `within` excludes and what is farther than
    `REACH`. Their contents are not read: those of a long thread are many, and few of them are given."""
    place = MessageTime(anchor.created_at, anchor.id)
    of_thread = replace(within, thread_id=anchor.thread_id)
    before = MessageTime(anchor.created_at, anchor.id - 1)
    later = messages.window_times(connection, bank_id, of_thread, after=before, limit=REACH)
    until = anchor.created_at + timedelta(microseconds=1)
    if within.until is not None:
        until = min(until, within.until)
    earlier = messages.latest_times(connection, bank_id, replace(of_thread, until=until), REACH)
    run = sorted({*earlier, *later, place})
    start, stop = _bounds(run, run.index(place))
    return run[start:stop]


def _bounds(run: Sequence[MessageTime], at: int) -> tuple[int, int]:
    """Returns the first message of the episode of `run[at]`, and the one after its last."""
    gaps = [after.created_at - before.created_at for before, after in pairwise(run)]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else timedelta()
    longest = max(PAUSE, PACE * usual)
    start, stop = at, at + 1
    while start and gaps[start - 1] <= longest:
        start -= 1
    while stop < len(run) and gaps[stop - 1] <= longest:
        stop += 1
    return start, stop


def _cut(run: Sequence[MessageTime], anchor: int, weights: Mapping[int, float]) -> Sequence[MessageTime]:
    """Returns the part of a long run around its best matches."""
    heaviest = max(weights.get(message.id, 0.0) for message in run)
    places = [n for n, message in enumerate(run) if heaviest and weights.get(message.id, 0.0) >= FURTHER * heaviest]
    at = next(n for n, message in enumerate(run) if message.id == anchor)
    near = [n for n in (*places, at) if abs(n - at) <= LONG]
    return run[max(0, min(near) - BEFORE) : max(near) + AFTER + 1]
