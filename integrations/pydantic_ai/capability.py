"""Capability of agents: what is remembered of a prompt precedes it, and each turn is remembered."""

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, Unpack

from pydantic_ai import AgentRunResult, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import BinaryContent, ModelMessage, ModelRequest, UserContent, UserPromptPart
from pydantic_ai.models import ModelRequestContext

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run_async
from foxing.integrations.outbox.adapter import OutboxClosing
from foxing.integrations.turns.agents import AgentFields, AgentMemory
from foxing.memory import Fields

from .entries import prompt_text, provider_messages
from .toolset import FoxingToolset


class CapabilityFields(AgentFields, total=False):
    """Options of a `FoxingCapability` as keyword arguments."""

    tools: bool


class FoxingCapability(OutboxClosing, AbstractCapability[Any]):
    """Lets an agent remember: in a request to the model, the prompt of the run begins with what is remembered of it,
    and after the run its messages are stored in the bank, once.

        memory = FoxingCapability.connect("http://127.0.0.1:8765", bank="agent-7")
        agent = Agent(model, capabilities=[memory])

    The context is part of the requests only, not of the message history. Reading raises `FoxingError`. Messages that
    cannot be stored because the service fails wait in a file, and are stored before the next ones.
    """

    def __init__(self, connection: Connection, *, tools: bool = False, **fields: Unpack[AgentFields]) -> None:
        """`budget`: maximum number of tokens of the context, as the `reader` bills them; a reader that sees images gets
        page images where they show more; 0 for no context. `thread`: thread of the remembered messages, by default the
        id of the conversation. `min_relevance`: minimum relevance of the most relevant match, 0 to 1; below it, nothing
        is recalled. `remember`: whether to store turns. `tools`: whether the agent also has the tools of a
        `FoxingToolset`. Raises `InvalidInput`."""
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._memory = AgentMemory(connection, "blocks", **fields)
        self._outbox = self._memory.outbox
        self._toolset = FoxingToolset(connection, thread=fields.get("thread")) if tools else None
        #: The prompt of the run, and what precedes it.
        self._asked: UserPromptPart | None = None
        self._context: list[UserContent] | None = None

    @classmethod
    def connect(
        cls, target: Target, bank: str, *, api_key: str | None = None, **fields: Unpack[CapabilityFields]
    ) -> Self:
        """Returns a capability for a bank of `target`: the URL of a service, the URL or path of a database, or a
        `Memory`. Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or
        option."""
        return cls(connect(target, bank, api_key=api_key), **fields)

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """Returns None: a connection is not part of an agent's specification."""
        return None

    def get_toolset(self) -> FoxingToolset | None:
        """Returns the toolset, if the agent has one."""
        return self._toolset

    async def for_run(self, ctx: RunContext[object]) -> Self:
        """Returns a capability with the state of one run."""
        own = copy.copy(self)
        own._asked = own._context = None
        return own

    async def before_model_request(
        self, ctx: RunContext[object], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Puts the context before the prompt of the run, the same in all requests of a run."""
        messages = request_context.messages
        if self._context is None:
            self._asked = _prompt(messages)
            question = "" if self._asked is None else prompt_text(self._asked.content)
            history = [fields for message in messages for fields in _given(message)]
            steps = self._memory.context(question, history, self._thread_name(ctx))
            self._context = list(map(_content, await run_async(self.connection, steps)))
        if self._context and self._asked is not None:
            request_context.messages = _with_context(messages, self._asked, self._context)
        return request_context

    async def after_run(self, ctx: RunContext[object], *, result: AgentRunResult[object]) -> AgentRunResult[object]:
        """Remembers the messages of the run. Repeating it stores nothing twice."""
        messages = [provider_messages(message) for message in result.all_messages()]
        first = sum(map(len, messages[: len(messages) - len(result.new_messages())]))
        # without the name of a thread, nothing but the ids of runs tells conversations apart
        thread = self._thread_name(ctx)
        session = thread or f"pydantic-ai:{ctx.run_id}"
        history = [item for items in messages for item in items]
        await run_async(self.connection, self._memory.store(history, first, thread, session))
        return result

    def _thread_name(self, ctx: RunContext[object]) -> str | None:
        return self._memory.thread_name(lambda: ctx.conversation_id, "conversation_id", "capability")


def _prompt(messages: Sequence[ModelMessage]) -> UserPromptPart | None:
    """Returns the last user prompt."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            for part in reversed(message.parts):
                if isinstance(part, UserPromptPart):
                    return part
    return None


def _with_context(
    messages: Sequence[ModelMessage], prompt: UserPromptPart, context: Sequence[UserContent]
) -> list[ModelMessage]:
    """Returns the messages of a request with the context before the content of the prompt `prompt`."""
    own: Sequence[UserContent] = [prompt.content] if isinstance(prompt.content, str) else prompt.content
    extended = replace(prompt, content=[*context, *own])
    result = list(messages)
    for number in reversed(range(len(result))):
        message = result[number]
        if isinstance(message, ModelRequest) and prompt in message.parts:
            result[number] = replace(message, parts=[extended if part == prompt else part for part in message.parts])
            break
    return result


def _given(message: ModelMessage) -> list[Fields]:
    """Returns what a request holds already, for the search of what it does not hold."""
    if isinstance(message, ModelRequest):
        prompts = [part for part in message.parts if isinstance(part, UserPromptPart)]
        return [{"role": "user", "content": prompt_text(part.content)} for part in prompts]
    return [{"role": "assistant", "content": message.text}] if message.text else []


def _content(block: Mapping[str, object]) -> UserContent:
    if block.get("type") == "image":
        return BinaryContent(base64.b64decode(str(block["data"])), media_type=str(block["media_type"]))
    return str(block.get("text", ""))
