"""Checks of messages: the text of open ones, and the parts of sealed ones on pages."""

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
    """Messages of a bank in one state, with their places on pages."""

    bank: str
    messages: Sequence[Message]
    spans: Mapping[int, Sequence[SpanRow]]
    digest_key: bytes = field(repr=False)

    @classmethod
    def of(cls, connection: Connection, survey: BankSurvey, ids: Sequence[int]) -> "MessageBatch":
        """Reads the messages of `ids` that exist, in the given order."""
        rows = messages.by_ids(connection, survey.bank_id, ids)
        spans = pages.spans_of_messages(connection, survey.bank_id, ids)
        return cls(survey.bank, [rows[i] for i in ids if i in rows], spans, digest_key(connection))

    def name(self, message: Message) -> str:
        """Returns the name of a message in reports."""
        return f"message {message.key!r} of bank {self.bank}"


MessageCheck = Callable[[MessageBatch], Iterator[Finding]]


def check_text(batch: MessageBatch) -> Iterator[Finding]:
    """Finds open messages whose text has another length, digest or number of passages than recorded."""
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
    """Finds sealed messages whose exact text, kept with pages or decoded from tokens, does not match their digest."""
    for message_id, item in read.remembered.items():
        message = read.rows[message_id]
        if item.source == "text" and not message.open and not messages.matches_digest(message, item.text, key):
            yield Finding(f"message {message.key!r} of bank {bank}: {_MISMATCH}; {RESTORE}")


def check_places(batch: MessageBatch) -> Iterator[Finding]:
    """Finds messages whose sealed part is not on pages exactly once and without gaps from its beginning: the whole
    message, or less of an open one."""
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
