"""Answers read from a copy of the bytes that the client gets: what the model said, and what was billed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .wires import Json, WireName

#: Bytes with which a complete stream ends, by wire.
_ENDS: Mapping[WireName, tuple[bytes, ...]] = {
    "messages": (b"message_stop",),
    "chat_completions": (b"[DONE]",),
    "responses": (b"response.completed", b"response.incomplete"),
}


@dataclass(frozen=True)
class Usage:
    """Tokens that a provider billed for a call."""

    #: Input at the full price, written to the prompt cache, and read from it.
    fresh: int = 0
    written: int = 0
    read: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        """All input."""
        return self.fresh + self.written + self.read


@dataclass(frozen=True)
class PassedAnswer:
    """A complete answer of a model."""

    id: str | None
    #: The answer as messages or items of the next request.
    messages: Sequence[Json]
    usage: Usage | None = None
    conversation: str | None = field(default=None)


def may_end(wire: WireName, tail: bytes) -> bool:
    """Returns True if the bytes that were received last may hold the end of a stream."""
    return any(end in tail for end in _ENDS[wire])


def read_answer(wire: WireName, content: bytes, *, stream: bool) -> PassedAnswer | None:
    """Returns the answer in a body; None if it is not complete, or not an answer."""
    try:
        value = _from_events(wire, list(_events(content))) if stream else json.loads(content)
        return _READERS[wire](value) if isinstance(value, dict) else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None


def _events(content: bytes) -> Iterator[Json | None]:
    """Yields the data of each event; None for the end of a chat."""
    for block in content.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            data = b"\n".join(lines)
            yield None if data == b"[DONE]" else json.loads(data)


def _from_events(wire: WireName, events: list[Json | None]) -> Json | None:
    if wire == "messages":
        return _message(events)
    if wire == "chat_completions":
        return _completion(events) if None in events else None
    last = next((each for each in reversed(events) if each), {})
    return last.get("response") if last.get("type") in ("response.completed", "response.incomplete") else None


def _message(events: list[Json | None]) -> Json | None:
    message: Json = {}
    blocks: dict[int, Json] = {}
    inputs: dict[int, str] = {}
    complete = False
    for event in events:
        kind = (event or {}).get("type")
        if event is None:
            continue
        if kind == "message_start":
            message = dict(event["message"])
        elif kind == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif kind == "content_block_delta":
            _extend(blocks[event["index"]], event["delta"], inputs, event["index"])
        elif kind == "message_delta":
            usage = event.get("usage") or {}
            message["usage"] = {**(message.get("usage") or {}), **{k: v for k, v in usage.items() if v is not None}}
        elif kind == "message_stop":
            complete = True
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(text) if text.strip() else {}
    message["content"] = [blocks[index] for index in sorted(blocks)]
    return message if complete else None


def _extend(block: Json, delta: Json, inputs: dict[int, str], index: int) -> None:
    kind = delta.get("type")
    if kind == "text_delta":
        block["text"] = block.get("text", "") + delta["text"]
    elif kind == "input_json_delta":
        inputs[index] = inputs.get(index, "") + delta["partial_json"]


def _completion(events: list[Json | None]) -> Json:
    message: Json = {"role": "assistant", "content": "", "tool_calls": []}
    calls: dict[int, Json] = {}
    name = usage = None
    for event in events:
        name = name or (event or {}).get("id")
        usage = (event or {}).get("usage") or usage
        for choice in (event or {}).get("choices") or ():
            if choice.get("index"):
                continue  # only the first of several answers
            delta: Any = choice.get("delta") or {}
            message["content"] += delta.get("content") or ""
            for part in delta.get("tool_calls") or ():
                call = calls.setdefault(part["index"], {"id": None, "function": {"name": "", "arguments": ""}})
                call["id"] = part.get("id") or call["id"]
                function = part.get("function") or {}
                call["function"]["name"] += function.get("name") or ""
                call["function"]["arguments"] += function.get("arguments") or ""
    message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {"id": name, "choices": [{"message": message}], "usage": usage}


def _read_message(value: Json) -> PassedAnswer | None:
    if value.get("type") != "message":
        return None
    usage = value.get("usage") or {}
    counted = Usage(
        usage.get("input_tokens") or 0,
        usage.get("cache_creation_input_tokens") or 0,
        usage.get("cache_read_input_tokens") or 0,
        usage.get("output_tokens") or 0,
    )
    said = {"role": "assistant", "content": value.get("content") or []}
    return PassedAnswer(value.get("id"), [said], counted)


def _read_completion(value: Json) -> PassedAnswer | None:
    choices = value.get("choices")
    if not choices:
        return None
    said = {"role": "assistant", **(choices[0].get("message") or {})}
    return PassedAnswer(value.get("id"), [said], _openai_usage(value.get("usage"), "prompt"))


def _read_response(value: Json) -> PassedAnswer | None:
    if value.get("status") not in ("completed", "incomplete"):
        return None
    conversation = value.get("conversation")
    named = conversation.get("id") if isinstance(conversation, dict) else conversation
    usage = _openai_usage(value.get("usage"), "input")
    return PassedAnswer(value.get("id"), value.get("output") or [], usage, named)


def _openai_usage(usage: Any, name: str) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get(f"{name}_tokens_details") or {}
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    given = usage.get(f"{name}_tokens") or 0
    output = usage.get("output_tokens" if name == "input" else "completion_tokens") or 0
    return Usage(max(0, given - read - written), written, read, output)


_READERS = {"messages": _read_message, "chat_completions": _read_completion, "responses": _read_response}
