"""Problem documents (RFC 9457). `KINDS` maps each error to its problem, and so to its HTTP status."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.memory import errors as memory_errors
from foxing.renderer import FoxingError, PluginError
from foxing.renderer.readers import ReaderProfileError, UnknownReader

from .settings import InvalidSettings
from .settings.names import explained

TYPE_PREFIX: Final = "urn:foxing:problem:"
MEDIA_TYPE: Final = "application/problem+json"


class FieldError(BaseModel):
    """One error in a request."""

    model_config = ConfigDict(frozen=True)

    where: str = Field(description="Path of the field, for example `body.messages.0.created_at`.")
    message: str = Field(description="What is wrong and how to correct it.")


class Problem(BaseModel):
    """A problem document (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Stable identifier of the kind of problem.", examples=[TYPE_PREFIX + "not-found"])
    title: str = Field(description="Short summary, always the same for a `type`.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(description="What happened and what to do about it.")
    instance: str | None = Field(default=None, description="Path of the request.")
    request_id: str | None = Field(default=None, description="The `X-Request-ID` of the request, also in the log.")
    errors: list[FieldError] | None = Field(default=None, description="The errors in the request, if it is invalid.")

    def document(self) -> dict[str, Any]:
        """A JSON object without the fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem that a client can tell apart."""

    #: Stable name; the last part of `Problem.type`.
    slug: str
    #: HTTP status.
    status: int
    #: Short summary, the same for every occurrence.
    title: str


class RequestError(FoxingError):
    """A request that is refused before it reaches the memory."""

    def __init__(self, kind: ProblemKind, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = headers or {}


INVALID_JSON: Final = ProblemKind("invalid-json", 400, "The body is not valid JSON")
INVALID_ENCODING: Final = ProblemKind("invalid-encoding", 400, "The body is not UTF-8")
HTTP_ERROR: Final = ProblemKind("http-error", 400, "The request was refused")
UNAUTHORIZED: Final = ProblemKind("unauthorized", 401, "The API key is missing or wrong")
CROSS_SITE: Final = ProblemKind("cross-site", 403, "The request comes from another web site")
TIME_TRAVEL_FORBIDDEN: Final = ProblemKind("time-travel-forbidden", 403, "Setting the time is not allowed")
NO_SUCH_PATH: Final = ProblemKind("no-such-path", 404, "No such path")
NOT_FOUND: Final = ProblemKind("not-found", 404, "Not found")
METHOD_NOT_ALLOWED: Final = ProblemKind("method-not-allowed", 405, "The path does not support this method")
REQUEST_TIMEOUT: Final = ProblemKind("request-timeout", 408, "The request took too long to arrive")
CONFLICT: Final = ProblemKind("conflict", 409, "The id or key is already in use")
FORGOTTEN: Final = ProblemKind("forgotten", 410, "The memory no longer holds this")
BODY_TOO_LARGE: Final = ProblemKind("body-too-large", 413, "The body is too large")
MESSAGE_TOO_LARGE: Final = ProblemKind("message-too-large", 413, "The message is too large")
UNSUPPORTED_MEDIA: Final = ProblemKind("unsupported-media-type", 415, "The body must be JSON")
WRONG_HOST: Final = ProblemKind("wrong-host", 421, "The service does not answer to this host name")
INVALID_REQUEST: Final = ProblemKind("invalid-request", 422, "The request is invalid")
INVALID_INPUT: Final = ProblemKind("invalid-input", 422, "The input is invalid")
INVALID_TEXT: Final = ProblemKind("invalid-text", 422, "The text is not valid Unicode")
INVALID_TIME: Final = ProblemKind("invalid-time", 422, "The time is invalid")
INVALID_POLICY: Final = ProblemKind("invalid-policy", 422, "The policy is invalid")
INVALID_CURSOR: Final = ProblemKind("invalid-cursor", 422, "The cursor does not belong to this list")
UNKNOWN_READER: Final = ProblemKind("unknown-reader", 422, "There is no such reader")
INTERNAL: Final = ProblemKind("internal", 500, "Internal error")
TOKENS_UNREADABLE: Final = ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")
CODEC: Final = ProblemKind("codec", 500, "The codec cannot do this")
INVALID_SETTINGS: Final = ProblemKind("invalid-settings", 500, "A setting is invalid")
STORAGE: Final = ProblemKind("storage", 503, "The database cannot be used")
PLUGIN_BROKEN: Final = ProblemKind("plugin-broken", 503, "A plug-in cannot be used")
RERANKER: Final = ProblemKind("reranker", 503, "The reranker cannot be used")
EMBEDDER: Final = ProblemKind("embedder", 503, "The embedder cannot be used")
POOL: Final = ProblemKind("pool", 503, "The pool of workers cannot be used")
DATABASE_TOO_NEW: Final = ProblemKind("database-too-new", 503, "The database is from a newer version")
CLOSED: Final = ProblemKind("closed", 503, "The service is stopping")
BUSY: Final = ProblemKind("busy", 503, "Too many requests are in progress")
READER_FAILED: Final = ProblemKind("reader-failed", 503, "The page cannot be read at the moment")

#: The problem that each error becomes. The first class that matches counts, so subclasses precede their bases.
KINDS: Final[tuple[tuple[type[FoxingError], ProblemKind], ...]] = (
    (memory_errors.InvalidTime, INVALID_TIME),
    (memory_errors.InvalidPolicy, INVALID_POLICY),
    (memory_errors.InvalidCursor, INVALID_CURSOR),
    (memory_errors.MessageTooLarge, MESSAGE_TOO_LARGE),
    (memory_errors.InvalidInput, INVALID_INPUT),
    (memory_errors.NotFound, NOT_FOUND),
    (memory_errors.Conflict, CONFLICT),
    (memory_errors.Forgotten, FORGOTTEN),
    (memory_errors.TimeTravelForbidden, TIME_TRAVEL_FORBIDDEN),
    (memory_errors.Closed, CLOSED),
    (memory_errors.DatabaseTooNew, DATABASE_TOO_NEW),
    (memory_errors.StorageError, STORAGE),
    (memory_errors.EmbedderError, EMBEDDER),
    (memory_errors.RerankerError, RERANKER),
    (memory_errors.PoolError, POOL),
    (memory_errors.ReaderFailed, READER_FAILED),
    (memory_errors.Unreadable, TOKENS_UNREADABLE),
    (ReadFailed, READER_FAILED),
    (TokensError, TOKENS_UNREADABLE),
    (CodecError, CODEC),
    (InvalidSettings, INVALID_SETTINGS),
    (PluginError, PLUGIN_BROKEN),
    (UnknownReader, UNKNOWN_READER),
    (ReaderProfileError, INVALID_INPUT),
)


def kind_of(error: FoxingError) -> ProblemKind:
    """The kind of problem that an error is; `INTERNAL` if it is none of `KINDS`."""
    if isinstance(error, RequestError):
        return error.kind
    return next((kind for error_class, kind in KINDS if isinstance(error, error_class)), INTERNAL)


def problem_of(error: FoxingError, *, instance: str | None = None, request_id: str | None = None) -> Problem:
    """The problem document of an error, whose message becomes the detail."""
    return make_problem(kind_of(error), explained(error), instance=instance, request_id=request_id)


def make_problem(
    kind: ProblemKind,
    detail: str,
    *,
    instance: str | None = None,
    request_id: str | None = None,
    errors: list[FieldError] | None = None,
) -> Problem:
    """The problem document of `kind`. Lone surrogates in `detail` and `instance` are escaped."""
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
    """`text` with lone surrogates escaped: UTF-8 cannot encode them, and an error message may quote them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
