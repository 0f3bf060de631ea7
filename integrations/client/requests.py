"""Requests to a service, and parsing of their responses."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

import foxing.memory.values as values
from foxing.memory import InvalidInput, Value
from foxing.memory.regular_files import not_regular
from foxing.memory.values.base import FROM_SERVICE, first_error

from .errors import InvalidResponse, other_version

if TYPE_CHECKING:
    from foxing.memory import Provider, RecalledMessage, RecallQuery

V = TypeVar("V", bound=Value)

#: Timeout of sealing, ageing and context, which encode pages, in seconds.
LONG_S = 900.0
#: Seconds for which a request waits for the end of a job, and for its progress.
WAIT_S = 30
PROGRESS_S = 1
#: Number of messages per request of an import.
STORED_AT_ONCE = 1_000
_BANK = re.compile(r"(?:[A-Za-z0-9._:@-]{1,50}~)?(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,200}")


@dataclass(frozen=True)
class Request:
    """A request to the service."""

    method: str
    #: Percent-encoded path.
    path: str
    #: Query parameters; None values are omitted, a sequence repeats the parameter.
    parameters: Mapping[str, str | int | Sequence[str] | None] = field(default_factory=dict)
    #: Body, which is sent as JSON by `json_of`; None for no body.
    body: Mapping[str, object] | None = None
    #: Idempotency key of a write; a repeated request gets the response of the first.
    idempotency_key: str | None = None
    #: Timeout in seconds; None for that of the client.
    timeout_s: float | None = None
    #: File that is sent as the body; None for no file.
    file: Path | None = None
    #: True for a request that may be sent again though it may have been processed.
    repeatable: bool = True


def api_path(*parts: str) -> str:
    """Returns a path of the HTTP interface."""
    return "/".join(("/v1", *(quote(part, safe="") for part in parts)))


def job_path(bank: str | None, job_id: str) -> str:
    """Returns the path of a job. `bank`: None for one of any bank, or of none. Raises the errors of `bank_path`."""
    return api_path("jobs", job_id) if bank is None else bank_path(bank, "jobs", job_id)


def bank_path(bank: str, *parts: str) -> str:
    """Returns the path of a bank, or a path below it. Raises `InvalidInput` for an invalid name of a bank."""
    if not isinstance(bank, str) or not _BANK.fullmatch(bank):
        raise InvalidInput(
            f"'{bank}' is not a valid name of a bank; use 1 to 200 ASCII letters, digits and . _ - : @, for that of a "
            "tenant's bank after the tenant and ~"
        )
    return api_path("banks", bank, *parts)


def store_request(
    bank: str,
    messages: Iterable[object],
    thread: str | None,
    idempotency_key: str | None,
    provider: Provider | None = None,
    session: str | None = None,
    answer: str | None = None,
) -> Request:
    """Returns a request that stores messages. Without `idempotency_key`, a random key makes retries safe. Raises
    `InvalidInput` if `messages` is not a list."""
    path = bank_path(bank, "messages")
    if isinstance(messages, str | bytes | Mapping):
        raise InvalidInput("messages must be a list, such as [{'role': 'user', 'content': 'hello'}]")
    body = {"messages": list(messages), "thread": thread}
    members = {"provider": provider, "session": session, "answer": answer}
    body |= {name: value for name, value in members.items() if value is not None}
    return Request("POST", path, body=body, idempotency_key=idempotency_key or uuid.uuid4().hex)


def write_request(bank: str, writes: Iterable[object], idempotency_key: str | None) -> Request:
    """Returns a request that writes records. Without `idempotency_key`, a random key makes retries safe."""
    key = idempotency_key or uuid.uuid4().hex
    return Request("POST", bank_path(bank, "records"), body={"writes": list(writes)}, idempotency_key=key)


def recall_request(bank: str, query: str | RecallQuery | None, fields: Mapping[str, object], format: str) -> Request:
    """Returns a recall request. `format`: "text" or "images"."""
    values = query.model_dump(exclude_unset=True) if isinstance(query, BaseModel) else {"query": query}
    return Request("POST", bank_path(bank, "recall"), body={**values, **fields, "format": format})


def import_request(bank: str, path: str | Path, fields: Mapping[str, object], *, dry_run: bool = False) -> Request:
    """Returns a request that imports a file. Raises `InvalidInput` for a file that cannot be read, or an unknown
    option."""
    file = Path(path)
    if not file.is_file():
        if file.exists() and not file.is_dir():
            raise not_regular(file)
        kind = "is a folder; import it with 'foxing import', or send a zip of it" if file.is_dir() else "does not exist"
        raise InvalidInput(f"{file} {kind}")
    try:
        query = values.imports.ImportQuery.model_validate({"filename": file.name[:200], **fields, "dry_run": dry_run})
    except ValidationError as error:
        raise InvalidInput(first_error(error)[1]) from error
    parameters = query.model_dump(by_alias=True, exclude_defaults=True)
    return Request("POST", bank_path(bank, "import"), parameters, timeout_s=LONG_S, file=file)


def json_of(body: Mapping[str, object]) -> dict[str, object]:
    """Returns a body as JSON types: None members are omitted, times are RFC 3339 strings, durations ISO 8601 strings,
    and models contain only the fields that were set. Raises `InvalidInput` for other types."""
    return {name: _json(value) for name, value in body.items() if value is not None}


def _json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return values.policy.iso_duration(value)
    if isinstance(value, Mapping):
        return {key: _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidInput(f"a value of type {type(value).__name__} cannot be sent; use types of JSON, times and durations")


def read(kind: type[V], content: bytes, headers: Mapping[str, str]) -> V:
    """Returns the value of a response with these headers. Unknown members and unknown enum values are kept, for
    compatibility with newer services. Raises `InvalidResponse`."""
    try:
        return kind.model_validate_json(content, extra="allow", context=FROM_SERVICE)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise InvalidResponse("the response of the server is not JSON; check the URL") from error
        raise InvalidResponse(
            f"the response of the service is not a valid {kind.__name__} ({error}); check the "
            f"URL{other_version(headers)}"
        ) from error


def lacks_images(message: RecalledMessage) -> bool:
    """True if images of a message came without their data, perhaps because the answer had no room for them."""
    images = (part for part in message.parts or () if isinstance(part, values.parts.ImagePart))
    return any(image.data is None and image.original is not None for image in images)
