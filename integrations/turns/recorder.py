"""Turns that pass: each is stored once, whether its client sends the whole history or the end of it, or the provider
holds it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from foxing.integrations.frameworks.call_sequences import CallRunner
from foxing.integrations.frameworks.turns import turn_fields
from foxing.integrations.outbox.delivery import Delivery, deliver
from foxing.integrations.outbox.file import OutboxState
from foxing.memory import SessionTurns, Turn
from foxing.memory.conversation.answers import PassedAnswer
from foxing.memory.conversation.hosts import is_errand
from foxing.memory.conversation.requests import conversation_id, held_by

from .journal import JournalTurn, TurnJournal
from .sent import SentConversation, read_messages
from .sessions import own_session

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadConversation:
    """The turns of a request with their ids."""

    sent: SentConversation
    #: Place of the message, turn, id.
    turns: Sequence[tuple[int, Turn, str]]
    #: Where the conversation goes on.
    session: SessionTurns
    #: Turns that the journal does not have.
    new: Sequence[tuple[Turn, str, bytes]]


class TurnRecorder:
    """Writes turns into the journal, and delivers them to the bank in the background."""

    def __init__(
        self,
        journal: TurnJournal,
        bank: str,
        runner: Callable[[], CallRunner],
        on_end: Callable[[], None] | None = None,
        settle_s: float = 0.0,
    ) -> None:
        """`runner`, `on_end`, `settle_s`: see `Delivery`; by default the journal is closed at the end."""
        self._journal = journal
        #: Brings what is written to the bank.
        self.delivery = Delivery(
            journal.outbox, partial(deliver, journal.outbox, bank), runner, on_end or journal.close, settle_s
        )

    @property
    def waiting(self) -> OutboxState:
        """State of the turns that are not yet in the bank."""
        return self._journal.outbox.state()

    def record(self, sent: SentConversation, session: str, answer: PassedAnswer | None, called_at: datetime) -> None:
        """Reads and writes an answered request; see `read` and `write`. Nothing is raised."""
        try:
            read = self.read(sent, session)
        except Exception as error:
            log.warning("a turn was not kept: %s: %s", type(error).__name__, error)
        else:
            if read is not None:
                self.write(read, answer, called_at)

    def read(self, sent: SentConversation, session: str) -> ReadConversation | None:
        """Returns the turns of a request; None for one that a host makes for itself."""
        if is_errand(sent.instructions):
            return None
        parent = held_by(sent.wire, sent.fields)
        conversation = self._journal.conversation(parent) if parent is not None else None
        if conversation is not None:
            return self._read(sent, conversation, {})
        if parent is not None:  # of what the provider holds nothing is known but its name
            return self._read(sent, SessionTurns(session, parent.encode()), {})
        read = self._read(sent, SessionTurns(session), {})
        return self._continued(read, session) or read

    def write(self, read: ReadConversation, answer: PassedAnswer | None, called_at: datetime) -> None:
        """Writes the new turns of a request, and those of its answer. Blocks for the time of a commit. Nothing is
        raised: a turn that cannot be kept is logged."""
        try:
            rows = self._rows(read, answer, called_at)
            if self._journal.write(rows, _names(read.sent, answer), read.session):
                self.delivery.notify()
        except Exception as error:
            log.warning("a turn was not kept: %s: %s", type(error).__name__, error)

    @staticmethod
    def _rows(read: ReadConversation, answer: PassedAnswer | None, called_at: datetime) -> list[JournalTurn]:
        turns = [(turn, name, stretch, called_at) for turn, name, stretch in read.new]
        now = datetime.now(UTC)
        for message in read_messages(read.sent.wire, answer.messages) if answer is not None else ():
            turns += [(turn, name, _stretch(read.session), now) for turn, name in read.session.read(message)]
        thread = read.session.session
        return [
            JournalTurn(
                {**turn_fields(turn, name, thread), "created_at": (at + timedelta(microseconds=number)).isoformat()},
                stretch,
                turn.digest,
            )
            for number, (turn, name, stretch, at) in enumerate(turns)
        ]

    def _read(self, sent: SentConversation, session: SessionTurns, names: Mapping[int, str]) -> ReadConversation:
        """`names`: number of a turn → its id, of turns that were said in an earlier stretch."""
        turns = list[tuple[int, Turn, str]]()
        new = list[tuple[Turn, str, bytes]]()
        for place, message in sent.messages.items():
            for turn, name in session.read(message):
                earlier = names.get(len(turns))
                if earlier is not None and turn.call_id is None:
                    session.counts[turn.digest] -= 1
                turns.append((place, turn, earlier or name))
                if earlier is None:
                    new.append((turn, name, _stretch(session)))
        written = self._journal.written_ids(name for _, name, _ in new)
        return ReadConversation(sent, turns, session, [entry for entry in new if entry[1] not in written])

    def _continued(self, read: ReadConversation, session: str) -> ReadConversation | None:
        """Returns a conversation whose client left out the beginning, or put a summary in its place, as what goes on
        with an earlier stretch; None if it does not end one."""
        new = {name: stretch for _, name, stretch in read.new}
        digests = [turn.digest for _, turn, _ in read.turns]
        is_known = read.turns[0][2] not in new if read.turns else True
        # a client that names no session begins another one when it leaves out the beginning
        thread = session if is_known or session != own_session(read.sent) else None
        for number, (_, _, name) in enumerate(read.turns[:-1]):
            if name not in new:
                continue
            overlap = self._journal.overlap(digests[number:], thread, new[name])
            if overlap is not None:
                earlier, ids = overlap
                if number == 0:
                    return self._read(read.sent, earlier, {})
                return self._read(read.sent, SessionTurns(earlier.session), dict(enumerate(ids, number)))
        return None


def _names(sent: SentConversation, answer: PassedAnswer | None) -> list[str]:
    if answer is None or not answer.id:
        return []
    if sent.wire == "anthropic":
        return [answer.id] if sent.fields.get("thread") else []
    if sent.wire == "openai-responses":
        named = [answer.id] if sent.fields.get("store") is not False else []
        conversation = answer.conversation or conversation_id(sent.fields)
        return [*named, conversation] if conversation else named
    return []


def _stretch(session: SessionTurns) -> bytes:
    return session.stretch or b""
