"""An agent with a wrapped client, as a process of its own that may be killed at any moment.

It keeps its history in a file after every step, and continues from there.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai

from foxing.integrations.wrap import flush, wrap

Json = dict[str, Any]

#: Kinds of turns, by their number.
KINDS = ("plain", "stream", "aborted", "tools", "refused", "stream", "tools", "plain")
TOOL = {"name": "look", "description": "Looks something up.", "input_schema": {"type": "object", "properties": {}}}
CHAT_TOOL = {"type": "function", "function": {"name": "look", "parameters": TOOL["input_schema"]}}
ITEM_TOOL = {"type": "function", "name": "look", "parameters": TOOL["input_schema"], "strict": False}


@dataclass(frozen=True)
class Task:
    """Task of an agent."""

    #: "anthropic", "chat" or "responses"; with "async-" in front for the asynchronous client.
    client: str
    upstream: str
    #: URL of the service; empty for a client that is not wrapped.
    service: str
    bank: str
    folder: str
    turns: int


class Timed:
    """Mixin of HTTP clients that measures from a built request to the moment before it is sent."""

    delays: list[float]

    def build_request(self, *arguments: Any, **options: Any) -> httpx2.Request:
        """Returns a request that knows when it was built."""
        request: httpx2.Request = super().build_request(*arguments, **options)  # type: ignore[misc]
        request.extensions["foxing_built_at"] = time.perf_counter()
        return request


class TimedClient(Timed, httpx2.Client):
    """Synchronous client."""


class TimedAsyncClient(Timed, httpx2.AsyncClient):
    """Asynchronous client."""


class Agent:
    """A conversation, and one way of calling a model."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.file = Path(task.folder) / "history.json"
        saved: Json = json.loads(self.file.read_text()) if self.file.exists() else {"turn": 0, "history": []}
        self.turn: int = saved["turn"]
        self.history: list[Json] = saved["history"]
        self.delays: list[float] = []
        self.wire = task.client.removeprefix("async-")
        self.client: Any = self._client()

    def _client(self) -> Any:
        def note(request: httpx2.Request) -> None:
            self.delays.append(time.perf_counter() - request.extensions["foxing_built_at"])

        async def note_async(request: httpx2.Request) -> None:
            note(request)

        is_async = self.task.client.startswith("async-")
        options: Json = {"base_url": self.task.upstream, "api_key": "key", "max_retries": 3}
        if is_async:
            options["http_client"] = TimedAsyncClient(event_hooks={"request": [note_async]}, timeout=60)
        else:
            options["http_client"] = TimedClient(event_hooks={"request": [note]}, timeout=60)
        kind = {
            ("anthropic", False): anthropic.Anthropic,
            ("anthropic", True): anthropic.AsyncAnthropic,
            ("openai", False): openai.OpenAI,
            ("openai", True): openai.AsyncOpenAI,
        }[("anthropic" if self.wire == "anthropic" else "openai"), is_async]
        client = kind(**options)
        if not self.task.service:
            return client
        return wrap(client, memory=self.task.service, bank=self.task.bank, journal=Path(self.task.folder) / "wrap.db")

    def save(self) -> None:
        """Writes the history."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"turn": self.turn, "history": self.history}))
        new.replace(self.file)
        with (Path(self.task.folder) / "delays").open("a") as file:
            file.writelines(f"{delay}\n" for delay in self.delays)
        self.delays.clear()

    async def run(self) -> None:
        """Has the conversation up to its end."""
        while self.turn < self.task.turns:
            kind = KINDS[self.turn % len(KINDS)]
            if not self.history or not _is_open(self.history):
                text = f"Turn {self.turn} ({kind}): note that box {self.turn} holds {self.turn * 7} screws."
                self.history.append({"role": "user", "content": text})
                self.save()
            if kind == "aborted":
                await self.abort()
            await self.step(kind)

    async def step(self, kind: str) -> None:
        """Has an answer, and the results of its tools if it calls any."""
        answer = await self.call(stream=kind == "stream")
        self.history += answer
        results = _results(answer)
        self.history += results
        if not results:
            self.turn += 1
        self.save()

    async def abort(self) -> None:
        """Leaves a stream after its first events."""
        with suppress(anthropic.APIError, openai.APIError, httpx2.HTTPError):
            stream = await self.request(stream=True)
            if hasattr(stream, "__aiter__"):
                await anext(aiter(stream))
                await stream.close()
            else:
                next(iter(stream))
                stream.close()

    async def request(self, *, stream: bool) -> Any:
        """Sends the history."""
        if self.wire == "anthropic":
            thinking = {"type": "adaptive"}
            answer = self.client.messages.create(
                model="claude-fable-5-1",
                max_tokens=500,
                messages=self.history,
                tools=[TOOL],
                thinking=thinking,
                cache_control={"type": "ephemeral"},
                stream=stream,
            )
        elif self.wire == "chat":
            answer = self.client.chat.completions.create(
                model="gpt-5.6", messages=self.history, tools=[CHAT_TOOL], stream=stream
            )
        else:
            answer = self.client.responses.create(
                model="gpt-5.6",
                input=self.history,
                tools=[ITEM_TOOL],
                store=False,
                include=["reasoning.encrypted_content"],
                stream=stream,
            )
        return await answer if asyncio.iscoroutine(answer) else answer

    async def call(self, *, stream: bool) -> list[Json]:
        """Returns the answer as messages of the history."""
        answer = await self.request(stream=stream)
        if stream:
            events = [event async for event in answer] if hasattr(answer, "__aiter__") else list(answer)
            return _streamed(self.wire, events)
        value = answer.to_dict()
        if self.wire == "anthropic":
            return [{"role": "assistant", "content": value["content"]}]
        if self.wire == "chat":
            return [_chat_message(value["choices"][0]["message"])]
        return list(value["output"])


def _chat_message(message: Json) -> Json:
    kept = {name: message.get(name) for name in ("role", "content", "tool_calls")}
    return {name: inner for name, inner in kept.items() if inner is not None or name == "content"}


def _streamed(wire: str, events: list[Any]) -> list[Json]:
    if wire == "responses":
        return list(events[-1].response.to_dict()["output"])
    if wire == "chat":
        return [{"role": "assistant", "content": "".join(each.choices[0].delta.content or "" for each in events)}]
    blocks: list[Json] = []
    for event in events:
        if event.type == "content_block_start":
            blocks.append(event.content_block.to_dict())
        elif event.type == "content_block_delta":
            for name in ("text", "thinking", "signature"):
                blocks[-1][name] = blocks[-1].get(name, "") + (getattr(event.delta, name, None) or "")
    names = {"text": ("type", "text"), "thinking": ("type", "thinking", "signature")}
    return [{"role": "assistant", "content": [{name: each[name] for name in names[each["type"]]} for each in blocks]}]


def _is_open(history: list[Json]) -> bool:
    """True if the model is to answer."""
    last = history[-1]
    return last.get("role") in ("user", "tool") or last.get("type") == "function_call_output"


def _results(answer: list[Json]) -> list[Json]:
    """Messages with the results of the tools that an answer calls."""
    found: list[Json] = []
    for message in answer:
        if message.get("type") == "function_call":
            found.append({"type": "function_call_output", "call_id": message["call_id"], "output": "It is there."})
        for call in message.get("tool_calls") or ():
            found.append({"role": "tool", "tool_call_id": call["id"], "content": "It is there."})
        content = message.get("content")
        called = [each for each in content if each["type"] == "tool_use"] if isinstance(content, list) else []
        if called:
            results = [{"type": "tool_result", "tool_use_id": each["id"], "content": "It is there."} for each in called]
            found.append({"role": "user", "content": results})
    return found


def main() -> None:
    """Runs a task, given as JSON. The delays of its requests are written to a file beside its history."""
    task = Task(**json.loads(sys.argv[1]))
    agent = Agent(task)
    asyncio.run(agent.run())
    if task.service and not flush(agent.client, 120):
        sys.exit("turns were not stored")


if __name__ == "__main__":
    main()
