"""Formats in which providers' APIs take and give messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Formats of conversations that are folded, and remembered as they pass: Anthropic's Messages, and OpenAI's chat
#: completions and Responses.
Wire = Literal["anthropic", "openai", "openai-responses"]
#: These, and Gemini's `generateContent`.
Provider = Literal[Wire, "gemini"]
#: A JSON object of a provider.
Json = Mapping[str, Any]


@dataclass(frozen=True)
class ProviderFormat:
    """Members of the requests of a provider, and its roles."""

    name: Provider
    #: Member of a request with the messages.
    member: str
    #: Member with the instructions; empty if they are messages.
    instructions: str
    #: Roles of messages → ours.
    roles: Mapping[str, str]


_ROLES = {role: role for role in ("system", "developer", "user", "assistant", "tool")}
FORMATS: Mapping[Provider, ProviderFormat] = {
    each.name: each
    for each in (
        ProviderFormat("anthropic", "messages", "system", {role: role for role in ("system", "user", "assistant")}),
        ProviderFormat("openai", "messages", "", _ROLES | {"function": "tool"}),
        ProviderFormat("openai-responses", "input", "instructions", _ROLES),
        ProviderFormat(
            "gemini", "contents", "systemInstruction", {"user": "user", "model": "assistant", "function": "tool"}
        ),
    )
}
