"""Store calls as values, so that several can be written together."""

from collections.abc import Iterable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from foxing.memory.index.vectors import MessageCodes
from foxing.memory.values.messages import NewMessage


@dataclass(frozen=True)
class StoreCall:
    """Arguments of `Memory.store`."""

    bank: str
    messages: Iterable[NewMessage | Mapping[str, Any]]
    #: Default thread, for messages that name none.
    thread: str | None = None
    idempotency_key: str | None = None
    #: Id of the bank; a bank that was erased since is not created again. None to create one if necessary.
    bank_id: int | None = None
    #: Result of `MessageStore.embed` for the messages; None to embed them with the call.
    codes: MessageCodes | None = None
    #: Context of the caller, which attaches the span of this call to the caller's trace.
    context: Context = field(default_factory=copy_context)
