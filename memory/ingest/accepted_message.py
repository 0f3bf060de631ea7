"""Messages as they are stored: valid, and without what the rules of their bank redact."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from secrets import token_hex
from typing import Any

from pydantic import JsonValue

from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import is_turn_id
from foxing.memory.errors import (
    Conflict,
    InvalidInput,
)
from foxing.memory.index.vectors import MessageCodes, spoken
from foxing.memory.storage.repositories import (
    messages,
)
from foxing.memory.storage.repositories.images import NewImage
from foxing.memory.storage.repositories.quarantine import QuarantineRow
from foxing.memory.storage.secrets import message_digest
from foxing.memory.text.facts import marked_clauses
from foxing.memory.text.passages import Passage, split_passages
from foxing.memory.text.planted import planted_form
from foxing.memory.text.speakers import index_terms
from foxing.memory.values.facts import MarkedClause
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part
from foxing.memory.values.trust import DATA_CLASSES

from .images import prepare_images
from .rules import BankRules
from .validate import validate_message

DEFAULT_THREAD = "main"
LONG_PASSAGES = 64  # a message of more, about 40 kB, is embedded after the call: that takes seconds for each 100 kB
#: Classes whose words are no facts: instructions and claims of pages and tools.
UNREAD_CLASSES = DATA_CLASSES - {"imported"}
MAX_MARK_CHARS = 80  # of what stands in an excerpt in place of what is left out


@dataclass(frozen=True, eq=False)
class AcceptedMessage:
    """A valid message, without what the rules of its bank redact."""

    message: NewMessage
    #: Its content as text, with parts rendered.
    text: str
    #: Its thread; None if neither the message nor the call names one.
    thread: str | None
    #: Secret key of its digest.
    digest_key: bytes = field(repr=False)
    #: Its passages.
    passages: Sequence[Passage]
    #: Its images.
    images: Sequence[NewImage] = ()
    #: Its embedding; None if a job computes it later.
    code: MessageCodes | None = None
    #: Whether rules recognise instructions in it, though it is data.
    suspicious: bool = False
    #: Name of the rule for which it is quarantined; None if it is not.
    quarantine_rule: str | None = None

    @property
    def key(self) -> str | None:
        """The id chosen by the caller, if any."""
        return self.message.id

    @cached_property
    def quarantine_key(self) -> str:
        """Its id in quarantine, the same at every attempt to write it."""
        return self.key or f"quarantined-{token_hex(10)}"

    def quarantine_row(self, now: datetime) -> QuarantineRow:
        """Returns its row in quarantine. `now`: time of the call."""
        at = self.message.arrived_at or now
        place = {"id": self.quarantine_key, "thread": self.thread or DEFAULT_THREAD, "arrived_at": at}
        message = self.message.model_copy(update={**place, "created_at": self.message.created_at or at})
        return QuarantineRow.of(message, self.quarantine_rule or "", self.digest)

    @cached_property
    def digest(self) -> bytes:
        """Keyed digest of role, name, content and metadata, ignoring id, time, thread and the order of JSON keys. It is
        keyed because a short text could be found by brute force."""
        message = self.message
        identity = [message.role, message.name, self.text]
        if message.parts is not None:
            identity[2] = compact_json(_identities(message.parts, self.images), sort_keys=True)
            identity.append("parts")
        return message_digest(self.digest_key, identity, message.metadata)

    @classmethod
    def of(
        cls,
        message: NewMessage,
        thread: str | None,
        digest_key: bytes,
        images: Sequence[NewImage] = (),
        quarantine: Collection[str] = (),
    ) -> "AcceptedMessage":
        """Returns the message in its own thread, or else in `thread`. `quarantine`: classes to quarantine if rules
        recognise instructions."""
        text = message.text
        trust = message.trust_class
        form = planted_form(text) if trust in DATA_CLASSES or trust in quarantine else None
        return cls(
            message,
            text,
            message.thread or thread,
            digest_key,
            split_passages(text),
            images,
            suspicious=form is not None and trust in DATA_CLASSES,
            quarantine_rule=form if trust in quarantine else None,
        )

    @cached_property
    def terms(self) -> Sequence[Counter[str]]:
        """Index terms of each passage, with counts."""
        return index_terms(self.text, self.message.name, self.passages)

    @cached_property
    def facts(self) -> Sequence[MarkedClause]:
        """Its clauses that state what holds, or that something has changed; of data none are read."""
        if self.message.trust_class in UNREAD_CLASSES or self.suspicious:
            return ()
        return marked_clauses(self.text, self.message.role)

    @property
    def is_long(self) -> bool:
        """True if nobody waits for its embedding."""
        return len(self.passages) > LONG_PASSAGES

    @cached_property
    def size(self) -> int:
        """Bytes of its text and its images."""
        images = sum(len(image.file.content) for image in self.images)
        return len(self.text.encode("utf-8", "surrogatepass")) + images

    @property
    def speech(self) -> list[str]:
        """Text to embed for each passage."""
        return speech_of(self.text, self.message.name, self.passages)


@dataclass(frozen=True)
class StoreRules:
    """Conditions under which a message can be stored."""

    bank: str
    #: time of the call
    now: datetime
    #: cap on the bytes of a message's text
    max_bytes: int
    #: the rules of the bank
    bank_rules: BankRules
    #: secret key of digests
    digest_key: bytes = field(repr=False)

    def accept(
        self,
        item: NewMessage | Mapping[str, Any],
        number: int,
        redacted: Counter[str],
        thread: str | None = None,
    ) -> AcceptedMessage:
        """Returns a message as it would be stored. `number`: its position in the call; `redacted`: counts what is
        replaced, by rule; `thread`: see `StoreCall`. Raises `InvalidInput` or a subclass."""
        message = validate_message(item, number, self.now, self.max_bytes)
        rules = self.bank_rules
        if message.trust_class in rules.refuse:
            raise InvalidInput(
                f"the policy of bank '{self.bank}' refuses messages of the trust class '{message.trust_class}' "
                "(refuse_trust); leave the message out, or change the policy",
                index=number,
            )
        if rules.redaction:
            message = rules.redaction.message(message, redacted)
        images_of_message = prepare_images(message, number, self.bank) if message.images else ()
        return AcceptedMessage.of(message, thread, self.digest_key, images_of_message, rules.quarantine)


def _identities(parts: Sequence[Part], images: Sequence[NewImage]) -> list[JsonValue]:
    """Returns what tells the parts of a message from others: of an image the digest of its file."""
    digests = {image.number: image.digest.hex() for image in images}
    number = 0
    identities = list[JsonValue]()
    for part in parts:
        if isinstance(part, ImagePart):
            number += 1
            fields = part.model_dump(include={"type", "url", "name", "alt"})
            identities.append(fields | {"file": digests.get(number)})
        else:
            identities.append(part.model_dump())
    return identities


def speech_of(text: str, name: str | None, passages: Sequence[Passage]) -> list[str]:
    """Returns what is embedded of each passage of a message."""
    return [spoken(text[start:stop], name) for start, stop in passages]


def with_codes(keyed: Sequence[AcceptedMessage], codes: MessageCodes | None) -> list[AcceptedMessage]:
    """Returns messages with their embeddings, if there are any."""
    if codes is None:
        return list(keyed)
    return [replace(item, code=replace(codes, codes=[code])) for item, code in zip(keyed, codes.codes, strict=True)]


def is_excerpt(excerpt: str, whole: str) -> bool:
    """True if a text is the beginning of a longer one, or its beginning and its end, but for a short mark of what is
    left out."""
    if len(excerpt) >= len(whole):
        return False
    start = _common_chars(excerpt, whole)
    end = _common_chars(excerpt[start:][::-1], whole[start:][::-1])
    return len(excerpt) - start - end <= MAX_MARK_CHARS


def _common_chars(one: str, other: str) -> int:
    """Returns the number of characters with which both begin."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def occurs_twice(key: str) -> Conflict:
    """Returns the error for an id that a call, or a file, gives to different messages."""
    return Conflict(f"the id '{key}' occurs twice in this call, with different messages; use another id")


def same_in_call(one: AcceptedMessage, other: AcceptedMessage) -> bool:
    """True if two messages of a call with one id are the same."""
    if one.key is not None and is_turn_id(one.key):
        return one.message.role == other.message.role
    times = one.message.created_at == other.message.created_at
    return times and one.thread == other.thread and one.digest == other.digest


def check_same(stored: messages.Message, item: AcceptedMessage) -> None:
    """Raises `Conflict` unless both are the same message. A time or thread that is not given is not compared, nor is
    more than the role where the id says that both are the same turn, perhaps as two ways in have seen it."""
    expected = (item.message.created_at or stored.created_at, item.thread or stored.thread)
    same = is_same(stored, item) and expected == (stored.created_at, stored.thread)
    if not (same or (is_turn_id(stored.key) and item.message.role == stored.role)):
        raise Conflict(
            f"the id '{stored.key}' belongs to another message; messages cannot be changed, store it under a new id"
        )


def is_same(stored: messages.Message, item: AcceptedMessage) -> bool:
    """True if a stored message has the same text, role and name. If the text has been forgotten, only its length is
    compared."""
    message = item.message
    signature = (len(item.text), message.role, message.name)
    return signature == (stored.chars, stored.role, stored.name) and item.digest.startswith(stored.digest)
