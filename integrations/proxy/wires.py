"""Request formats of the providers: which paths belong to a conversation, and how errors look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from foxing.integrations.frameworks.provider_answers import Json
from foxing.memory.conversation import Wire

#: Who runs an API, and how its errors look.
Vendor = Literal["anthropic", "openai"]


@dataclass(frozen=True)
class ProviderWire:
    """An API of a provider."""

    name: Wire
    vendor: Vendor
    #: Member of the request with the messages.
    member: str
    #: Members beside it that count as part of the prompt.
    system: str
    #: Seconds for which the prompt cache holds what was last used, unless a request says otherwise.
    cache_ttl_s: float


_MESSAGES = ProviderWire("anthropic", "anthropic", "messages", "system", 300.0)
_CHAT = ProviderWire("openai", "openai", "messages", "", 1800.0)
_RESPONSES = ProviderWire("openai-responses", "openai", "input", "instructions", 1800.0)

_COUNTS: Mapping[str, ProviderWire] = {"/messages/count_tokens": _MESSAGES, "/responses/input_tokens": _RESPONSES}
_CALLS: Mapping[str, ProviderWire] = {"/messages": _MESSAGES, "/chat/completions": _CHAT, "/responses": _RESPONSES}


def wire_of(method: str, path: str) -> tuple[ProviderWire, bool] | None:
    """Returns the wire of a request, and whether it only counts tokens; None for one of no conversation."""
    if method != "POST":
        return None
    path = path.rstrip("/")
    for ends, counts in ((_COUNTS, True), (_CALLS, False)):
        found = next((wire for end, wire in ends.items() if path.endswith(end)), None)
        if found is not None:
            return found, counts
    return None


def vendor_of(path: str, headers: Mapping[str, str]) -> Vendor:
    """Returns the vendor that a request is meant for. `headers`: names in lower case."""
    return "anthropic" if "/v1/messages" in path or "anthropic-version" in headers else "openai"


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(vendor: Vendor, status: int, message: str) -> bytes:
    """Returns an error document in the shape of a provider."""
    return json.dumps(_error(vendor, status, message)).encode()


def error_event(wire: ProviderWire, message: str) -> bytes:
    """Returns the event that ends a stream with an error."""
    error = _error(wire.vendor, 502, message)
    if wire.name == "openai":
        return b"data: " + json.dumps(error).encode() + b"\n\n"
    if wire.name == "openai-responses":
        error = {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": 0}
    return b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"


def _error(vendor: Vendor, status: int, message: str) -> Json:
    if vendor == "anthropic":
        return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}}
    kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
