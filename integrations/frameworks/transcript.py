"""Transcript of a conversation: stored exactly as records, and remembered as messages."""

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from foxing.memory import Conflict, ErasureReport, Fields, InvalidInput, Record, RecordSearchFields, StoreResult

from .batches import batches
from .call_sequences import CallSequence, ask, ask_or
from .records import BankRecords

#: Time within which adding the same items again after a failure is a retry of the same write, in seconds.
ANOTHER_ATTEMPT_S = 300.0
MOST_FAILED = 1_000

#: Storing of items as messages: False for none, True until they are removed from the conversation, or "always".
Remember = bool | Literal["always"]


@dataclass(frozen=True)
class TranscriptItem:
    """An item of a conversation."""

    #: The item, stored exactly.
    value: JsonValue
    #: The message to remember; None for none.
    message: Fields | None


class Transcript:
    """The items of one conversation, stored as records in the order in which they were added. Their text is also stored
    as messages of a thread, which can be recalled and which age. Removing items permanently erases these messages,
    unless `remember` is "always".

    After an error of `add`, adding the same items again continues the same write and stores nothing twice. Several
    writers may add to one conversation; the items of a call stay together.
    """

    def __init__(self, bank: str, framework: str, conversation: str, *, remember: Remember = True) -> None:
        """`framework`: first label of the records' namespace. `conversation`: id of the conversation and name of the
        thread. `remember`: see `Remember`. Raises `InvalidInput` for an invalid id."""
        if not isinstance(conversation, str) or not 1 <= len(conversation) <= 200 or min(conversation) < " ":
            raise InvalidInput(
                f"{conversation!r} is not a valid conversation id; use 1 to 200 characters without control characters",
            )
        self._bank = bank
        self._namespace = (framework, conversation)
        self._records = BankRecords(bank)
        self._thread = conversation
        self._remember = bool(remember)
        self._erase = remember is True
        #: Digest of items of a failed write → id of the write, and the time of the failure.
        self._failed: dict[bytes, tuple[str, float]] = {}

    def add(self, entries: Sequence[TranscriptItem]) -> CallSequence[None]:
        """Appends items. Raises `FoxingError`."""
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

    def _write(self, write_id: str, entries: Sequence[TranscriptItem]) -> CallSequence[None]:
        """Writes the records and then the messages. The id of a message is the key of its record."""
        keyed = [(f"{write_id}-{number:06}", entry) for number, entry in enumerate(entries)]
        puts: list[Fields] = [
            {"op": "put", "namespace": self._namespace, "key": key, "value": entry.value, "text": ""}
            for key, entry in keyed
        ]
        for number, batch in enumerate(batches(puts)):
            key = f"{write_id}-records-{number}"
            yield from self._records.write(batch, key)
        messages: list[Fields] = [{**entry.message, "id": key} for key, entry in keyed if entry.message is not None]
        for number, some in enumerate(batches(messages if self._remember else ())):
            key = f"{write_id}-messages-{number}"
            yield from self._store(some, key)

    def items(self, latest: int | None = None) -> CallSequence[list[JsonValue]]:
        """Returns all items, or the latest, oldest first."""
        records = yield from self._newest(latest)
        return [record.value for record in records][::-1]

    def pop(self) -> CallSequence[JsonValue]:
        """Removes and returns the last item; None if there is none. Concurrent callers get different items. Its message
        is erased first, so that the call can be repeated after an error."""
        while True:
            newest = yield from self._newest(1)
            if not newest:
                return None
            record = newest[0]
            if self._erase:
                yield from self._erase_message(record.key)
            try:
                yield from self._records.write([_deletion(record)])
            except Conflict:  # another caller has removed it
                continue
            return record.value

    def clear(self) -> CallSequence[None]:
        """Erases the messages of the thread, and then removes all items."""
        if self._erase:
            yield from ask_or(None, lambda memory: memory.erase_thread(self._bank, self._thread))
        yield from self._records.write([{"op": "clear", "namespace": self._namespace}])

    def _newest(self, limit: int | None) -> CallSequence[list[Record]]:
        own: RecordSearchFields = {"namespace": self._namespace, "exact": True, "order": "newest"}
        return self._records.search(own, limit)

    def _store(self, messages: Sequence[Fields], key: str) -> CallSequence[StoreResult]:
        return ask(lambda memory: memory.store(self._bank, messages, thread=self._thread, idempotency_key=key))

    def _erase_message(self, message_id: str) -> CallSequence[ErasureReport | None]:
        return ask_or(None, lambda memory: memory.erase_message(self._bank, message_id))


def _deletion(record: Record) -> Fields:
    return {"op": "delete", "namespace": record.namespace, "key": record.key, "if_version": record.version}
