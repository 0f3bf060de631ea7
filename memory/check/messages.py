"""Checks of messages: their text while they are open, and that pages hold all of what is sealed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import SpanRow
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key
from foxing.memory.text.passages import split_passages

from .finding import RESTORE, Finding
from .index import Read
from .survey import BankSurvey


@dataclass(frozen=True)
class MessageBatch:
    """Some messages of a bank, as they were at one moment, with their places on pages."""

    bank: str
    messages: Sequence[Message]
    spans: Mapping[int, Sequence[SpanRow]]
    digest_key: bytes = field(repr=False)

    @classmethod
    def of(cls, connection: Connection, survey: BankSurvey, ids: Sequence[int]) -> "MessageBatch":
        """Those of the messages that are there, in the order given."""
        found = messages.by_ids(connection, survey.bank_id, ids)
        spans = pages.spans_of_messages(connection, survey.bank_id, ids)
        return cls(survey.bank, [found[i] for i in ids if i in found], spans, digest_key(connection))

    def name(self, message: Message) -> str:
        return f"message {message.key!r} of bank {self.bank}"


MessageCheck = Callable[[MessageBatch], Iterator[Finding]]


def check_text(batch: MessageBatch) -> Iterator[Finding]:
    """That an open message has a text of that length, with that digest and number of passages."""
    for message in batch.messages:
        reason = _text_fault(message, batch.digest_key)
        if reason is not None:
            yield Finding(f"{batch.name(message)}: {reason}; {RESTORE}")


def _text_fault(message: Message, key: bytes) -> str | None:
    if message.content is None:
        return None
    if len(message.digest) not in (0, DIGEST_BYTES):
        return f"a digest of {len(message.digest)} bytes"
    if len(message.content) != message.chars:
        return f"its text has {len(message.content)} characters in place of {message.chars}"
    if len(split_passages(message.content)) != message.passages:
        return "its text has another number of passages"
    return None if messages.matches_digest(message, message.content, key) else _MISMATCH


_MISMATCH = "its text is not what was stored (digest mismatch)"


def check_exact_text(bank: str, read: Read, key: bytes) -> Iterator[Finding]:
    """That text which is kept with pages, or read from their tokens as exact, is what was stored."""
    for message_id, item in read.remembered.items():
        message = read.found[message_id]
        if item.source == "text" and not message.open and not messages.matches_digest(message, item.text, key):
            yield Finding(f"message {message.key!r} of bank {bank}: {_MISMATCH}; {RESTORE}")


def check_places(batch: MessageBatch) -> Iterator[Finding]:
    """That pages hold what is sealed of a message from its beginning on, each part once: all of it, or less of a
    message that is open."""
    for message in batch.messages:
        reason = _place_fault(message, batch.spans.get(message.id, []))
        if reason is not None:
            yield Finding(f"{batch.name(message)}: {reason}; {RESTORE}")


def _place_fault(message: Message, spans: Sequence[SpanRow]) -> str | None:
    end = 0
    for span in spans:
        if span.char_start != end:
            return f"pages do not hold its {message.chars} characters one after the other"
        end = span.char_stop
    if not message.open:
        return None if spans and end == message.chars else f"pages hold {end} of its {message.chars} characters"
    if end != message.sealed_chars or (spans and end == message.chars):
        return f"it is open from character {message.sealed_chars} on, and pages hold {end} of its {message.chars}"
    return None


#: Checks of every message, by name.
MESSAGE_CHECKS: Mapping[str, MessageCheck] = {"message-text": check_text, "message-places": check_places}
