"""Turns that pass: each message of a conversation is stored once, whether its client sends the whole history or the
provider holds it."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from foxing.integrations.frameworks.provider_answers import Json
from foxing.memory.conversation import INSTRUCTIONS, ProviderMessage, SessionTurns, Turn
from foxing.memory.conversation.hosts import is_errand
from foxing.memory.errors import Conflict, InvalidInput, InvalidTime, MemoryFault, MessageTooLarge
from foxing.memory.fold.conversation import parts_of
from foxing.memory.fold.images import with_sound_images
from foxing.memory.values.base import Fields
from foxing.memory.values.parts import ImagePart, Part

from .answers import PassedAnswer
from .bank import BankLink
from .body import MessageText, RequestBody
from .journal import NamedAnswer, PendingTurn, ProxyJournal
from .wires import ProviderWire

log = logging.getLogger(__name__)

#: Messages that are stored at once, and the characters of all but the first: a service takes 4 MiB.
_AT_ONCE, _AT_ONCE_CHARS = 200, 2 << 20
_TOO_LARGE = "the service does not take so large a message"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
#: Least pause in which delivered turns stay in the log of the journal: emptying it waits for the disk.
_FORGET_S = 1.0


def held_by(body: RequestBody) -> str | None:
    """Returns the id under which the provider holds what was said before a request; None if the request says all."""
    fields = body.fields
    if body.wire.name == "messages":
        thread = fields.get("thread")
        held = thread.get("previous_message_id") if isinstance(thread, dict) else None
    elif body.wire.name == "responses":
        held = fields.get("previous_response_id") or _conversation(fields.get("conversation"))
    else:
        held = None
    return held if isinstance(held, str) and held else None


def _conversation(given: object) -> str | None:
    named = given.get("id") if isinstance(given, dict) else given
    return named if isinstance(named, str) and named else None


class TurnRecorder:
    """Writes turns into the journal, and delivers them to the bank in the background."""

    def __init__(self, journal: ProxyJournal, bank: BankLink) -> None:
        self._journal = journal
        self._bank = bank
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pause_s = _FIRST_PAUSE_S
        #: Whether the log of the journal may hold delivered turns, and when it was last emptied, by the loop's clock.
        self._may_hold = False
        self._emptied_at = -_FORGET_S

    def start(self) -> None:
        """Begins to deliver what the journal holds."""
        self._changed.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Delivers what is left if the bank answers, and closes the journal."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(Exception):
            async with asyncio.timeout(_FIRST_PAUSE_S * 25):
                while await self._deliver():
                    pass
        self._journal.close()

    def record(self, body: RequestBody, session: str, answer: PassedAnswer | None, called_at: datetime) -> None:
        """Writes the turns of an answered request, and those of its answer. Blocks for the time of a commit. Nothing
        is raised: a turn that cannot be kept is logged."""
        try:
            if self._write(body, session, answer, called_at):
                loop = self._task.get_loop() if self._task is not None else None
                if loop is not None:
                    loop.call_soon_threadsafe(self._changed.set)
        except Exception as error:
            log.warning("a turn was not kept: %s: %s", type(error).__name__, error)

    def _write(self, body: RequestBody, session: str, answer: PassedAnswer | None, called_at: datetime) -> int:
        if is_errand(_instructions(body)):
            return 0
        asked = _given(body)
        said = _parsed(body.wire, answer.messages if answer is not None else ())
        held_as = held_by(body)
        held = self._journal.held(held_as) if held_as is not None else None
        if held is None:  # of what the provider holds nothing is known but its name
            read = SessionTurns(session, held_as.encode() if held_as else None)
        else:
            read = SessionTurns(held.thread, held.stretch, held.said.copy())
        before = read.said.copy()
        turns = list[Fields]()
        for at, messages in ((called_at, asked), (datetime.now(UTC), said)):
            for turn, name in (each for message in messages for each in read.read(message)):
                if not self._journal.knows(name):
                    turns.append(_message(turn, name, read.session, at + timedelta(microseconds=len(turns))))
        parent = held_as if held is not None else None
        said_since = read.said - before
        if parent is not None and body.fields.get("conversation"):  # its name stays, what it holds grows
            parent, said_since = None, read.said
        digests = list(said_since.elements())
        named = [
            NamedAnswer(name, parent, read.stretch or b"", read.session, digests) for name in self._names(body, answer)
        ]
        return self._journal.write(turns, named)

    def _names(self, body: RequestBody, answer: PassedAnswer | None) -> list[str]:
        """Returns the ids under which the provider holds the conversation after an answer."""
        if answer is None or not answer.id:
            return []
        if body.wire.name == "messages":
            return [answer.id] if body.fields.get("thread") else []
        if body.wire.name == "responses":
            named = [answer.id] if body.fields.get("store") is not False else []
            conversation = answer.conversation or _conversation(body.fields.get("conversation"))
            return [*named, conversation] if conversation else named
        return []

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                while await self._deliver():
                    self._pause_s = _FIRST_PAUSE_S
                await self._forget()
            except Exception as error:
                log.debug("turns are stored later: %s", error)
                await asyncio.sleep(self._pause_s)
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
                self._changed.set()

    async def _deliver(self) -> bool:
        """Stores the oldest messages, and returns whether there were any. Raises the errors of an unusable memory."""
        turns = await asyncio.to_thread(self._journal.pending, _AT_ONCE, _AT_ONCE_CHARS)
        if not turns:
            return False
        try:
            await self._bank.store([turn.message for turn in turns])
        except (Conflict, InvalidInput):
            for turn in turns:
                await self._store_alone(turn)
        await asyncio.to_thread(self._journal.delivered, turns)
        self._may_hold = True
        return True

    async def _forget(self) -> None:
        """Empties the log of the journal if it may hold delivered turns, soon if that is not possible now."""
        loop = asyncio.get_running_loop()
        if self._may_hold and loop.time() >= self._emptied_at + _FORGET_S:
            self._may_hold = not await asyncio.to_thread(self._journal.forget)
            self._emptied_at = loop.time()
        if self._may_hold:
            loop.call_at(self._emptied_at + _FORGET_S, self._changed.set)

    async def _store_alone(self, turn: PendingTurn) -> None:
        """Stores a message that may be invalid. An image that cannot be stored is left out, and a message that remains
        invalid is given up, since it will never be valid."""
        message = dict(turn.message)
        try:
            try:
                await self._store_sound(message)
            except (Conflict, InvalidTime):  # a fold has stored it at another time, or the clock was set back
                del message["created_at"]
                await self._store_sound(message)
        except (Conflict, InvalidInput) as error:
            log.warning("a turn was not stored: %s", error)

    async def _store_sound(self, message: Fields) -> None:
        """Stores a message, without the images that are refused. Raises the errors of the memory."""
        try:
            await self._bank.store([message])
        except MessageTooLarge:
            await self._bank.store([with_sound_images(message, _TOO_LARGE)])
        except InvalidInput:
            await self._bank.store([await asyncio.to_thread(with_sound_images, message)])


def _instructions(body: RequestBody) -> str:
    """Returns the instructions of a request, as JSON where they are not a text."""
    given = [body.fields.get(body.wire.system)] if body.wire.system else []
    given += [message.value.get("content") for message in body.messages if message.value.get("role") in INSTRUCTIONS]
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in given if each)


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
