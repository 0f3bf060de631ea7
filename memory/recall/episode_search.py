"""The episodes of one page of an answer, with the stored data of their messages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from foxing.memory.pages.assembler import StoredMessages
from foxing.memory.storage.repositories import messages
from foxing.memory.text.passages import message_of
from foxing.memory.text.requests import is_search
from foxing.memory.values.recall import RecallQuery

from .candidates import Candidate, Candidates, RankedCandidates
from .episodes import Episode, choose_episodes
from .replacements import COMPARED
from .spans import Shown
from .verbatim import exact_ids

#: Smaller answers, in spans and in text tokens, have no room for an episode unless one is asked for.
LEAST_SPANS, LEAST_TOKENS = 5, 200
#: Messages of episodes among those that are compared, as statements that may replace each other.
SAID = 24
#: Words of a query that are looked for in episodes, at most.
MOST_WORDS = 64
#: Maximum characters of the messages of an answer.
MOST_CHARS = 4 << 20


@dataclass(frozen=True)
class FoundEpisodes:
    """Episodes that answer a query, read in one transaction."""

    #: in time order
    episodes: Sequence[Episode]
    #: their messages
    shown: Sequence[Shown]
    #: what people said in them last, and the best matches beside them: they may replace each other
    compared: Sequence[Candidate]
    #: stored data of all of these
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
    if not found and (query.shape == "episode" or not (query.cursor or is_search(query.query or ""))):
        held = _held(connection, candidates)
        any_episode = query.shape == "episode"
        within = candidates.query.filter
        seen = {message_of(document) for document in candidates.position.seen}
        text = query.query or ""
        found = choose_episodes(connection, candidates.bank_id, matches, held, within, text, any_episode=any_episode)
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
    given = {item.match.message.id for item in shown}
    said = [item.match for item in shown if item.match.message.role != "tool"]
    compared = [*said[-SAID:], *[match for match in best.values() if match.message.id not in given][: COMPARED - SAID]]
    wanted = {match.message.id: match.message for match in (*(item.match for item in shown), *compared)}
    stored = StoredMessages.fetch(connection, candidates.bank_id, list(wanted.values()))
    return FoundEpisodes(found, shown, compared, stored)


def _held(connection: Connection, candidates: RankedCandidates) -> Mapping[int, Collection[str]]:
    """Returns message id → words of the query that it has, for the messages that are ranked together. Of a long query
    the rarest words count."""
    index, bank_id = candidates.search.index, candidates.bank_id
    frequencies = index.document_frequencies(connection, bank_id, candidates.query.terms)
    rarest = sorted(frequencies, key=lambda word: (frequencies[word], word))[:MOST_WORDS]
    return index.terms_of(connection, bank_id, candidates.message_ids, rarest)


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
