"""The episodes of one page of an answer, with the stored data of their messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log1p

from sqlalchemy import Connection

from foxing.memory.pages.assembler import StoredMessages
from foxing.memory.storage.repositories import messages
from foxing.memory.text.passages import message_of
from foxing.memory.values.recall import RecallQuery

from .candidates import Candidate, Candidates, RankedCandidates
from .episodes import Episode, choose_episodes
from .spans import Shown
from .verbatim import exact_ids

#: Smaller answers, in spans and in text tokens, have no room for an episode unless one is asked for.
LEAST_SPANS, LEAST_TOKENS = 5, 200
#: Maximum characters of the messages of an answer.
MOST_CHARS = 4 << 20


@dataclass(frozen=True)
class FoundEpisodes:
    """Episodes that answer a query, read in one transaction."""

    #: in time order
    episodes: Sequence[Episode]
    #: their messages
    shown: Sequence[Shown]
    stored: StoredMessages

    @property
    def ids(self) -> frozenset[int]:
        """Row ids of their messages."""
        return frozenset(item.match.message.id for item in self.shown)


def find_episodes(
    connection: Connection,
    candidates: Candidates,
    query: RecallQuery,
    matches: Sequence[Candidate],
    max_tokens: int | None,
) -> FoundEpisodes | None:
    """Returns the episodes that answer `query`; None if messages do. `matches`: best first."""
    if not isinstance(candidates, RankedCandidates) or query.shape == "messages":
        return None
    if query.shape == "auto" and (query.limit < LEAST_SPANS or (max_tokens or LEAST_TOKENS) < LEAST_TOKENS):
        return None
    found = _waiting(connection, candidates)
    if not found and (query.shape == "episode" or not query.cursor):
        within = candidates.query.filter
        covers = partial(_coverage, connection, candidates)
        seen = {message_of(document) for document in candidates.position.seen}
        found = choose_episodes(connection, candidates.bank_id, query.query or "", query.shape, matches, within, covers)
        found = [replace(each, messages=[m for m in each.messages if m.id not in seen]) for each in found]
    found = _readable(connection, candidates, found, verbatim=query.verbatim)
    if not any(episode.messages for episode in found):
        return None
    best: dict[int, Candidate] = {}
    for match in matches:
        best.setdefault(match.message.id, match)
    shown = []
    for message in (message for episode in found for message in episode.messages):
        hit = best.get(message.id)
        shown.append(Shown(Candidate(message) if hit is None else replace(hit, message=message, passage=None)))
    wanted = [item.match.message for item in shown]
    return FoundEpisodes(found, shown, StoredMessages.fetch(connection, candidates.bank_id, wanted))


def _coverage(connection: Connection, candidates: RankedCandidates, ids: Collection[int]) -> float:
    """Returns the share of the words of the query, by their rarity, that messages have together."""
    words, index, bank_id = candidates.query.terms, candidates.search.index, candidates.bank_id
    if not words:
        return 1.0
    frequencies = index.document_frequencies(connection, bank_id, words)
    worth = {word: 1.0 / (1.0 + log1p(frequencies.get(word, 0))) for word in words}
    held = frozenset[str]().union(*index.terms_of(connection, bank_id, ids, words).values())
    return sum(worth[word] for word in held) / sum(worth.values())


def _waiting(connection: Connection, candidates: RankedCandidates) -> list[Episode]:
    """Returns what an earlier page of the answer has left of its episodes."""
    found = []
    for first, ids in candidates.position.episodes.items():
        rows = messages.fetch_ordered(connection, candidates.bank_id, candidates.query.filter, list(ids))
        begun = messages.by_ids(connection, candidates.bank_id, [first]).get(first, rows[0] if rows else None)
        if begun is not None:
            found.append(Episode(begun, rows, len(rows)))
    return found


def _readable(
    connection: Connection, candidates: RankedCandidates, found: Sequence[Episode], *, verbatim: bool
) -> list[Episode]:
    """Returns the episodes with as many of their newest messages as `MOST_CHARS` admits; for a verbatim query, with
    those that are kept exactly."""
    left = MOST_CHARS
    result = []
    for episode in found:
        rows = episode.messages
        if verbatim:
            exact = exact_ids(connection, candidates.bank_id, rows)
            rows = [message for message in rows if message.id in exact]
        first = len(rows)
        while first and (left >= rows[first - 1].chars or left == MOST_CHARS):
            first -= 1
            left -= rows[first].chars
        result.append(replace(episode, messages=rows[first:]))
    return [episode for episode in result if episode.messages]
