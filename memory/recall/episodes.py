"""Episodes: runs of messages of one thread that belong together, and whether a question is answered by some.

An episode ends where the thread pauses for long, for its own pace. Nothing is stored: what it takes stands in the index
of a page and in the rows of open messages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import Connection

from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.text.resuming import asks_to_resume, is_search
from foxing.memory.values.recall import Shape

from .candidates import Candidate

#: Messages that are looked at on either side of a match.
REACH = 256
#: A pause ends an episode if it takes at least this long, and so many times the usual time between its messages.
PAUSE, PACE = timedelta(hours=4), 12
#: An episode without pauses that has more messages than this is cut around its matches.
LONG, BEFORE, AFTER = 64, 16, 32
#: Matches whose concentration decides, and the power of their scores.
CONSIDERED, POWER = 20, 3.0
#: Share of the weight of the matches that episodes have together in an answer of episodes: where the question asks to
#: go on with something, and where it only says something.
RESUMED, CONCENTRATED = 0.25, 0.6
#: Episodes of an answer at most, and the share of the best one's weight that a further one has.
MOST_EPISODES, FURTHER = 3, 0.3
#: Power of the share of the query's words, by their rarity, that the messages of an episode have together.
COVERED = 2.0
#: A bank has at least so many times the messages of an episode, or concentration says nothing.
OTHERS = 3


#: Returns the share of the words of the query that messages have together, given their row ids.
Coverage = Callable[[Collection[int]], float]


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
    query: str,
    shape: Shape,
    matches: Sequence[Candidate],
    within: MessageFilter,
    coverage: Coverage,
) -> list[Episode]:
    """Returns the episodes that answer a query, in time order; none if messages do. `matches`: best first."""
    resumes = asks_to_resume(query)
    if not matches or shape == "messages" or (shape == "auto" and not resumes and is_search(query)):
        return []
    weights = _weights(matches)
    found = _episodes(connection, bank_id, matches, weights, within)
    if shape == "auto":
        together = sum(episode.weight for episode in found)
        if together < (RESUMED if resumes else CONCENTRATED):
            return []
        longest = max(len(episode.messages) for episode in found)
        if not resumes and messages.count(connection, bank_id) < OTHERS * longest:
            return []
    # who names several things means the episode that has them all
    covered = [each.weight * coverage([m.id for m in each.messages]) ** COVERED for each in found]
    found = _heaviest(found, covered)
    return sorted(found, key=lambda episode: (episode.first.created_at, episode.first.id))


def _weights(matches: Sequence[Candidate]) -> dict[int, float]:
    """Returns message id → share of the weight of the first matches."""
    best = max(matches[0].score or 0.0, 1e-9)
    weights: dict[int, float] = {}
    for match in matches[:CONSIDERED]:
        weight = max(0.0, (match.score or 0.0) / best) ** POWER
        weights[match.message.id] = max(weight, weights.get(match.message.id, 0.0))
    total = sum(weights.values()) or 1.0
    return {message_id: weight / total for message_id, weight in weights.items()}


def _episodes(
    connection: Connection,
    bank_id: int,
    matches: Sequence[Candidate],
    weights: Mapping[int, float],
    within: MessageFilter,
) -> list[Episode]:
    """Returns the episodes of the best matches, without those that are light beside the heaviest one."""
    found: list[Episode] = []
    taken: set[int] = set()
    for match in matches[:CONSIDERED]:
        if match.message.id in taken or len(found) == MOST_EPISODES:
            continue
        run = _run(connection, bank_id, match.message, within)
        ids = {message.id for message in run}
        part = run if len(run) <= LONG else _cut(run, match.message, weights)
        found.append(Episode(run[0], part, sum(weights.get(i, 0.0) for i in ids - taken)))
        taken |= ids
    return _heaviest(found, [episode.weight for episode in found])


def _heaviest(found: Sequence[Episode], weights: Sequence[float]) -> list[Episode]:
    return [each for each, weight in zip(found, weights, strict=True) if weight >= FURTHER * max(weights)]


def _run(connection: Connection, bank_id: int, anchor: Message, within: MessageFilter) -> Sequence[Message]:
    """Returns the messages of the episode of a message, without what `within` excludes and what is farther than
    `REACH`."""
    of_thread = replace(within, thread_id=anchor.thread_id)
    later = messages.window(connection, bank_id, of_thread, after=(anchor.created_at, anchor.id - 1), limit=REACH)
    until = anchor.created_at + timedelta(microseconds=1)
    if within.until is not None:
        until = min(until, within.until)
    earlier = messages.latest(connection, bank_id, replace(of_thread, until=until), REACH)
    beside = {message.id: message for message in (*earlier, *later, anchor)}
    run: Sequence[Message] = sorted(beside.values(), key=lambda message: (message.created_at, message.id))
    start, stop = _bounds(run, run.index(anchor))
    return run[start:stop]


def _bounds(run: Sequence[Message], at: int) -> tuple[int, int]:
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


def _cut(run: Sequence[Message], anchor: Message, weights: Mapping[int, float]) -> Sequence[Message]:
    """Returns the part of a long run around its best matches."""
    heaviest = max(weights.get(message.id, 0.0) for message in run)
    places = [n for n, message in enumerate(run) if heaviest and weights.get(message.id, 0.0) >= FURTHER * heaviest]
    at = next(n for n, message in enumerate(run) if message.id == anchor.id)
    near = [n for n in (*places, at) if abs(n - at) <= LONG]
    return run[max(0, min(near) - BEFORE) : max(near) + AFTER + 1]
