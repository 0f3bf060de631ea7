"""Error responses of OpenAI-compatible servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ErrorResponse:
    """Error in a server's response."""

    #: The server's message, on one line.
    message: str = ""
    #: The error's `code`, `type` and `status`, where given.
    codes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Parses the error formats of OpenAI, vLLM and FastAPI; any other document becomes the message."""
        error = (document.get("error") or document) if isinstance(document, Mapping) else document
        if not isinstance(error, Mapping):
            return cls(_one_line(error))
        message = error.get("message") or error.get("detail") or error
        codes = (error.get("code"), error.get("type"), error.get("status"))
        return cls(_one_line(message), tuple(str(code) for code in codes if code is not None))

    @property
    def status(self) -> int | None:
        """HTTP status of the codes; None if they have none."""
        statuses = (_STATUSES.get(code, int(code) if code.isdecimal() and len(code) == 3 else 0) for code in self.codes)
        return next((status for status in statuses if 400 <= status < 600), None)

    @property
    def model_missing(self) -> bool:
        """True if the server lacks the model, rather than the model rejecting the request."""
        return "model_not_found" in self.codes or "does not exist" in self.message.lower()

    @property
    def quota_exhausted(self) -> bool:
        """True if the account is out of credit, as opposed to a temporary rate limit."""
        return "insufficient_quota" in self.codes


#: Error code → HTTP status, for gateways that report errors with status 200.
_STATUSES = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "model_not_found": 404,
    "NotFoundError": 404,
    "invalid_request_error": 400,
    "BadRequestError": 400,
}


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
