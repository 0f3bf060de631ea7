"""Calls of `store` on their way into a transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from foxing.memory.audit import AuditCall
from foxing.memory.errors import (
    MemoryFault,
)

from .accepted_message import AcceptedMessage
from .rules import BankRules


@dataclass(frozen=True)
class AcceptedCall:
    """A validated call of `store`."""

    bank: str
    messages: Sequence[AcceptedMessage]
    #: Digest of the call. An idempotency key cannot be reused for another digest.
    digest: bytes
    idempotency_key: str | None
    now: datetime
    #: The rules that were applied to the messages.
    rules: BankRules
    #: Name of a rule → number of matches that it replaced.
    redacted: Mapping[str, int]
    #: Id of the key of the caller; None without one.
    key_id: str | None = None
    #: See `StoreCall.bank_id`.
    bank_id: int | None = None
    #: Ids that an earlier attempt at the call had reserved for its messages, see `UnsettledCalls`.
    reserved: Sequence[int | None] = ()
    #: Record of the call in the audit log; None if there is none.
    audit: AuditCall | None = None
    #: True if it releases its messages from quarantine.
    releases: bool = False

    @cached_property
    def given(self) -> list[str]:
        """Ids chosen by the caller."""
        return [item.key for item in self.messages if item.key is not None]

    @property
    def may_double(self) -> bool:
        """True if nothing tells a second attempt at the call from another call."""
        return self.idempotency_key is None and any(item.key is None for item in self.messages)

    @cached_property
    def signature(self) -> bytes:
        """Digest of the call as it was given."""
        identity = [(item.key, item.thread, str(item.message.created_at), item.digest) for item in self.messages]
        return hashlib.sha256(repr((self.bank, identity)).encode("utf-8", "surrogatepass")).digest()

    @cached_property
    def claims(self) -> set[tuple[str, bool, str]]:
        """Keys that two calls in one transaction must not share, because the second must see what the first stored."""
        keys = () if self.idempotency_key is None else (self.idempotency_key,)
        return {(self.bank, True, key) for key in self.given} | {(self.bank, False, key) for key in keys}


class OtherRules(MemoryFault):
    """The rules of the bank are others than those that were applied; the call is prepared again."""
