"""Refusals, in the error shapes of the providers."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .schema import Flaw, Path, name_of

Provider = Literal["anthropic", "openai"]

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OPENAI_TYPES = {429: "rate_limit_error"}


@dataclass
class RefusedRequest(Exception):
    """A request that the provider would refuse."""

    message: str
    status: int = 400
    #: Anthropic: type of the error, by default that of the status.
    type: str | None = None
    #: OpenAI: parameter that the error is about, and code.
    param: str | None = None
    code: str | None = None
    #: Anthropic: `details` of the error, such as its `error_code`.
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def body(self, provider: Provider, request_id: str) -> dict[str, Any]:
        """Returns the error as JSON."""
        if provider == "anthropic":
            kind = self.type or _ANTHROPIC_TYPES.get(self.status, "api_error")
            error: dict[str, Any] = {"type": kind, "message": self.message}
            if self.details:
                error["details"] = self.details
            return {"type": "error", "error": error, "request_id": request_id}
        kind = self.type or _OPENAI_TYPES.get(
            self.status, "server_error" if self.status >= 500 else "invalid_request_error"
        )
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def anthropic_refusal(flaw: Flaw) -> RefusedRequest:
    """Returns the refusal of the Messages API for a flaw."""
    where = ".".join(map(str, flaw.tagged_path))
    if flaw.kind == "missing":
        return RefusedRequest(f"{where}: Field required")
    if flaw.kind == "unknown":
        return RefusedRequest(f"{where}: Extra inputs are not permitted")
    if flaw.kind == "value":
        return RefusedRequest(f"{where}: Input should be {_listed([repr(each) for each in flaw.expected])}")
    kinds = {"array": "list", "object": "dictionary"}
    expected = _listed([kinds.get(each, each) for each in flaw.expected])
    return RefusedRequest(f"{where}: Input should be a valid {expected}")


def openai_refusal(flaw: Flaw) -> RefusedRequest:
    """Returns the refusal of OpenAI's APIs for a flaw."""
    where = bracketed(flaw.path)
    if flaw.kind == "missing":
        return RefusedRequest(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if flaw.kind == "unknown":
        return RefusedRequest(f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")
    if flaw.kind == "value":
        supported = _listed([f"'{each}'" for each in flaw.expected], "and")
        message = f"Invalid value: '{flaw.value}'. Supported values are: {supported}."
        return RefusedRequest(message, param=where, code="invalid_value")
    expected, got = _listed([_with_article(each) for each in flaw.expected]), _with_article(name_of(flaw.value))
    message = f"Invalid type for '{where}': expected {expected}, but got {got} instead."
    return RefusedRequest(message, param=where, code="invalid_type")


def bracketed(path: Path) -> str:
    """Returns a path as OpenAI writes it: `input[0].content`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _listed(names: list[str], word: str = "or") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}" if names else "other"


def _with_article(name: str) -> str:
    return name if name == "null" else f"{'an' if name[0] in 'aeio' else 'a'} {name}"
