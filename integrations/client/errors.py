"""Errors of a call, the same over HTTP and in process, built from the problem documents of the service (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass

TYPE_PREFIX = "urn:foxing:problem:"


@dataclass(frozen=True)
class FieldError:
    """One error in a request."""

    #: Path of the field, such as "body.messages.0.created_at".
    where: str
    #: What is wrong and how to correct it.
    message: str


@dataclass(frozen=True)
class ProblemDetails:
    """What the service says of a failed request."""

    #: HTTP status; None in process, and where no response came.
    status: int | None = None
    #: The `X-Request-ID` of the request, also in the service's log.
    request_id: str | None = None
    #: The errors in the request, if it is invalid.
    errors: tuple[FieldError, ...] = ()


class ClientError(Exception):
    """Base class of what a call raises. The message says what happened and what to do about it."""

    def __init__(self, message: str, problem: str = "client", details: ProblemDetails | None = None) -> None:
        super().__init__(message)
        #: Stable name of the kind of problem, such as "not-found"; the last part of the document's `type`.
        self.problem = problem
        #: What else the service says of it.
        self.details = details or ProblemDetails()


class InvalidRequest(ClientError):
    """The request is invalid; nothing was done."""


class Refused(ClientError):
    """The service refuses the request: the API key is missing or wrong, or a setting does not allow it."""


class NotFound(ClientError):
    """The bank, page or message does not exist."""


class Conflict(ClientError):
    """The id or key is in use for something else, or another writer has changed the record. Nothing was done."""


class Forgotten(ClientError):
    """The memory no longer holds what was asked for."""


class ServiceFailed(ClientError):
    """The service failed; its log says why."""


class Unavailable(ClientError):
    """The service or its database cannot be used at the moment."""


class Unreachable(Unavailable):
    """No connection to the service."""


class TimedOut(Unavailable):
    """The service did not answer in time."""


class InvalidResponse(ClientError):
    """The answer is not one of Foxing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "invalid-response")


_BY_STATUS: Mapping[int, type[ClientError]] = {
    401: Refused,
    403: Refused,
    421: Refused,
    404: NotFound,
    409: Conflict,
    410: Forgotten,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
#: Of errors in process: problem → status.
_STATUS_OF: Mapping[str, int] = {
    "time-travel-forbidden": 403,
    "not-found": 404,
    "conflict": 409,
    "forgotten": 410,
    "storage": 503,
    "closed": 503,
    "embedder": 503,
    "database-too-new": 503,
    "reader-failed": 503,
    "invalid-input": 422,
    "invalid-time": 422,
    "invalid-policy": 422,
    "invalid-cursor": 422,
    "message-too-large": 422,
    "unknown-reader": 422,
}
#: Of errors below the memory, which name no problem.
_PROBLEM_OF: Mapping[str, str] = {"UnknownReader": "unknown-reader", "LayoutError": "invalid-input"}


def error_of(status: int, document: object, text: str) -> ClientError:
    """The error for a failed response. `document`: its JSON, `text`: its body, for what is no problem document."""
    kind = _BY_STATUS.get(status, ServiceFailed if status >= 500 else InvalidRequest)
    if not isinstance(document, Mapping) or not str(document.get("type", "")).startswith(TYPE_PREFIX):
        detail = f"the server answered with status {status}, and not as Foxing does: {text[:200]!r}; check the address"
        return kind(detail, "http-error", ProblemDetails(status))
    errors = tuple(
        FieldError(str(entry.get("where", "")), str(entry.get("message", "")))
        for entry in document.get("errors") or ()
        if isinstance(entry, Mapping)
    )
    request_id = document.get("request_id")
    details = ProblemDetails(status, None if request_id is None else str(request_id), errors)
    slug = str(document["type"]).removeprefix(TYPE_PREFIX)
    return kind(str(document.get("detail", document.get("title", slug))), slug, details)


def error_in_process(error: Exception) -> ClientError:
    """The error that a client of a service would get for a `FoxingError`."""
    slug = str(getattr(error, "problem", "") or _PROBLEM_OF.get(type(error).__name__, "internal"))
    status = _STATUS_OF.get(slug, 500)
    kind = _BY_STATUS.get(status, ServiceFailed if status >= 500 else InvalidRequest)
    return kind(str(error), slug)
