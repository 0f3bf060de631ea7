"""The Responses API: `/v1/responses`, `/v1/responses/input_tokens` and `/v1/conversations`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .answers import ModelAnswer, Text, Thinking, pieces
from .cache import Bill
from .messages import frame
from .openai_cache import bill_of, check_breakpoints, check_images, check_key
from .problems import Provider, RefusedRequest, openai_refusal
from .schema import find_flaw
from .signatures import bound_to, chain, sign
from .state import Json, Reply, UpstreamState
from .tokens import compact

#: Members that the service accepts although the SDK does not list them: Codex sends `client_metadata`.
_EXTRA = {"client_metadata": dict[str, object], "stream": bool | None}
#: Kind of a call → kind of its output.
_OUTPUTS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
}
_NAMES = {"function_call": "function call", "custom_tool_call": "custom tool call"}


class ResponsesWire:
    """`POST /v1/responses`, and with `counting` `POST /v1/responses/input_tokens`."""

    provider: Provider = "openai"

    def __init__(self, state: UpstreamState, *, counting: bool = False) -> None:
        self.name = "input_tokens" if counting else "responses"
        self._state = state
        self._counting = counting

    def accept(self, value: Json, headers: Mapping[str, str], query: str) -> "_AcceptedResponse":
        """See `Wire`."""
        check_key(headers)
        flaw = find_flaw(_checked(value), self._type(), {} if self._counting else _EXTRA)
        if flaw is not None:
            raise openai_refusal(flaw)
        if value.get("model") is None and not value.get("prompt"):
            raise RefusedRequest(
                "Missing required parameter: 'model'.", param="model", code="missing_required_parameter"
            )
        before = self._before(value)
        given = value.get("input")
        items = [_said(given)] if isinstance(given, str) else list(given or ())
        whole = [*before, *self._resolved(items)]
        if not whole and not value.get("prompt"):
            message = "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation_id' must be provided."
            raise RefusedRequest(message, param="input", code="missing_required_parameter")
        self._check_reasoning(items, whole)
        _check_calls(whole)
        check_breakpoints(self._state, items)
        check_images(self._state, list(_images(items)))
        return _AcceptedResponse(self._state, value, items, whole, counting=self._counting)

    def _type(self) -> Any:
        from openai.types.responses import input_token_count_params, response_create_params

        if self._counting:
            return input_token_count_params.InputTokenCountParams
        return response_create_params.ResponseCreateParamsBase

    def _before(self, value: Json) -> list[Json]:
        """Items that the service holds."""
        previous, conversation = value.get("previous_response_id"), value.get("conversation")
        if previous is not None and conversation is not None:
            raise RefusedRequest(
                "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only "
                "providing one of these parameters.",
                code="mutually_exclusive_parameters",
            )
        if previous is not None:
            if previous not in self._state.responses:
                message = f"Previous response with id '{previous}' not found."
                raise RefusedRequest(message, param="previous_response_id", code="previous_response_not_found")
            return self._state.responses[previous]
        if conversation is not None:
            name = conversation["id"] if isinstance(conversation, dict) else conversation
            if name not in self._state.conversations:
                raise RefusedRequest(f"Conversation with id '{name}' not found.", 404)
            return self._state.conversations[name]
        return []

    def _resolved(self, items: list[Json]) -> list[Json]:
        """Items with those in place of references to stored ones. Raises `RefusedRequest`."""
        stored = {item["id"]: item for held in self._state.responses.values() for item in held if item.get("id")}
        resolved: list[Json] = []
        for item in items:
            name = item.get("id")
            if item.get("type") == "item_reference":
                if name not in stored:
                    raise _not_found(str(name), self._state)
                resolved.append(stored[name])
                continue
            bare = item.get("type") == "reasoning" and not item.get("encrypted_content")
            if bare and name in self._state.unstored:
                raise _not_found(str(name), self._state)
            resolved.append(item)
        return resolved

    def _check_reasoning(self, items: list[Json], whole: list[Json]) -> None:
        """Reasoning and the item that followed it are sent together, or neither is."""
        for item in items:
            text = item.get("encrypted_content")
            if item.get("type") == "reasoning" and text is not None and bound_to("reasoning", "", text) is None:
                message = f"The encrypted content for item {item.get('id')} could not be verified."
                raise RefusedRequest(message, code="invalid_encrypted_content")
        ids = [item.get("id") for item in whole]
        for place, item in enumerate(whole):
            name = item.get("id")
            if item.get("type") == "reasoning":
                following = whole[place + 1] if place + 1 < len(whole) else None
                expected = self._state.following.get(str(name))
                if following is None or (expected and following.get("id") not in (None, expected)):
                    raise RefusedRequest(
                        f"Item '{name}' of type 'reasoning' was provided without its required following item.",
                        param="input",
                    )
            needed = self._state.reasoning_of.get(str(name)) if name else None
            if needed is not None and needed not in ids:
                raise RefusedRequest(
                    f"Item '{name}' of type '{item.get('type')}' was provided without its required 'reasoning' item: "
                    f"'{needed}'.",
                    param="input",
                )


def _checked(value: Json) -> Json:
    """A request as the types of the SDK describe it. Codex sends an id with messages of the caller, and null members of
    items, which are not in the types."""
    items = value.get("input")
    if not isinstance(items, list):
        return value
    return {**value, "input": [_without_codex_members(item) for item in items]}


def _without_codex_members(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    has_id = item.get("role") not in ("user", "developer", "system")
    return {name: inner for name, inner in item.items() if inner is not None and (has_id or name != "id")}


def _not_found(name: str, state: UpstreamState) -> RefusedRequest:
    message = f"Item with id '{name}' not found."
    if name in state.unstored:
        message += (
            " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this "
            "item from your input."
        )
    return RefusedRequest(message, 404 if name not in state.unstored else 400, param="input")


def _said(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _check_calls(items: list[Json]) -> None:
    """Raises `RefusedRequest` unless calls and outputs are paired."""
    called: dict[str, str] = {}
    answered: set[str] = set()
    for item in items:
        kind = str(item.get("type"))
        if kind in _OUTPUTS and item.get("call_id"):
            called[str(item["call_id"])] = kind
        if kind in _OUTPUTS.values() and item.get("call_id"):
            name = str(item["call_id"])
            if name not in called or _OUTPUTS[called[name]] != kind:
                what = _NAMES.get(next(key for key, output in _OUTPUTS.items() if output == kind), "tool call")
                raise RefusedRequest(f"No tool call found for {what} output with call_id {name}.", param="input")
            if name in answered:
                raise RefusedRequest(f"Duplicate tool output for call_id {name}.", param="input")
            answered.add(name)
    for name, kind in called.items():
        if name not in answered:
            raise RefusedRequest(f"No tool output found for {_NAMES.get(kind, 'tool call')} {name}.", param="input")


def _images(items: list[Json]) -> Iterator[tuple[str, Json]]:
    for number, item in enumerate(items):
        for member in ("content", "output"):
            parts = item.get(member)
            for place, part in enumerate(parts if isinstance(parts, list) else ()):
                if isinstance(part, dict) and part.get("type") == "input_image":
                    yield f"input[{number}].{member}[{place}].image_url", part


class _AcceptedResponse:
    """An accepted call of the Responses API."""

    def __init__(
        self, state: UpstreamState, value: Json, items: list[Json], whole: list[Json], *, counting: bool
    ) -> None:
        self._state = state
        self._value = value
        self._items = items
        self._whole = whole
        self._counting = counting
        self.scripted = not counting

    def _blocks(self) -> list[tuple[str, Any]]:
        blocks: list[tuple[str, Any]] = [("tools", tool) for tool in self._value.get("tools") or ()]
        if self._value.get("instructions"):
            blocks.append(("developer", self._value["instructions"]))
        return blocks + [(str(item.get("role") or item.get("type")), _seen(item)) for item in self._whole]

    def reply(self, answer: ModelAnswer) -> Reply:
        """See `Accepted`."""
        value, state = self._value, self._state
        counter = state.counter(str(value.get("model") or ""), "openai")
        if self._counting:
            count = sum(counter.block(block) for _, block in self._blocks())
            return Reply({"object": "response.input_tokens", "input_tokens": count}, [], None)
        bill = bill_of(state, value, self._blocks())
        name = state.new_id("resp_", compact(self._whole[-1:]))
        output = self._output(answer, name)
        thinking = sum(counter.block(item) for item in output if item["type"] == "reasoning")
        bill = replace(bill, output=sum(counter.block(item) for item in output), thinking=thinking)
        incomplete = "max_output_tokens" if answer.stop_reason == "max_tokens" else None
        response = self._response(name, output, bill, incomplete)
        self._note(name, output)
        return Reply(response, list(_frames(response)), bill, stream=bool(value.get("stream")))

    def _output(self, answer: ModelAnswer, name: str) -> list[Json]:
        state = self._state
        digest = chain("", "input", self._whole)
        encrypted = "reasoning.encrypted_content" in (self._value.get("include") or ())
        output: list[Json] = []
        for part in answer.blocks:
            item: Json
            if isinstance(part, Text):
                content = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
                item = {
                    "id": state.new_id("msg_", name),
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [content],
                }
            elif isinstance(part, Thinking):
                summary = [] if part.redacted else [{"type": "summary_text", "text": part.text}]
                item = {"id": state.new_id("rs_", name), "type": "reasoning", "summary": summary}
                if encrypted:
                    item["encrypted_content"] = sign("reasoning", "", digest)
            else:
                item = {
                    "id": state.new_id("fc_", name),
                    "type": "function_call",
                    "call_id": part.id or state.new_id("call_", name),
                    "name": part.name,
                    "arguments": compact(dict(part.arguments)),
                    "status": "completed",
                }
            if output and output[-1]["type"] == "reasoning" and item["type"] != "reasoning":
                state.reasoning_of[item["id"]] = output[-1]["id"]
                state.following[output[-1]["id"]] = item["id"]
            output.append(item)
        return output

    def _response(self, name: str, output: list[Json], bill: Bill, incomplete: str | None) -> Json:
        value = self._value
        conversation = value.get("conversation")
        return {
            "id": name,
            "object": "response",
            "created_at": int(self._state.clock.now().timestamp()),
            "status": "incomplete" if incomplete else "completed",
            "background": False,
            "error": None,
            "incomplete_details": {"reason": incomplete} if incomplete else None,
            "instructions": value.get("instructions"),
            "max_output_tokens": value.get("max_output_tokens"),
            "model": value.get("model"),
            "output": output,
            "parallel_tool_calls": value.get("parallel_tool_calls", True),
            "previous_response_id": value.get("previous_response_id"),
            "conversation": {"id": conversation} if isinstance(conversation, str) else conversation,
            "reasoning": {"effort": None, "summary": None, **(value.get("reasoning") or {})},
            "service_tier": "default",
            "store": value.get("store", True),
            "temperature": value.get("temperature", 1.0),
            "text": value.get("text") or {"format": {"type": "text"}},
            "tool_choice": value.get("tool_choice", "auto"),
            "tools": value.get("tools") or [],
            "top_p": value.get("top_p", 1.0),
            "truncation": value.get("truncation") or "disabled",
            "usage": _usage(bill),
            "user": value.get("user"),
            "metadata": value.get("metadata") or {},
        }

    def _note(self, name: str, output: list[Json]) -> None:
        if self._value.get("store") is False:
            self._state.unstored.update(item["id"] for item in output)
        else:
            self._state.responses[name] = [*self._whole, *output]
        conversation = self._value.get("conversation")
        if conversation is not None:
            key = conversation["id"] if isinstance(conversation, dict) else conversation
            self._state.conversations[key] = [*self._whole, *output]


def _seen(item: Json) -> Json:
    """An item as the model sees it: without its id and status, which are not part of the prompt."""
    content = item.get("content")
    changed = {key: inner for key, inner in item.items() if key not in ("id", "status")}
    if isinstance(content, str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        changed["content"] = [{"type": kind, "text": content}]
    elif isinstance(content, list) and item.get("role") == "assistant":
        changed["content"] = [
            {key: inner for key, inner in part.items() if key not in ("annotations", "logprobs")} for part in content
        ]
    if "role" in changed:
        changed["type"] = "message"
    return changed


def _usage(bill: Bill) -> Json:
    return {
        "input_tokens": bill.input,
        "input_tokens_details": {
            "cached_tokens": bill.read,
            "cache_write_tokens": bill.written + bill.written_long,
        },
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.thinking},
        "total_tokens": bill.input + bill.output,
    }


def _frames(response: Json) -> Iterator[bytes]:
    """Server-sent events of a response, in the order of the API."""
    events: list[tuple[str, Json]] = []
    opening = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events.append(("response.created", {"response": opening}))
    events.append(("response.in_progress", {"response": opening}))
    for index, item in enumerate(response["output"]):
        events += _item_events(index, item)
    end = "response.incomplete" if response["status"] == "incomplete" else "response.completed"
    events.append((end, {"response": response}))
    for number, (kind, value) in enumerate(events):
        yield frame(kind, {**value, "sequence_number": number})


def _item_events(index: int, item: Json) -> Iterator[tuple[str, Json]]:
    at = {"item_id": item["id"], "output_index": index}
    kind = item["type"]
    if kind == "message":
        part = item["content"][0]
        empty = {**part, "text": ""}
        opening = {**item, "status": "in_progress", "content": []}
        yield "response.output_item.added", {"output_index": index, "item": opening}
        at = {**at, "content_index": 0}
        yield "response.content_part.added", {**at, "part": empty}
        for each in pieces(part["text"]):
            yield "response.output_text.delta", {**at, "delta": each, "logprobs": []}
        yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**at, "part": part}
    elif kind == "reasoning":
        opening = {**item, "summary": []}
        yield "response.output_item.added", {"output_index": index, "item": opening}
        for number, part in enumerate(item["summary"]):
            within = {**at, "summary_index": number}
            yield "response.reasoning_summary_part.added", {**within, "part": {**part, "text": ""}}
            for each in pieces(part["text"]):
                yield "response.reasoning_summary_text.delta", {**within, "delta": each}
            yield "response.reasoning_summary_text.done", {**within, "text": part["text"]}
            yield "response.reasoning_summary_part.done", {**within, "part": part}
    else:
        opening = {**item, "status": "in_progress", "arguments": ""}
        yield "response.output_item.added", {"output_index": index, "item": opening}
        for each in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {**at, "delta": each}
        yield "response.function_call_arguments.done", {**at, "name": item["name"], "arguments": item["arguments"]}
    yield "response.output_item.done", {"output_index": index, "item": item}


class ConversationsWire:
    """`POST /v1/conversations`."""

    name = "conversations"
    provider: Provider = "openai"

    def __init__(self, state: UpstreamState) -> None:
        self._state = state

    def accept(self, value: Json, headers: Mapping[str, str], query: str) -> "_AcceptedConversation":
        """See `Wire`."""
        from openai.types.conversations.conversation_create_params import ConversationCreateParams

        check_key(headers)
        flaw = find_flaw(value, ConversationCreateParams)
        if flaw is not None:
            raise openai_refusal(flaw)
        return _AcceptedConversation(self._state, value)


class _AcceptedConversation:
    scripted = False

    def __init__(self, state: UpstreamState, value: Json) -> None:
        self._state = state
        self._value = value

    def reply(self, answer: ModelAnswer) -> Reply:
        """See `Accepted`."""
        name = self._state.new_id("conv_", "")
        self._state.conversations[name] = list(self._value.get("items") or ())
        created = int(self._state.clock.now().timestamp())
        metadata = self._value.get("metadata") or {}
        return Reply({"id": name, "object": "conversation", "created_at": created, "metadata": metadata}, [], None)
