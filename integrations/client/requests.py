"""Requests to a service, and what their answers are read as."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import FROM_SERVICE, Value
from foxing.memory.values.recall import RecallQuery

from .errors import InvalidResponse

V = TypeVar("V", bound=Value)

#: Seconds that sealing, ageing and context may take: they encode pages.
LONG_S = 900.0
#: Messages that an import stores at once.
STORED_AT_ONCE = 1_000
_BANK = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,200}")


@dataclass(frozen=True)
class Request:
    """A request to the service. Sending it again does nothing twice."""

    method: str
    #: Percent-encoded.
    path: str
    #: Of the query; those that are None are left out.
    parameters: Mapping[str, str | int | None] = field(default_factory=dict)
    #: As it is given; None for no body.
    body: Mapping[str, object] | None = None
    #: Of a write; the service answers a repeated request as it did the first.
    idempotency_key: str | None = None
    #: Seconds to wait for the answer, if they are not those of the client.
    timeout_s: float | None = None


def bank_path(bank: str, *parts: str) -> str:
    """The path of a bank, or below it. Raises `InvalidInput` for what is no bank's name."""
    if not isinstance(bank, str) or not _BANK.fullmatch(bank):
        raise InvalidInput(
            f"'{bank}' is no name of a bank: it has 1 to 200 characters out of letters, digits and . _ - : @"
        )
    return "/".join(("/v1/banks", quote(bank, safe=""), *(quote(part, safe="") for part in parts)))


def store_request(bank: str, messages: Iterable[object], thread: str | None, idempotency_key: str | None) -> Request:
    """A request that stores messages. Without `idempotency_key` it has one of its own, so that sending it again stores
    nothing twice."""
    path = bank_path(bank, "messages")
    if isinstance(messages, str | bytes | Mapping):
        raise InvalidInput("messages are a list of messages, such as [{'role': 'user', 'content': 'hello'}]")
    body = {"messages": list(messages), "thread": thread}
    return Request("POST", path, body=body, idempotency_key=idempotency_key or uuid.uuid4().hex)


def write_request(bank: str, writes: Iterable[object], idempotency_key: str | None) -> Request:
    """A request that writes records, with a key of its own like `store_request`."""
    key = idempotency_key or uuid.uuid4().hex
    return Request("POST", bank_path(bank, "records"), body={"writes": list(writes)}, idempotency_key=key)


def recall_request(bank: str, query: str | RecallQuery | None, fields: Mapping[str, object], format: str) -> Request:
    """A request for a recall in a format."""
    given = query.model_dump(exclude_unset=True) if isinstance(query, RecallQuery) else {"query": query}
    return Request("POST", bank_path(bank, "recall"), body={**given, **fields, "format": format})


def json_of(body: Mapping[str, object]) -> dict[str, object]:
    """A body as it is sent: without the members that are None, times as text, values without the fields that were left
    out."""
    return {name: _json(value) for name, value in body.items() if value is not None}


def _json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    return value


def read(kind: type[V], content: bytes) -> V:
    """The value that an answer holds. Members that are not known are kept, and new names of known things are taken as
    they are, so that a newer service can say more. Raises `InvalidResponse`."""
    try:
        return kind.model_validate_json(content, extra="allow", context=FROM_SERVICE)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise InvalidResponse("the server answered with something that is not JSON; check the address") from error
        raise InvalidResponse(
            f"the service answered with something that is not a {kind.__name__} ({error}); "
            "check the address, and that service and client have the same version"
        ) from error
