"""A conversation that a framework gets back exactly, and that the memory remembers."""

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foxing.integrations.client import (
    Conflict,
    InvalidRequest,
    JsonValue,
    NewMessage,
    PutRecord,
    Record,
    Records,
    calls,
)

from .batches import batches
from .steps import Steps, ask

#: Seconds for which adding the same items again, after a failure, counts as another attempt.
ANOTHER_ATTEMPT_S = 300.0
MOST_AT_ONCE = 500
MOST_FAILED = 1_000

#: Whether what is said is stored as messages: not at all, until it is removed from the conversation, or "always".
Remember = bool | Literal["always"]


@dataclass(frozen=True)
class Entry:
    """An item of a conversation."""

    #: The item itself, which comes back exactly.
    value: JsonValue
    #: What is said in it, to be remembered; None for nothing.
    message: NewMessage | None


class Transcript:
    """The items of one conversation, kept as records in the order in which they were added. What is said in them is
    stored as messages of a thread as well, which recall finds and which age. Removing items erases these messages for
    good, unless they are to stay remembered.

    Adding fails as a whole or continues: after an error, adding the same items again is the same write, and stores
    nothing twice. Several writers may add to one conversation; the items of a call stay together.
    """

    def __init__(self, bank: str, framework: str, conversation: str, *, remember: Remember = True) -> None:
        """`framework`: the namespace of its records. `conversation`: its id, also the name of the thread. `remember`:
        whether to store messages, and whether they stay remembered after their items are removed. Raises
        `InvalidRequest` for an id that neither can have."""
        if not isinstance(conversation, str) or not 1 <= len(conversation) <= 200 or min(conversation) < " ":
            raise InvalidRequest(
                f"{conversation!r} is no id of a conversation: it has 1 to 200 characters and no control characters",
                "invalid-input",
            )
        self._bank = bank
        self._namespace = (framework, conversation)
        self._thread = conversation
        self._remember = bool(remember)
        self._erase = remember is True
        #: Digest of items that could not be added → the id of that write, and when it failed.
        self._failed: dict[bytes, tuple[str, float]] = {}

    def add(self, entries: Sequence[Entry]) -> Steps[None]:
        """Appends items. Raises `ClientError`."""
        if not entries:
            return
        digest = hashlib.sha256(json.dumps([entry.value for entry in entries]).encode()).digest()
        write_id, failed_at = self._failed.pop(digest, ("", 0.0))
        if not write_id or time.monotonic() - failed_at > ANOTHER_ATTEMPT_S:
            write_id = uuid.uuid4().hex
        try:
            yield from self._write(write_id, entries)
        except BaseException:
            while len(self._failed) >= MOST_FAILED:
                self._failed.pop(next(iter(self._failed)))
            self._failed[digest] = (write_id, time.monotonic())
            raise

    def _write(self, write_id: str, entries: Sequence[Entry]) -> Steps[None]:
        """Records first: they are what the framework must get back. A message has the key of its record as its id."""
        keyed = [(f"{write_id}-{number:06}", entry) for number, entry in enumerate(entries)]
        puts: list[PutRecord] = [
            {"op": "put", "namespace": self._namespace, "key": key, "value": entry.value, "text": ""}
            for key, entry in keyed
        ]
        for number, batch in enumerate(batches(puts)):
            yield from ask(calls.write_records(self._bank, batch, idempotency_key=f"{write_id}-records-{number}"))
        said: list[NewMessage] = [{**entry.message, "id": key} for key, entry in keyed if entry.message is not None]
        for number, some in enumerate(batches(said if self._remember else ())):
            key = f"{write_id}-messages-{number}"
            yield from ask(calls.store(self._bank, some, thread=self._thread, idempotency_key=key))

    def items(self) -> Steps[list[JsonValue]]:
        """All items, oldest first."""
        found: list[JsonValue] = []
        cursor: str | None = None
        while True:
            call = calls.search_records(self._bank, self._namespace, exact=True, limit=MOST_AT_ONCE, cursor=cursor)
            part = yield from ask(call.or_missing(Records()))
            found += [record.value for record in part.records]
            cursor = part.next_cursor
            if cursor is None:
                return found

    def latest(self, limit: int) -> Steps[list[JsonValue]]:
        """The last `limit` items, oldest first."""
        return [record.value for record in (yield from self._newest(limit))][::-1]

    def pop(self) -> Steps[JsonValue]:
        """Removes and returns the last item, each to one caller only; None if there is none. Its message goes first, so
        that what fails in between can be done again."""
        while True:
            newest = yield from self._newest(1)
            if not newest:
                return None
            record = newest[0]
            if self._erase:
                yield from ask(calls.erase_message(self._bank, record.key).or_missing(None))
            try:
                yield from ask(
                    calls.write_records(
                        self._bank,
                        [
                            {
                                "op": "delete",
                                "namespace": self._namespace,
                                "key": record.key,
                                "if_version": record.version,
                            }
                        ],
                    )
                )
            except Conflict:  # another caller has removed it
                continue
            return record.value

    def clear(self) -> Steps[None]:
        """Removes all items, and erases the messages of the thread first."""
        if self._erase:
            yield from ask(calls.erase_thread(self._bank, self._thread).or_missing(None))
        yield from ask(calls.write_records(self._bank, [{"op": "clear", "namespace": self._namespace}]))

    def _newest(self, limit: int) -> Steps[list[Record]]:
        found: list[Record] = []
        cursor: str | None = None
        while len(found) < limit:
            call = calls.search_records(
                self._bank,
                self._namespace,
                exact=True,
                order="newest",
                limit=min(MOST_AT_ONCE, limit - len(found)),
                cursor=cursor,
            )
            part = yield from ask(call.or_missing(Records()))
            found += part.records
            cursor = part.next_cursor
            if cursor is None:
                break
        return found
