"""What a server says when it does not do what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Refusal:
    """`message`: its sentence, on one line; `codes`: what it calls the error."""

    message: str = ""
    codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Any) -> Self:
        """OpenAI's, vLLM's and FastAPI's way of saying it; else all of it is the sentence."""
        error = (document.get("error") or document) if isinstance(document, Mapping) else document
        if not isinstance(error, Mapping):
            return cls(_line(error))
        message = error.get("message") or error.get("detail") or error
        codes = (error.get("code"), error.get("type"), error.get("status"))
        return cls(_line(message), tuple(str(code) for code in codes if code is not None))

    @property
    def status(self) -> int | None:
        """The HTTP status among its codes."""
        known = (_STATUS.get(code, int(code) if code.isdecimal() and len(code) == 3 else 0) for code in self.codes)
        return next((status for status in known if 400 <= status < 600), None)

    @property
    def no_model(self) -> bool:
        """Whether there is no such model, as against one that does not take the request."""
        return "model_not_found" in self.codes or "does not exist" in self.message.lower()

    @property
    def no_quota(self) -> bool:
        """Whether the account is empty, as against a limit that time lifts."""
        return "insufficient_quota" in self.codes


#: By the names that errors have where their status is not told.
_STATUS = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "model_not_found": 404,
    "NotFoundError": 404,
    "invalid_request_error": 400,
    "BadRequestError": 400,
}


def _line(said: Any) -> str:
    return " ".join(str(said).split())
