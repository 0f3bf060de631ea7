"""Clients of each wire: they hold a conversation as agents do, whole, and send what folding makes of it."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import httpx

from foxing.memory.conversation import Wire
from tests.upstream import ModelAnswer, ScriptedCall, Text, Thinking, Upstream

from .sessions import SYSTEM, TOOLS, Turn

Json = dict[str, Any]
MARK = {"cache_control": {"type": "ephemeral"}}


class Agent:
    """A conversation in the format of a wire."""

    wire: ClassVar[Wire]
    path = ""
    headers: ClassVar[Json] = {}

    def __init__(self, model: str) -> None:
        self.model = model
        self.messages: list[Json] = []

    @property
    def system(self) -> Any:
        """`system` or `instructions` of the request; None if it is among the messages."""
        return None

    @property
    def tools(self) -> Any:
        """`tools` of the request."""
        return [{"type": "function", **_function(tool)} for tool in TOOLS]

    def given(self) -> list[Json]:
        """Returns the messages to send, with cache marks where the wire has them."""
        return list(self.messages)

    def body(self, messages: Sequence[Json]) -> Json:
        """Returns the body of a request."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Adds what the user says."""
        raise NotImplementedError

    def take(self, answer: Json, result: str, screenshot: str = "") -> None:
        """Adds an answer, and the result of its tool call if it has one. `screenshot`: PNG in Base64 beside it."""
        raise NotImplementedError

    def post(self, http: httpx.Client, upstream: Upstream, messages: Sequence[Json], fields: Json) -> httpx.Response:
        """Sends a request."""
        return http.post(f"{upstream.url}{self.path}", json={**self.body(messages), **fields}, headers=self.headers)


def _function(tool: Json) -> Json:
    return {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}


class MessagesAgent(Agent):
    """The Messages API of Anthropic, with marks as coding agents set them: on the system prompt and on the last two
    user messages."""

    wire: ClassVar[Wire] = "anthropic"
    path = "/v1/messages"
    headers: ClassVar[Json] = {"x-api-key": "test", "anthropic-version": "2023-06-01"}

    @property
    def system(self) -> Any:
        """See `Agent`."""
        return [*SYSTEM[:-1], {**SYSTEM[-1], **MARK}]

    @property
    def tools(self) -> Any:
        """See `Agent`."""
        return TOOLS

    def given(self) -> list[Json]:
        """See `Agent`."""
        messages = list(self.messages)
        places = [number for number, message in enumerate(messages) if message["role"] == "user"][-2:]
        for place in places:
            content = messages[place]["content"]
            messages[place] = {"role": "user", "content": [*content[:-1], {**content[-1], **MARK}]}
        return messages

    def body(self, messages: Sequence[Json]) -> Json:
        """See `Agent`."""
        return {
            "model": self.model,
            "max_tokens": 4_000,
            "system": self.system,
            "tools": self.tools,
            "messages": list(messages),
        }

    def say(self, text: str) -> None:
        """See `Agent`."""
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def take(self, answer: Json, result: str, screenshot: str = "") -> None:
        """See `Agent`."""
        self.messages.append({"role": "assistant", "content": answer["content"]})
        called = [block for block in answer["content"] if block["type"] == "tool_use"]
        content: Any = result
        if screenshot:
            source = {"type": "base64", "media_type": "image/png", "data": screenshot}
            content = [{"type": "text", "text": result}, {"type": "image", "source": source}]
        results = [{"type": "tool_result", "tool_use_id": block["id"], "content": content} for block in called]
        if results:
            self.messages.append({"role": "user", "content": results})


class ChatAgent(Agent):
    """Chat completions of OpenAI."""

    wire: ClassVar[Wire] = "openai"
    path = "/v1/chat/completions"
    headers: ClassVar[Json] = {"authorization": "Bearer test"}

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.messages.append({"role": "system", "content": "\n".join(block["text"] for block in SYSTEM)})

    @property
    def tools(self) -> Any:
        """See `Agent`."""
        return [{"type": "function", "function": _function(tool)} for tool in TOOLS]

    def body(self, messages: Sequence[Json]) -> Json:
        """See `Agent`."""
        return {"model": self.model, "tools": self.tools, "messages": list(messages)}

    def say(self, text: str) -> None:
        """See `Agent`."""
        self.messages.append({"role": "user", "content": text})

    def take(self, answer: Json, result: str, screenshot: str = "") -> None:
        """See `Agent`."""
        said = answer["choices"][0]["message"]
        self.messages.append({key: said[key] for key in ("role", "content", "tool_calls") if key in said})
        for call in said.get("tool_calls", ()):
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        if screenshot:  # results of tools are text
            image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{screenshot}"}}
            self.messages.append({"role": "user", "content": [image]})


class ResponsesAgent(Agent):
    """The Responses API of OpenAI, with its reasoning encrypted."""

    wire: ClassVar[Wire] = "openai-responses"
    path = "/v1/responses"
    headers: ClassVar[Json] = {"authorization": "Bearer test"}

    @property
    def system(self) -> Any:
        """See `Agent`."""
        return "\n".join(block["text"] for block in SYSTEM)

    def body(self, messages: Sequence[Json]) -> Json:
        """See `Agent`."""
        return {
            "model": self.model,
            "instructions": self.system,
            "tools": [{**tool, "strict": False} for tool in self.tools],
            "input": list(messages),
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }

    def say(self, text: str) -> None:
        """See `Agent`."""
        content = [{"type": "input_text", "text": text}]
        self.messages.append({"type": "message", "role": "user", "content": content})

    def take(self, answer: Json, result: str, screenshot: str = "") -> None:
        """See `Agent`."""
        self.messages += answer["output"]
        for item in answer["output"]:
            if item["type"] == "function_call":
                said: Any = result
                if screenshot:
                    image = {"type": "input_image", "image_url": f"data:image/png;base64,{screenshot}"}
                    said = [{"type": "input_text", "text": result}, image]
                output = {"type": "function_call_output", "call_id": item["call_id"], "output": said}
                self.messages.append(output)


AGENTS: dict[str, type[Agent]] = {
    "anthropic": MessagesAgent,
    "openai": ChatAgent,
    "openai-responses": ResponsesAgent,
}


def answer_of(turn: Turn) -> ModelAnswer:
    """Returns what the model answers in a turn: it ends the user's turn, or calls a tool."""
    parts: list[Text | Thinking | ScriptedCall | str] = [Thinking(turn.thinking or "…"), Text(turn.text)]
    if turn.command:
        parts.append(ScriptedCall("run", {"command": turn.command}))
    return ModelAnswer(tuple(parts))


def plain(message: Json) -> str:
    """Returns a message as JSON without thinking and cache marks."""
    content = message.get("content")
    if isinstance(content, list):
        content = [
            {key: value for key, value in block.items() if key != "cache_control"}
            for block in content
            if block.get("type") not in ("thinking", "redacted_thinking")
        ]
    return json.dumps({**message, "content": content})
