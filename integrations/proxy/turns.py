"""Turns that pass: each message of a conversation is stored once, whether its client sends the whole history or the
provider holds it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from foxing.integrations.frameworks.provider_answers import Json
from foxing.integrations.outbox.delivery import Delivery
from foxing.integrations.outbox.file import OutboxState
from foxing.memory.conversation import INSTRUCTIONS, ProviderMessage, SessionTurns, Turn, read_blocks
from foxing.memory.conversation.hosts import is_errand
from foxing.memory.conversation.requests import conversation_id, held_by
from foxing.memory.errors import MemoryFault
from foxing.memory.fold.conversation import parts_of
from foxing.memory.values.base import Fields
from foxing.memory.values.parts import ImagePart, Part

from .answers import PassedAnswer
from .bank import BankLink
from .body import MessageText, RequestBody
from .journal import NamedAnswer, ProxyJournal
from .wires import ProviderWire

log = logging.getLogger(__name__)

#: Time for what is left when the proxy stops, in seconds.
_LAST_S = 5.0


class TurnRecorder:
    """Writes turns into the journal, and delivers them to the bank in the background."""

    def __init__(self, journal: ProxyJournal, bank: BankLink) -> None:
        self._journal = journal
        self._delivery = Delivery(journal.outbox, bank.name, lambda: bank, journal.close)

    @property
    def waiting(self) -> OutboxState:
        """State of the turns that are not yet in the bank."""
        return self._journal.outbox.state()

    def stop(self) -> None:
        """Delivers what is left if the bank answers, and closes the journal."""
        self._delivery.retire(_LAST_S)

    def record(self, body: RequestBody, session: str, answer: PassedAnswer | None, called_at: datetime) -> None:
        """Writes the turns of an answered request, and those of its answer. Blocks for the time of a commit. Nothing
        is raised: a turn that cannot be kept is logged."""
        try:
            if self._write(body, session, answer, called_at):
                self._delivery.notify()
        except Exception as error:
            log.warning("a turn was not kept: %s: %s", type(error).__name__, error)

    def _write(self, body: RequestBody, session: str, answer: PassedAnswer | None, called_at: datetime) -> int:
        if is_errand(_instructions(body)):
            return 0
        questions = _given(body)
        answers = _parsed(body.wire, answer.messages if answer is not None else ())
        held_as = held_by(body.wire.name, body.fields)
        held = self._journal.held(held_as) if held_as is not None else None
        if held is None:  # of what the provider holds nothing is known but its name
            session_turns = SessionTurns(session, held_as.encode() if held_as else None)
        else:
            session_turns = SessionTurns(held.thread, held.stretch, held.counts.copy())
        before = session_turns.counts.copy()
        turns = list[Fields]()
        for at, messages in ((called_at, questions), (datetime.now(UTC), answers)):
            for turn, name in (each for message in messages for each in session_turns.read(message)):
                if not self._journal.knows(name):
                    turns.append(_message(turn, name, session_turns.session, at + timedelta(microseconds=len(turns))))
        parent = held_as if held is not None else None
        said_since = session_turns.counts - before
        if parent is not None and body.fields.get("conversation"):  # its name stays, what it holds grows
            parent, said_since = None, session_turns.counts
        digests = list(said_since.elements())
        named = [
            NamedAnswer(name, parent, session_turns.stretch or b"", session_turns.session, digests)
            for name in self._names(body, answer)
        ]
        return self._journal.write(turns, named)

    def _names(self, body: RequestBody, answer: PassedAnswer | None) -> list[str]:
        """Returns the ids under which the provider holds the conversation after an answer."""
        if answer is None or not answer.id:
            return []
        if body.wire.name == "anthropic":
            return [answer.id] if body.fields.get("thread") else []
        if body.wire.name == "openai-responses":
            named = [answer.id] if body.fields.get("store") is not False else []
            conversation = answer.conversation or conversation_id(body.fields)
            return [*named, conversation] if conversation else named
        return []


def _instructions(body: RequestBody) -> Iterator[str]:
    """Yields the texts of the instructions of a request."""
    given = [body.fields.get(body.wire.system)] if body.wire.system else []
    given += [message.value.get("content") for message in body.messages if message.value.get("role") in INSTRUCTIONS]
    for content in given:
        yield from (str(part["text"]) for part in read_blocks(content).parts if part["type"] == "text")


def _given(body: RequestBody) -> list[ProviderMessage]:
    """Returns what a request says."""
    if body.messages:
        return _readable(body.messages)
    given = body.fields.get(body.wire.member)
    if isinstance(given, str) and given.strip():
        return _parsed(body.wire, [{"type": "message", "role": "user", "content": given}])
    return []


def _parsed(wire: ProviderWire, messages: Sequence[Json]) -> list[ProviderMessage]:
    return _readable([MessageText("", message, wire, number) for number, message in enumerate(messages)])


def _readable(messages: Sequence[MessageText]) -> list[ProviderMessage]:
    """Returns messages as they are read, without those of an unknown form."""
    found: list[ProviderMessage] = []
    for message in messages:
        with suppress(MemoryFault):
            found.append(message.item.message)
    return found


def _message(turn: Turn, name: str, thread: str, at: datetime) -> Fields:
    return {
        "id": name,
        "role": turn.role,
        "content": [_plain(part) for part in parts_of(turn)],
        "thread": thread,
        "created_at": at.isoformat(),
    }


def _plain(part: Part) -> Fields:
    """Returns a part as JSON, of an image what came."""
    if isinstance(part, ImagePart):
        return part.model_dump(mode="json", include={"type", "data", "url"}, exclude_none=True)
    return part.model_dump(mode="json")
