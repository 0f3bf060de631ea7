"""Problem documents (RFC 9457). Each error class has a `ProblemKind` with its HTTP status; those of request errors are
defined here."""

from typing import Final

from foxing.memory import Busy, Problem
from foxing.memory.doors import CROSS_SITE as CROSS_SITE
from foxing.memory.doors import REJECTED
from foxing.memory.doors import WRONG_HOST as WRONG_HOST
from foxing.memory.doors import RequestError as RequestError
from foxing.memory.problems import encodable as encodable
from foxing.renderer import FoxingError, PluginError, ProblemKind
from foxing.renderer.errors import REPAIR_S

from .settings.names import explained

MEDIA_TYPE: Final = "application/problem+json"
#: Statuses of requests that the audit log records as refused. One for a bank that the caller does not see is 404.
REFUSED: Final = frozenset({401, 403, 404, 413, 429})


INVALID_JSON: Final = ProblemKind("invalid-json", 400, "The body is not valid JSON")
INVALID_ENCODING: Final = ProblemKind("invalid-encoding", 400, "The body is not UTF-8")
HTTP_ERROR: Final = REJECTED
UNAUTHORIZED: Final = ProblemKind("unauthorized", 401, "The API key is missing or wrong").after(REPAIR_S)
NO_SUCH_PATH: Final = ProblemKind("no-such-path", 404, "The path does not exist").after(REPAIR_S)
METHOD_NOT_ALLOWED: Final = ProblemKind("method-not-allowed", 405, "The path does not support this method")
REQUEST_TIMEOUT: Final = ProblemKind("request-timeout", 408, "The request took too long to arrive", retry="later")
BODY_TOO_LARGE: Final = ProblemKind("body-too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA: Final = ProblemKind("unsupported-media-type", 415, "The body must be JSON")
INVALID_REQUEST: Final = ProblemKind("invalid-request", 422, "The request is invalid")
INVALID_TEXT: Final = ProblemKind("invalid-text", 422, "The text is not valid Unicode")
INTERNAL: Final = FoxingError.kind
PLUGIN_BROKEN: Final = PluginError.kind
BUSY: Final = Busy.kind


def problem_of(
    error: FoxingError, *, instance: str | None = None, request_id: str | None = None, detail: str | None = None
) -> Problem:
    """Returns the problem document of an error. `detail`: by default the message of the error, in the words of HTTP."""
    return Problem.of(error.kind, detail or explained(error), instance, request_id=request_id)
