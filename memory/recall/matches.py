"""Matches: those of one page of an answer, with their neighbours and stored data, read in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice

from sqlalchemy import Connection

from foxing.memory.pages.assembler import StoredMessages
from foxing.memory.storage.repositories import messages
from foxing.memory.storage.repositories.sealed.neighbours import around as messages_around
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.recall import RecallQuery

from .candidates import Candidate, Candidates
from .spans import Shown
from .verbatim import exact_ids

ANSWER_CHARS = 4 << 20  # maximum characters of the messages or passages of one answer; the rest is on the next page
READ_CHARS = 16 << 20  # maximum characters of the messages that they belong to


@dataclass
class AnswerMatches:
    """The matches of one page of the answer and their stored data, read in one transaction."""

    candidates: Candidates
    stored: StoredMessages
    #: the matches, each with its neighbours; more than the answer gives, where it is compared with those ranked next
    shown: Sequence[Shown]
    #: matches that a verbatim query skips because their exact text is not kept
    inexact: Sequence[Candidate]
    #: whether there are more matches
    more: bool
    #: why the answer is degraded, such as an embedder that is down
    notes: Sequence[str]

    def first(self, limit: int) -> "AnswerMatches":
        """Returns it with the first `limit` matches."""
        return replace(self, shown=self.shown[:limit], more=self.more or len(self.shown) > limit)


def find_matches(connection: Connection, candidates: Candidates, query: RecallQuery, most: int) -> AnswerMatches:
    """Returns the first `most` matches, at least one, or as many as `query` asks for if they are not compared.
    `ANSWER_CHARS` and `READ_CHARS` cap the memory that an answer takes where messages are very long. A verbatim query
    skips messages without exact text."""
    most = most if candidates.query.terms else query.limit
    matches: list[Candidate] = []
    inexact: list[Candidate] = []
    more = False
    shown_chars = read_chars = 0
    taken: set[int] = set()
    for batch in candidates.batches(MAX_LIMIT if query.verbatim else most + 1):
        found = [candidate.message for candidate in batch]
        exact = exact_ids(connection, candidates.bank_id, found) if query.verbatim else None
        for candidate in batch:
            message = candidate.message
            if exact is not None and message.id not in exact:
                inexact.append(candidate)
                continue
            shown_chars += candidate.chars
            read_chars += 0 if message.id in taken else message.chars
            too_long = shown_chars > ANSWER_CHARS or read_chars > READ_CHARS
            more = len(matches) == most or (too_long and bool(matches))
            if more:
                break
            matches.append(candidate)
            taken.add(message.id)
        if more:
            break
    shown = _shown(connection, candidates, matches, query)
    wanted = {candidate.message.id: candidate.message for item in shown for candidate in item.candidates}
    stored = StoredMessages.fetch(connection, candidates.bank_id, list(wanted.values()))
    notes = [] if candidates.note is None else [candidates.note]
    return AnswerMatches(candidates, stored, shown, inexact, more, notes)


def _shown(
    connection: Connection, candidates: Candidates, matches: Sequence[Candidate], query: RecallQuery
) -> list[Shown]:
    """Returns the matches of the answer with their neighbours, followed by those ranked next that are no neighbours."""
    shown = list(map(Shown, matches[: query.limit]))
    if query.neighbours and candidates.query.terms:
        shown = _with_neighbours(connection, candidates, matches[: query.limit], query)
    given = {near.message.id for item in shown for near in item.neighbours}
    return [*shown, *(Shown(match) for match in matches[query.limit :] if match.message.id not in given)]


def _with_neighbours(
    connection: Connection, candidates: Candidates, matches: Sequence[Candidate], query: RecallQuery
) -> list[Shown]:
    """Returns the matches with the neighbours that the query asks for and its filter admits. Each neighbour is listed
    once, with the first match that it surrounds, in thread order; `ANSWER_CHARS` caps their length."""
    bank_id = candidates.bank_id
    around = messages_around(connection, bank_id, [match.message.id for match in matches], query.neighbours).of
    near = list(dict.fromkeys(i for match in matches for side in around[match.message.id] for i in side))
    lengths = messages.lengths(connection, bank_id, near)
    totals = accumulate((lengths.get(i, 0) for i in near), initial=sum(match.chars for match in matches))
    near = [i for i, chars in zip(near, islice(totals, 1, None), strict=True) if chars <= ANSWER_CHARS]
    admitted = messages.filter_ids(connection, bank_id, near, candidates.query.filter)
    found = messages.by_ids(connection, bank_id, admitted)
    if query.verbatim:
        exact = exact_ids(connection, bank_id, found.values())
        found = {i: message for i, message in found.items() if i in exact}
    taken = {match.message.id for match in matches}
    shown = []
    for match in matches:
        before, after = around[match.message.id]
        new = [i for i in (*reversed(before), *after) if i in found and i not in taken]
        taken.update(new)
        if query.neighbour_text:
            beside = [Candidate(found[i], neighbour_of=match.message.key) for i in new]
            shown.append(Shown(match, beside))
        else:
            shown.append(Shown(match, neighbour_ids=[found[i].key for i in new]))
    return shown
