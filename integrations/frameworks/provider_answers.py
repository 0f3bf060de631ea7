"""Answers of the providers' APIs, read from a copy of the bytes that the caller gets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

#: Request formats: Messages of Anthropic, chat completions and Responses of OpenAI.
WireName = Literal["messages", "chat_completions", "responses"]
Json = dict[str, Any]

#: Bytes with which a complete stream ends, by wire.
_ENDS: Mapping[WireName, tuple[bytes, ...]] = {
    "messages": (b"message_stop",),
    "chat_completions": (b"[DONE]",),
    "responses": (b"response.completed", b"response.incomplete"),
}


def may_end(wire: WireName, tail: bytes) -> bool:
    """Returns True if the bytes that were received last may hold the end of a stream."""
    return any(end in tail for end in _ENDS[wire])


def read_body(wire: WireName, content: bytes, *, stream: bool) -> Json | None:
    """Returns the answer in a body; None if it is not complete, or not an answer."""
    try:
        if stream:
            return _from_events(wire, list(_events(content)))
        value = json.loads(content)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    if wire == "responses" and isinstance(value, dict) and value.get("status") not in ("completed", "incomplete"):
        return None
    return value if isinstance(value, dict) else None


def _events(content: bytes) -> Iterator[Json | None]:
    """Yields the data of each event; None for the end of a chat."""
    for block in content.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if not lines:
            continue
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
