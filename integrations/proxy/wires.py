"""Request formats of the providers: which paths belong to a conversation, and how errors look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from foxing.memory import FORMATS, Wire
from foxing.memory.conversation import requests
from foxing.memory.conversation.event_streams import Json

#: Who runs an API, and how its errors look.
Vendor = Literal["anthropic", "openai"]


@dataclass(frozen=True)
class ProviderWire:
    """An API of a provider."""

    name: Wire
    vendor: Vendor
    #: Seconds for which the prompt cache holds what was last used, unless a request says otherwise.
    cache_ttl_s: float

    @property
    def member(self) -> str:
        """Member of the request with the messages."""
        return FORMATS[self.name].member

    @property
    def system(self) -> str:
        """Member beside it that counts as part of the prompt; empty if there is none."""
        return FORMATS[self.name].instructions


_WIRES: Mapping[Wire, ProviderWire] = {
    "anthropic": ProviderWire("anthropic", "anthropic", 300.0),
    "openai": ProviderWire("openai", "openai", 1800.0),
    "openai-responses": ProviderWire("openai-responses", "openai", 1800.0),
}


def wire_of(method: str, path: str) -> tuple[ProviderWire, bool] | None:
    """Returns the wire of a request, and whether it only counts tokens; None for one of no conversation."""
    found = requests.wire_of(path) if method == "POST" else None
    return None if found is None or found[0] not in _WIRES else (_WIRES[found[0]], found[1])


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
