"""Memory of a wrapped client: what is added to its requests, and what is kept of its answers."""

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foxing.integrations.frameworks.provider_answers import AnswerReader, Json, read_body
from foxing.integrations.outbox.delivery import Delivery
from foxing.memory.conversation import Wire
from foxing.memory.conversation.requests import wire_of

from .alignment import following, places, start
from .insertion import insert
from .journal import Found, TurnJournal, TurnPlace
from .recollection import Recollection
from .turns import SentConversation, WireTurn, read_answer, read_request

log = logging.getLogger(__name__)

#: Time that is left for sending a request when recall has to give up.
_RESERVE_S = 0.05
#: A turn that is asked again within this time gets the same addition: retries, parallel calls, answers made again.
_SAME_FOR = timedelta(hours=1)
_PART_TYPES: Mapping[Wire, str] = {"anthropic": "text", "openai": "text", "openai-responses": "input_text"}


@dataclass
class WrappedCall:
    """A call of a wrapped client, between its request and the end of its answer."""

    wire: Wire
    #: Body to send in place of the caller's; None for the caller's own bytes.
    body: bytes | None
    turns: tuple[WireTurn, ...]
    places: list[tuple[TurnPlace, bool]]
    #: Place after which the answer stands.
    before: TurnPlace
    #: Conversation under which the service holds these turns as well.
    kept_as: str | None
    #: Time of the request.
    started_at: datetime
    #: True once its turns are in the journal.
    written: bool = False

    def reader(self) -> AnswerReader:
        """Returns what reads the answer if it is a stream."""
        return AnswerReader(self.wire)

    def read(self, content: bytes) -> Json | None:
        """Returns the answer in a body that is no stream; None if there is none."""
        return read_body(self.wire, content)


class ClientMemory:
    """Memory of a wrapped client. Nothing of it raises: a call goes through as it is if something fails."""

    def __init__(
        self,
        journal: TurnJournal,
        recollection: Recollection,
        *,
        bank: str,
        thread: str | None,
        recall: bool,
        deadline_s: float,
    ) -> None:
        self._journal = journal
        self._recollection = recollection
        self._delivery = Delivery(journal.outbox, bank, recollection.connection, self._close)
        self._bank = bank
        self._thread = thread
        self._recall = recall
        self._deadline_s = deadline_s
        self._ending = threading.Lock()
        #: Calls that threads are ending.
        self._soon: set[Future[None]] = set()

    def begin(self, path: str, body: bytes, since: float) -> WrappedCall | None:
        """Returns what is known of a request before it is sent; None for one that is no part of a conversation.
        `since`: `time.monotonic()` of the call."""
        until = since + self._deadline_s - _RESERVE_S
        try:
            found = wire_of(path)
            if found is None:
                return None
            wire, counts = found
            text = body.decode()
            value = json.loads(text)
            conversation = read_request(wire, value) if isinstance(value, dict) else None
            return None if conversation is None else self._begun(conversation, text, counts, until)
        except Exception as error:  # whatever it is, the caller's request is sent
            log.debug("a request is sent as it is: %s", error, exc_info=True)
            return None

    def end(self, call: WrappedCall, answer: Json | None) -> None:
        """Writes the turns of a call into the journal, once; without an answer, those of the caller alone."""
        with self._ending:
            if call.written:
                return
            call.written = True
        try:
            self._write(call, answer)
        except Exception as error:
            log.warning("a turn was not kept: %s", error)

    def soon(self, threads: Executor, end: Callable[[], None]) -> "asyncio.Future[None]":
        """Ends a call in a thread, for which `flush` waits. Returns what waits for it."""
        try:
            future = threads.submit(end)
        except RuntimeError:  # the client is closed, and its threads have ended
            future = Future()
            end()
            future.set_result(None)
        self._soon.add(future)
        future.add_done_callback(self._soon.discard)
        return asyncio.wrap_future(future)

    def flush(self, timeout_s: float) -> bool:
        """Waits until all turns are stored, and returns whether they are."""
        until = time.monotonic() + timeout_s
        wait(list(self._soon), timeout_s)
        return self._delivery.flush(max(0.0, until - time.monotonic()))

    def retire(self) -> None:
        """Ends the threads once all turns are stored, or the memory fails."""
        self._delivery.retire()

    def _close(self) -> None:
        self._recollection.close()
        self._journal.close()

    @property
    def ended(self) -> bool:
        """True once it has retired."""
        return self._delivery.ended

    def _begun(self, conversation: SentConversation, body: str, counts: bool, until: float) -> WrappedCall | None:
        before = start(self._bank, self._thread)
        if conversation.held_by is not None:
            before = self._journal.answered(conversation.held_by) or before
        found = places(self._journal, conversation.turns, before)
        changed: bytes | None = None
        try:
            additions = self._additions(conversation, [place for place, _ in found], counts, until)
            if additions:
                changed = insert(body, conversation.member, additions, _PART_TYPES[conversation.wire]).encode()
        except Exception as error:  # the turn is kept all the same
            log.debug("nothing is added to a request: %s", error, exc_info=True)
        last = found[-1][0] if found else before
        return WrappedCall(
            conversation.wire, changed, conversation.turns, found, last, conversation.kept_as, _now(), written=counts
        )

    def _additions(
        self, conversation: SentConversation, known: list[TurnPlace], counts: bool, until: float
    ) -> dict[int, str]:
        """Returns place of a message → text to add. Earlier turns get what they got when they were asked."""
        additions: dict[int, str] = {}
        shown = {place.message_id for place in known}
        for turn, place in zip(conversation.turns, known, strict=True):
            if turn.role != "user":
                continue
            asked = turn.place == conversation.asked and not counts
            found = self._journal.addition(place.prefix, _now() - _SAME_FOR if asked else None)
            if found is None and asked and self._recall:
                found = self._decide(turn, place, shown, until)
            if found is not None and found.text:
                additions[turn.place] = found.text
                shown.update(found.shown)
        return additions

    def _decide(self, turn: WireTurn, place: TurnPlace, shown: Collection[str], until: float) -> Found:
        """Returns what is added to a new turn, once that is written: what cannot be written cannot be added again."""
        found = self._recollection.find(turn.text, shown, until)
        try:
            self._journal.add(place.prefix, found, _now())
        except sqlite3.Error as error:
            log.debug("nothing is added to a turn: %s", error)
            return Found()
        return found

    def _write(self, call: WrappedCall, answer: dict[str, object] | None) -> None:
        turns = zip(call.turns, call.places, strict=True)
        new = [(turn, place, call.started_at) for turn, (place, known) in turns if not known]
        at = call.before
        for turn in read_answer(call.wire, answer, len(call.turns)) if answer is not None else ():
            at = following(at, turn)
            new.append((turn, at, _now()))
        given = (answer.get("id") if answer is not None else None, call.kept_as)
        names = [name for name in given if isinstance(name, str)]
        if new or names:
            self._journal.write(new, names, at)
            self._delivery.notify()


def _now() -> datetime:
    return datetime.now(UTC)
