"""Formats in which providers' APIs take and give messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Formats of requests that pass or are folded: Anthropic's Messages, OpenAI's chat completions and Responses, and
#: Gemini's `generateContent`.
Wire = Literal["anthropic", "openai", "openai-responses", "gemini"]
#: Formats of conversations: the same, and prompts of the AI SDK for JavaScript.
Provider = Literal[Wire, "ai-sdk"]
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
    #: Member of a message with its blocks.
    content: str = "content"
    #: Type of a block with words of the user; empty if blocks have no type.
    text: str = "text"
    #: Type of a message among other items; empty if there are no others.
    message: str = ""
    #: Whether instructions among the messages may stand only in some places, see `settled`.
    settles: bool = False
    #: Whether thinking may be left out of messages that stay; else it is sent as it came.
    strips: bool = False
    #: When the tool calls of the model must be answered: before any other message, before the next one of another
    #: speaker, before the model speaks again, or before the user does.
    answered_before: Literal["other", "next", "assistant", "user"] = "assistant"


_ROLES = {role: role for role in ("system", "developer", "user", "assistant", "tool")}
FORMATS: Mapping[Provider, ProviderFormat] = {
    item.name: item
    for item in (
        ProviderFormat(
            *("anthropic", "messages", "system", {role: role for role in ("system", "user", "assistant")}),
            settles=True,
            strips=True,
        ),
        ProviderFormat("openai", "messages", "", _ROLES | {"function": "tool"}, answered_before="other"),
        ProviderFormat(
            *("openai-responses", "input", "instructions", _ROLES),
            text="input_text",
            message="message",
            answered_before="user",
        ),
        ProviderFormat(
            *("gemini", "contents", "systemInstruction", {"user": "user", "model": "assistant", "function": "tool"}),
            content="parts",
            text="",
            answered_before="next",
        ),
        ProviderFormat("ai-sdk", "prompt", "", _ROLES),
    )
}
