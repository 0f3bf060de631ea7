"""What an agent of a framework holds of a recorded session, in the framework's own objects."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from foxing.memory.conversation import ProviderMessage


def langchain_messages(messages: Sequence[ProviderMessage]) -> list[Any]:
    """Returns the messages of a LangChain agent's state."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    found: list[Any] = []
    for message in messages:
        content: list[Any] = []
        calls: list[Any] = []
        for part in message.parts:
            if part["type"] == "tool_result":
                found.append(ToolMessage(part["content"], tool_call_id=part["id"]))
            elif part["type"] == "tool_call":
                call = {"id": part["id"], "name": part["name"], "input": _arguments(part)}
                content.append({"type": "tool_use", **call})
                calls.append({"id": call["id"], "name": call["name"], "args": call["input"]})
            else:
                content.append({"type": "text", "text": part["text"]})
        if message.role == "assistant" and content:
            found.append(AIMessage(content, tool_calls=calls))
        elif content:
            found.append(SystemMessage(content) if message.role == "developer" else HumanMessage(content))
    begun = messages_name(messages)
    return [message.model_copy(update={"id": f"{begun}-{number}"}) for number, message in enumerate(found)]


def pydantic_ai_results(conversations: Iterator[Sequence[ProviderMessage]]) -> Iterator[Any]:
    """Yields the results of the runs of a Pydantic AI agent."""
    before: list[Any] = []
    for messages in conversations:
        history = [made for message in messages if (made := _model_message(message)) is not None]
        is_continued = history[: len(before)] == before
        yield _Result(history, len(before) if is_continued else 0)
        before = history


class _Result:
    """The result of a run, as far as a capability asks it."""

    def __init__(self, messages: list[Any], begun: int) -> None:
        self._messages, self._begun = messages, begun

    def all_messages(self) -> list[Any]:
        return self._messages

    def new_messages(self) -> list[Any]:
        return self._messages[self._begun :]


def _model_message(message: ProviderMessage) -> Any:
    from datetime import UTC, datetime

    from pydantic_ai.messages import (
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
    )

    at = datetime(2026, 9, 1, tzinfo=UTC)
    parts: list[Any] = []
    for part in message.parts:
        if part["type"] == "tool_result":
            parts.append(ToolReturnPart("tool", part["content"], part["id"], timestamp=at))
        elif part["type"] == "tool_call":
            parts.append(ToolCallPart(part["name"], _arguments(part), part["id"]))
        elif message.role == "assistant":
            parts.append(TextPart(part["text"]))
        elif message.role == "developer":
            parts.append(SystemPromptPart(part["text"], timestamp=at))
        else:
            parts.append(UserPromptPart(part["text"], timestamp=at))
    if not parts:
        return None
    return ModelResponse(parts, timestamp=at) if message.role == "assistant" else ModelRequest(parts)


def messages_name(messages: Sequence[ProviderMessage]) -> str:
    """Returns a name that a conversation keeps until its beginning changes."""
    return str(abs(hash(str([message.raw for message in messages[:2]]))))


def _arguments(part: dict[str, Any]) -> Any:
    arguments = part["arguments"]
    return json.loads(arguments) if isinstance(arguments, str) else arguments
