"""A call: how it is sent over HTTP, how a memory answers it in process, and what its answer is read as."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import quote

from foxing.integrations.client.decoding import decode
from foxing.integrations.client.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from foxing.memory import Memory

R = TypeVar("R")
M = TypeVar("M")

#: Seconds that sealing and ageing may take: they encode pages.
LONG_S = 900.0
_BANK = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,200}")
_NOTHING: Any = object()


@dataclass(frozen=True)
class Request:
    """A request to the service. Sending it again does nothing twice."""

    method: str
    #: Percent-encoded.
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: JSON.
    body: Mapping[str, Any] | None = None
    #: Of a write; the service answers a repeated request as it did the first.
    idempotency_key: str | None = None
    #: Seconds to wait for the answer, if they are not those of the client.
    timeout_s: float | None = None
    #: Whether the answer is bytes, not JSON.
    binary: bool = False


@dataclass(frozen=True)
class Call(Generic[R]):
    """A call whose answer is an `R`."""

    request: Request
    #: Reads the JSON or the bytes of an answer. Raises `InvalidResponse`.
    read: Callable[[Any], R]
    #: The answer of a memory, as `read` takes it.
    in_process: "Callable[[Memory], Any]"
    #: The answer where the bank, or what is asked for, does not exist.
    missing: Any = _NOTHING

    def or_missing(self, value: M) -> "Call[R | M]":
        """The same call, which returns `value` instead of raising `NotFound`."""
        return cast("Call[R | M]", replace(self, missing=value))

    def on_missing(self, error: NotFound) -> R:
        """The answer to a call that failed with `error`, or that error."""
        if self.missing is _NOTHING:
            raise error
        value: R = self.missing
        return value


def reading(kind: type[R]) -> Callable[[Any], R]:
    """Reads a JSON answer as a `kind`."""
    return lambda document: decode(kind, document)


def bank_path(bank: str, *parts: str) -> str:
    """The path of a bank, or below it. Raises `InvalidRequest` for what is no bank's name."""
    if not isinstance(bank, str) or not _BANK.fullmatch(bank):
        raise InvalidRequest(
            f"'{bank}' is no name of a bank: it has 1 to 200 characters out of letters, digits and . _ - : @",
            "invalid-input",
        )
    return "/".join(("/v1/banks", quote(bank, safe=""), *(quote(part, safe="") for part in parts)))


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not None, with times as text."""
    return {name: _sendable(value) for name, value in fields.items() if value is not None}


def _sendable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _sendable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in value]
    return value
