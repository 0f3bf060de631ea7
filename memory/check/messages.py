"""Checks of messages: their text while they are open, and that pages hold all of what is sealed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from foxing.memory.ingest.store import message_digest
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import SpanRow
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key
from foxing.memory.text.passages import split_passages

from .problem import Problem

_RESTORE = "restore it from a backup"


@dataclass(frozen=True)
class MessageBatch:
    """Some messages of a bank, as they were at one moment, with their places on pages."""

    bank_id: int
    bank: str
    messages: Sequence[Message]
    spans: Mapping[int, Sequence[SpanRow]]
    digest_key: bytes

    @classmethod
    def after(cls, connection: Connection, bank_id: int, bank: str, message_id: int, limit: int) -> "MessageBatch":
        """Up to `limit` messages with a higher id."""
        ids = messages.ids_after(connection, bank_id, message_id, limit)
        found = messages.by_ids(connection, ids)
        spans = pages.spans_of_messages(connection, ids)
        return cls(bank_id, bank, [found[i] for i in ids if i in found], spans, digest_key(connection))

    def name(self, message: Message) -> str:
        return f"message {message.key!r} of bank {self.bank}"


MessageCheck = Callable[[MessageBatch], Iterator[Problem]]


def check_text(batch: MessageBatch) -> Iterator[Problem]:
    """That an open message has its text, of that length, with that digest and number of passages; and a sealed one has
    none."""
    for message in batch.messages:
        reason = _text_fault(message, batch.digest_key)
        if reason is not None:
            yield Problem(f"{batch.name(message)}: {reason}; {_RESTORE}")


def _text_fault(message: Message, key: bytes) -> str | None:
    if len(message.digest) not in (0, DIGEST_BYTES):
        return f"a digest of {len(message.digest)} bytes"
    if not message.open:
        return "it is sealed, and its text is still there" if message.content is not None else None
    if message.content is None:
        return "it is open, and its text is missing"
    if len(message.content) != message.chars:
        return f"its text has {len(message.content)} characters in place of {message.chars}"
    if len(split_passages(message.content)) != message.passages:
        return "its text has another number of passages"
    # of a message in parts the text does not say how the parts were given
    plain = not message.parts and bool(message.digest)
    identity = [message.role, message.name, message.content]
    if plain and message_digest(key, identity, message.metadata) != message.digest:
        return "its text is not what was stored (digest mismatch)"
    return None


def check_places(batch: MessageBatch) -> Iterator[Problem]:
    """That pages hold what is sealed of a message from its beginning on, each part once, and all of it unless it is
    open."""
    for message in batch.messages:
        end, spans = 0, batch.spans.get(message.id, [])
        for span in spans:
            if span.char_start != end:
                break
            end = span.char_stop
        else:
            sealed = message.sealed_chars
            if end == sealed and (message.open or (spans and sealed == message.chars)):
                continue
        yield Problem(
            f"{batch.name(message)}: {message.sealed_chars} of {message.chars} characters are sealed, and pages do not "
            f"hold them one after the other; {_RESTORE}"
        )


#: Checks of every message, by name.
MESSAGE_CHECKS: Mapping[str, MessageCheck] = {"message-text": check_text, "message-places": check_places}
