"""Conversations of agents in the request formats of providers."""

import json
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def agent_loop(calls: int, *, user_every: int = 4, thinking: bool = False, text: str = "") -> list[Json]:
    """A session in the format of Anthropic that ends with the user's turn: each call of the model calls a tool, but for
    those before the user speaks. `text`: what each tool returns, beside a number."""
    messages: list[Json] = [{"role": "user", "content": "Please fix the build of Titan, version 4.2.1."}]
    for call in range(calls):
        blocks: list[Json] = (
            [{"type": "thinking", "thinking": f"Thought {call}.", "signature": "c2ln"}] if thinking else []
        )
        if (call + 1) % user_every:
            called = {
                "type": "tool_use",
                "id": f"toolu_{call}",
                "name": "run",
                "input": {"command": f"make step-{call}"},
            }
            messages.append({"role": "assistant", "content": [*blocks, called]})
            returned = f"Step {call} wrote build/output-{call}.log in {call + 3} ms. {text or LOREM}"
            result = {"type": "tool_result", "tool_use_id": f"toolu_{call}", "content": returned}
            messages.append({"role": "user", "content": [result]})
        else:
            messages.append({"role": "assistant", "content": [*blocks, {"type": "text", "text": f"Done with {call}."}]})
            messages.append({"role": "user", "content": f"Now do part {call} as well, please."})
    return messages


LOREM = "The quick brown fox jumps over the lazy dog near the river bank while the sun sets slowly. " * 6


def as_chat(messages: list[Json]) -> list[Json]:
    """The same as chat completions of OpenAI, after a system message."""
    return [{"role": "system", "content": "You build things."}, *_converted(messages, _chat)]


def as_items(messages: list[Json]) -> list[Json]:
    """The same as items of the Responses API."""
    return _converted(messages, _items)


def as_contents(messages: list[Json], *, ids: bool = True) -> list[Json]:
    """The same as contents of Gemini, whose calls are signed. `ids`: whether calls have ids."""
    found = list[Json]()
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts = [_part(block, ids=ids) for block in blocks]
        found.append({"role": "model" if message["role"] == "assistant" else "user", "parts": parts})
    return found


def _part(block: Json, *, ids: bool) -> Json:
    if block["type"] == "tool_use":
        call = {"name": block["name"], "args": block["input"]} | ({"id": block["id"]} if ids else {})
        return {"functionCall": call, "thoughtSignature": f"sig-{block['id']}"}
    if block["type"] == "tool_result":
        response = {"name": "run", "response": {"output": block["content"]}}
        return {"functionResponse": response | ({"id": block["tool_use_id"]} if ids else {})}
    if block["type"] == "thinking":
        return {"text": block["thinking"], "thought": True}
    return {"text": block["text"]}


def _converted(messages: list[Json], convert: Callable[[str, Json], Json]) -> list[Json]:
    found: list[Json] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [convert(message["role"], block) for block in blocks]
    return found


def _chat(role: str, block: Json) -> Json:
    if block["type"] == "tool_use":
        function = {"name": block["name"], "arguments": json.dumps(block["input"])}
        calls = [{"id": block["id"], "type": "function", "function": function}]
        return {"role": role, "content": None, "tool_calls": calls}
    if block["type"] == "tool_result":
        return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]}
    return {"role": role, "content": block.get("text") or block["thinking"]}


def _items(role: str, block: Json) -> Json:
    if block["type"] == "tool_use":
        arguments = json.dumps(block["input"])
        return {"type": "function_call", "call_id": block["id"], "name": block["name"], "arguments": arguments}
    if block["type"] == "tool_result":
        return {"type": "function_call_output", "call_id": block["tool_use_id"], "output": block["content"]}
    if block["type"] == "thinking":
        return {"type": "reasoning", "id": f"rs_{block['thinking'][8:-1]}", "summary": [], "encrypted_content": "c2ln"}
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": block["text"]}]}
