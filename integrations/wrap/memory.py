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
from itertools import groupby

from foxing.integrations.turns.recorder import ReadConversation, TurnRecorder
from foxing.integrations.turns.sent import read_request
from foxing.integrations.turns.sessions import session_of
from foxing.memory import Wire
from foxing.memory.conversation import INSTRUCTIONS
from foxing.memory.conversation.answers import PassedAnswer
from foxing.memory.conversation.requests import wire_of

from .insertion import insert
from .journal import Addition, WrapJournal
from .recollection import Recollection

log = logging.getLogger(__name__)

#: Time that is left for sending a request when recall has to give up.
_RESERVE_S = 0.05
#: A turn that is asked again within this time gets the same addition: retries, parallel calls, answers made again.
_SAME_FOR = timedelta(hours=1)


@dataclass
class WrappedCall:
    """A call of a wrapped client, between its request and the end of its answer."""

    #: Body to send in place of the caller's; None for the caller's own bytes.
    body: bytes | None
    read_request: ReadConversation
    #: Time of the request.
    started_at: datetime
    #: True once its turns are in the journal.
    written: bool = False

    @property
    def wire(self) -> Wire:
        """Format of the conversation."""
        return self.read_request.sent.wire


class ClientMemory:
    """Memory of a wrapped client. Nothing of it raises: a call goes through as it is if something fails."""

    def __init__(
        self,
        journal: WrapJournal,
        recollection: Recollection,
        *,
        bank: str,
        thread: str | None,
        recall: bool,
        deadline_s: float,
    ) -> None:
        self._journal = journal
        self._recollection = recollection
        self._recorder = TurnRecorder(journal, bank, recollection.connection, self._close)
        self._thread = thread
        self._recall = recall
        self._deadline_s = deadline_s
        #: Number of HTTP clients that are open.
        self.users = 0
        self._ending = threading.Lock()
        #: Calls that threads are ending.
        self._soon: set[Future[None]] = set()

    def begin(self, path: str, headers: Mapping[str, str], body: bytes, since: float) -> WrappedCall | None:
        """Returns what is known of a request before it is sent; None for one that is no part of a conversation.
        `headers`: names in any case. `since`: `time.monotonic()` of the call."""
        until = since + self._deadline_s - _RESERVE_S
        try:
            wire_name = wire_of(path)
            if wire_name is None:
                return None
            wire, counts = wire_name
            value = json.loads(body)
            sent = read_request(wire, value) if isinstance(value, dict) else None
            if sent is None:
                return None
            read = self._recorder.read(sent, self._thread or session_of(sent, headers))
            if read is None:
                return None
            return WrappedCall(self._changed(read, counts, until), read, _now(), written=counts)
        except Exception as error:  # whatever it is, the caller's request is sent
            log.debug("a request is sent as it is: %s", error, exc_info=True)
            return None

    def end(self, call: WrappedCall, answer: PassedAnswer | None) -> None:
        """Writes the turns of a call into the journal, once; without an answer, those of the caller alone."""
        with self._ending:
            if call.written:
                return
            call.written = True
        # what goes on with an answer of Gemini is a part of it; the whole comes with the next request
        is_part = "continuationToken" in call.read_request.sent.fields
        self._recorder.write(call.read_request, None if is_part else answer, call.started_at)

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
        return self._recorder.delivery.flush(max(0.0, until - time.monotonic()))

    def release(self) -> None:
        """Ends the use by one of its HTTP clients; that of the last ends the threads, once all turns are stored or the
        memory fails."""
        self.users -= 1
        if not self.users:
            self._recorder.delivery.retire()

    def _close(self) -> None:
        self._recollection.close()
        self._journal.close()

    @property
    def ended(self) -> bool:
        """True once it has retired."""
        return self._recorder.delivery.ended

    def _changed(self, read: ReadConversation, counts: bool, until: float) -> bytes | None:
        """Returns the body to send; None for the caller's own."""
        try:
            additions = self._additions(read, counts, until)
            return insert(read.sent, additions) if additions else None
        except Exception as error:  # the turn is kept all the same
            log.debug("nothing is added to a request: %s", error, exc_info=True)
            return None

    def _additions(self, read: ReadConversation, counts: bool, until: float) -> dict[int, str]:
        """Returns place of a message → text to add. Earlier messages get what they got when they were asked."""
        additions: dict[int, str] = {}
        names = {name for _, _, name in read.turns}
        last = max((at for at, item in read.sent.messages.items() if item.role not in INSTRUCTIONS), default=None)
        for place, turns in groupby(read.turns, lambda item: item[0]):
            (_, first, name), *others = turns
            if any(turn.role != "user" for turn in (first, *(turn for _, turn, _ in others))):
                continue
            question = "\n".join((first.text, *(turn.text for _, turn, _ in others)))
            is_question = place == last and bool(question.strip()) and not counts
            addition = self._journal.addition(name, _now() - _SAME_FOR if is_question else None)
            if addition is None and is_question and self._recall:
                addition = self._decide(name, question, names, until)
            if addition is not None and addition.text:
                additions[place] = addition.text
                names.update(addition.shown)
        return additions

    def _decide(self, name: str, question: str, names: Collection[str], until: float) -> Addition:
        """Returns what is added to a new message, once that is written: what cannot be written cannot be added
        again."""
        addition = self._recollection.find(question, names, until)
        try:
            self._journal.add(name, addition, _now())
        except sqlite3.Error as error:
            log.debug("nothing is added to a turn: %s", error)
            return Addition()
        return addition


def _now() -> datetime:
    return datetime.now(UTC)
