"""Calls that store messages, as they are handed over several at a time."""

from collections.abc import Iterable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from foxing.memory.index.vectors import MessageCodes
from foxing.memory.values.messages import NewMessage


@dataclass(frozen=True)
class StoreCall:
    """The arguments of a call of `Memory.store`."""

    bank: str
    messages: Iterable[NewMessage | Mapping[str, Any]]
    #: Of the messages that do not name one themselves.
    thread: str | None = None
    idempotency_key: str | None = None
    #: What `MessageStore.embed` has made of the messages; None: they are embedded with the call.
    codes: MessageCodes | None = None
    #: Of whoever makes the call, so that its step is a part of the caller's trace; no other thread is in it.
    context: Context = field(default_factory=copy_context)
