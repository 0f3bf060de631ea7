"""Problem documents (RFC 9457), and which error is which problem: the one place that knows HTTP statuses."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.memory import errors as memory_errors
from foxing.renderer import FoxingError

from .settings import InvalidSettings

TYPE_PREFIX: Final = "urn:foxing:problem:"
MEDIA_TYPE: Final = "application/problem+json"


class FieldError(BaseModel):
    """One thing wrong in a request."""

    model_config = ConfigDict(frozen=True)

    where: str = Field(description="Where it stands, as 'body.messages.0.created_at'.")
    message: str = Field(description="What is wrong, and what to do.")


class Problem(BaseModel):
    """A problem document (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Stable name of the problem.", examples=[TYPE_PREFIX + "not-found"])
    title: str = Field(description="The problem in a few words, always the same for a type.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What happened this time, and what to do.")
    instance: str | None = Field(default=None, description="The path that was called.")
    request_id: str | None = Field(default=None, description="The `X-Request-ID` under which the log tells more.")
    errors: list[FieldError] | None = Field(default=None, description="Everything wrong in the request, where known.")

    def document(self) -> dict[str, Any]:
        """As JSON-able values, without what is not there."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True)
class ProblemKind:
    """`slug` is the stable name; `title` never changes with the occasion."""

    slug: str
    status: int
    title: str


class RequestError(FoxingError):
    """A request refused before it reached the memory."""

    def __init__(self, kind: ProblemKind, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = headers or {}


INVALID_REQUEST: Final = ProblemKind("invalid-request", 422, "The request does not make sense")
INVALID_JSON: Final = ProblemKind("invalid-json", 400, "The body is not JSON")
INVALID_ENCODING: Final = ProblemKind("invalid-encoding", 400, "The body is not UTF-8")
INVALID_TEXT: Final = ProblemKind("invalid-text", 422, "The text is not Unicode")
UNSUPPORTED_MEDIA: Final = ProblemKind("unsupported-media-type", 415, "The body must be JSON")
BODY_TOO_LARGE: Final = ProblemKind("body-too-large", 413, "The body is too large")
UNAUTHORIZED: Final = ProblemKind("unauthorized", 401, "The key is missing or wrong")
WRONG_HOST: Final = ProblemKind("wrong-host", 421, "This service does not answer to that host name")
NO_SUCH_PATH: Final = ProblemKind("no-such-path", 404, "No such path")
METHOD_NOT_ALLOWED: Final = ProblemKind("method-not-allowed", 405, "The path does not take this method")
HTTP_ERROR: Final = ProblemKind("http-error", 400, "The request was refused")
INTERNAL: Final = ProblemKind("internal", 500, "Something went wrong in Foxing")

#: Read from the first line down: a subclass stands before its base.
KINDS: Final[tuple[tuple[type[FoxingError], ProblemKind], ...]] = (
    (memory_errors.InvalidTime, ProblemKind("invalid-time", 422, "The time cannot be used")),
    (memory_errors.InvalidPolicy, ProblemKind("invalid-policy", 422, "The policy cannot be used")),
    (memory_errors.InvalidCursor, ProblemKind("invalid-cursor", 422, "The cursor is not of this list")),
    (memory_errors.MessageTooLarge, ProblemKind("message-too-large", 413, "The message is too large")),
    (memory_errors.InvalidInput, ProblemKind("invalid-input", 422, "The input does not make sense")),
    (memory_errors.NotFound, ProblemKind("not-found", 404, "Not found")),
    (memory_errors.Conflict, ProblemKind("conflict", 409, "Already used for something else")),
    (memory_errors.Forgotten, ProblemKind("forgotten", 410, "The memory no longer holds it")),
    (memory_errors.TimeTravelForbidden, ProblemKind("time-travel-forbidden", 403, "The time cannot be set")),
    (memory_errors.DatabaseTooNew, ProblemKind("database-too-new", 503, "The database is of a newer version")),
    (memory_errors.StorageError, ProblemKind("storage", 503, "The database cannot be used")),
    (memory_errors.ReaderFailed, ProblemKind("reader-failed", 503, "The page could not be read this time")),
    (memory_errors.Unreadable, ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")),
    (ReadFailed, ProblemKind("reader-failed", 503, "The page could not be read this time")),
    (TokensError, ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")),
    (CodecError, ProblemKind("codec", 500, "The codec cannot do this")),
    (InvalidSettings, ProblemKind("invalid-settings", 500, "A setting cannot be used")),
)


def kind_of(error: FoxingError) -> ProblemKind:
    """The problem that an error is."""
    if isinstance(error, RequestError):
        return error.kind
    for error_class, kind in KINDS:
        if isinstance(error, error_class):
            return kind
    return INTERNAL


def problem_of(error: FoxingError, *, instance: str | None = None, request_id: str | None = None) -> Problem:
    """The problem document of an error; its message is the detail."""
    return make_problem(kind_of(error), str(error), instance=instance, request_id=request_id)


def make_problem(
    kind: ProblemKind,
    detail: str,
    *,
    instance: str | None = None,
    request_id: str | None = None,
    errors: list[FieldError] | None = None,
) -> Problem:
    return Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=encodable(detail),
        instance=None if instance is None else encodable(instance),
        request_id=request_id,
        errors=errors,
    )


def encodable(text: str) -> str:
    """`text` with lone surrogates written as escapes: they cannot be sent, and an error may quote them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
