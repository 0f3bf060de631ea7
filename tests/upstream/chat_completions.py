"""The Chat Completions API: `/v1/chat/completions`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .answers import ModelAnswer, ScriptedCall, Text, Thinking, pieces
from .cache import Bill
from .openai_cache import bill_of, check_breakpoints, check_images, check_key
from .problems import Provider, RefusedRequest, openai_refusal
from .schema import find_flaw
from .state import Json, Reply, UpstreamState
from .tokens import compact

_FINISH = {"max_tokens": "length", "refusal": "content_filter"}


class ChatCompletionsWire:
    """`POST /v1/chat/completions`."""

    name = "chat_completions"
    provider: Provider = "openai"

    def __init__(self, state: UpstreamState) -> None:
        self._state = state

    def accept(self, value: Json, headers: Mapping[str, str], query: str) -> "_AcceptedChat":
        """See `Wire`."""
        from openai.types.chat import completion_create_params as parameters

        check_key(headers)
        flaw = find_flaw(value, parameters.CompletionCreateParamsBase, {"stream": bool | None})
        if flaw is not None and flaw.kind == "unknown" and len(flaw.path) == 1:
            raise RefusedRequest(f"Unrecognized request argument supplied: {flaw.path[0]}")
        if flaw is not None and not (flaw.kind == "unknown" and flaw.path[0] == "messages"):
            raise openai_refusal(flaw)
        messages = value["messages"]
        if not messages:
            message = (
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
                "instead."
            )
            raise RefusedRequest(message, param="messages", code="empty_array")
        _check_tools(messages)
        check_breakpoints(self._state, messages)
        check_images(self._state, list(_images(messages)))
        if value.get("stream_options") and not value.get("stream"):
            message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            raise RefusedRequest(message, param="stream_options")
        return _AcceptedChat(self._state, value)


def _check_tools(messages: list[Json]) -> None:
    """Raises `RefusedRequest` unless each call of a tool is answered, before anything else, by tool messages."""
    open_calls: list[str] = []
    called_at = 0
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise RefusedRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"messages.[{number}].role",
                )
            open_calls.remove(message["tool_call_id"])
            continue
        _check_answered(open_calls, called_at)
        called_at = number
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        others = ("content", "refusal", "function_call", "audio")
        if message["role"] == "assistant" and not open_calls and all(message.get(name) is None for name in others):
            where = f"messages[{number}].content"
            raise RefusedRequest(f"Invalid value for '{where}': expected a string, got null.", param=where)
    _check_answered(open_calls, called_at)


def _check_answered(open_calls: list[str], called_at: int) -> None:
    if open_calls:
        raise RefusedRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls),
            param=f"messages.[{called_at + 1}].role",
        )


def _images(messages: list[Json]) -> Iterator[tuple[str, Json]]:
    for number, message in enumerate(messages):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("type") != "image_url":
                continue
            if message["role"] != "user":
                raise RefusedRequest(
                    f"Invalid 'messages[{number}]'. Image URLs are only allowed for messages with role 'user', but "
                    f"this message with role '{message['role']}' contains an image URL.",
                    param=f"messages[{number}]",
                    code="invalid_value",
                )
            yield f"messages[{number}].content[{place}].image_url", part


class _AcceptedChat:
    """An accepted call of the Chat Completions API."""

    scripted = True

    def __init__(self, state: UpstreamState, value: Json) -> None:
        self._state = state
        self._value = value

    def reply(self, answer: ModelAnswer) -> Reply:
        """See `Accepted`."""
        value, state = self._value, self._state
        blocks: list[tuple[str, Any]] = [("tools", tool) for tool in value.get("tools") or ()]
        blocks += [(str(message["role"]), message) for message in value["messages"]]
        bill = bill_of(state, value, blocks)
        text = "".join(part.text for part in answer.blocks if isinstance(part, Text))
        thought = [part.text for part in answer.blocks if isinstance(part, Thinking)]
        calls = [part for part in answer.blocks if isinstance(part, ScriptedCall)]
        message: Json = {"role": "assistant", "content": text or None, "refusal": None, "annotations": []}
        if calls:
            message["tool_calls"] = [self._call(call) for call in calls]
        elif message["content"] is None:
            message["content"] = ""
        counter = state.counter(str(value["model"]), "openai")
        thinking = sum(counter.block(each) for each in thought)
        output = counter.block({name: inner for name, inner in message.items() if name in ("content", "tool_calls")})
        bill = replace(bill, output=output + thinking, thinking=thinking)
        finish = _FINISH.get(answer.stop_reason or "", "tool_calls" if calls else "stop")
        completion: Json = {
            "id": state.new_id("chatcmpl-", text),
            "object": "chat.completion",
            "created": int(state.clock.now().timestamp()),
            "model": value["model"],
            "choices": [
                {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
                for index in range(value.get("n") or 1)
            ],
            "usage": _usage(bill),
            "service_tier": "default",
            "system_fingerprint": None,
        }
        with_usage = bool((value.get("stream_options") or {}).get("include_usage"))
        return Reply(completion, list(_frames(completion, with_usage)), bill, stream=bool(value.get("stream")))

    def _call(self, call: ScriptedCall) -> Json:
        return {
            "id": call.id or self._state.new_id("call_", call.name),
            "type": "function",
            "function": {"name": call.name, "arguments": compact(dict(call.arguments))},
        }


def _usage(bill: Bill) -> Json:
    return {
        "prompt_tokens": bill.input,
        "completion_tokens": bill.output,
        "total_tokens": bill.input + bill.output,
        "prompt_tokens_details": {
            "cached_tokens": bill.read,
            "cache_write_tokens": bill.written + bill.written_long,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": bill.thinking,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _frames(completion: Json, with_usage: bool) -> Iterator[bytes]:
    """Chunks of a completion, in the order of the API."""
    head = {name: completion[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"

    def chunk(index: int, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice], **({"usage": None} if with_usage else {})})

    for choice in completion["choices"]:
        index, message = choice["index"], choice["message"]
        yield chunk(index, {"role": "assistant", "content": "" if message["content"] else None, "refusal": None})
        for each in pieces(message["content"]) if message["content"] else ():
            yield chunk(index, {"content": each})
        for number, call in enumerate(message.get("tool_calls", ())):
            function = call["function"]
            opening = {**call, "index": number, "function": {"name": function["name"], "arguments": ""}}
            yield chunk(index, {"tool_calls": [opening]})
            for each in pieces(function["arguments"]):
                yield chunk(index, {"tool_calls": [{"index": number, "function": {"arguments": each}}]})
        yield chunk(index, {}, choice["finish_reason"])
    if with_usage:
        yield _data({**head, "choices": [], "usage": completion["usage"]})
    yield b"data: [DONE]\n\n"


def _data(value: Json) -> bytes:
    return f"data: {compact(value)}\n\n".encode()
