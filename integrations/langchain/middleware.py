"""Middleware of `create_agent`: what is remembered of a question precedes it, and each turn is remembered."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NotRequired, Self, Unpack, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage
from langgraph.config import get_config
from langgraph.runtime import Runtime
from pydantic import JsonValue

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import CallSequence, run, run_async
from foxing.integrations.outbox.adapter import OutboxClosing
from foxing.integrations.turns.agents import AgentFields, AgentMemory

from .entries import provider_message, text_of

#: Content blocks of a user message.
Blocks = list[dict[str, JsonValue]]


class FoxingState(AgentState[Any]):
    """State of an agent with the middleware."""

    #: Context of the current turn.
    foxing_context: NotRequired[Annotated[Blocks, PrivateStateAttr]]
    #: Id of the first message of the current turn.
    foxing_turn: NotRequired[Annotated[str | None, PrivateStateAttr]]
    #: Id of the last message that is remembered.
    foxing_remembered: NotRequired[Annotated[str | None, PrivateStateAttr]]


class FoxingMiddleware(OutboxClosing, AgentMiddleware[FoxingState, Any, Any]):
    """Lets an agent of `create_agent` remember: before the model, the user message that it answers begins with what is
    remembered of it, and after the turn its messages are stored in the bank, once.

        memory = FoxingMiddleware.connect("http://127.0.0.1:8765", bank="agent-7")
        agent = create_agent(model, tools, middleware=[memory])

    The context is part of the request only, not of the agent's state. Reading raises `FoxingError`. Messages that
    cannot be stored because the service fails wait in a file, and are stored before the next ones.
    """

    state_schema = FoxingState

    def __init__(self, connection: Connection, **fields: Unpack[AgentFields]) -> None:
        """`budget`: maximum number of tokens of the context, as the `reader` bills them; a reader that sees images gets
        page images where they show more. `thread`: thread of the remembered messages, by default that of the agent's
        checkpointer. `min_relevance`: minimum relevance of the most relevant match, 0 to 1; below it, nothing is
        recalled. `remember`: whether to store turns."""
        super().__init__()
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._memory = AgentMemory(connection, "openai", **fields)
        self._outbox = self._memory.outbox

    @classmethod
    def connect(cls, target: Target, bank: str, *, api_key: str | None = None, **fields: Unpack[AgentFields]) -> Self:
        """Returns a middleware for a bank of `target`: the URL of a service, the URL or path of a database, or a
        `Memory`. Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or
        option."""
        return cls(connect(target, bank, api_key=api_key), **fields)

    def before_agent(self, state: FoxingState, runtime: Runtime[None]) -> dict[str, object] | None:
        """Finds the context of the turn that begins."""
        return run(self.connection, self._begin(state))

    async def abefore_agent(self, state: FoxingState, runtime: Runtime[None]) -> dict[str, object] | None:
        """Finds the context without blocking the event loop; see `before_agent`."""
        return await run_async(self.connection, self._begin(state))

    def wrap_model_call(
        self, request: ModelRequest[None], handler: Callable[[ModelRequest[None]], ModelResponse[object]]
    ) -> ModelResponse[object]:
        """Calls the model with the context in the user message of the turn."""
        return handler(_with_context(request))

    async def awrap_model_call(
        self, request: ModelRequest[None], handler: Callable[[ModelRequest[None]], Awaitable[ModelResponse[object]]]
    ) -> ModelResponse[object]:
        """Calls the model with the context; see `wrap_model_call`."""
        return await handler(_with_context(request))

    def after_agent(self, state: FoxingState, runtime: Runtime[None]) -> dict[str, object] | None:
        """Remembers the messages of the turn. Repeating it stores nothing twice."""
        return run(self.connection, self._end(state))

    async def aafter_agent(self, state: FoxingState, runtime: Runtime[None]) -> dict[str, object] | None:
        """Remembers the turn without blocking the event loop; see `after_agent`."""
        return await run_async(self.connection, self._end(state))

    def _begin(self, state: FoxingState) -> CallSequence[dict[str, object]]:
        messages = state["messages"]
        begun = _turn(messages)
        question = text_of(messages[begun]) if begun < len(messages) else ""
        provider_messages = [_given(message) for message in messages]
        blocks = yield from self._memory.context(question, provider_messages, self._thread_name())
        first = messages[begun].id if begun < len(messages) else None
        return {"foxing_context": blocks, "foxing_turn": first}

    def _end(self, state: FoxingState) -> CallSequence[dict[str, object] | None]:
        messages = state["messages"]
        if not messages:
            return None
        thread = self._thread_name()
        # without the name of a thread, nothing but the ids of messages tells conversations apart
        session = thread or f"langchain:{messages[0].id}"
        provider_messages = list(map(provider_message, messages))
        yield from self._memory.store(provider_messages, _first_new(messages, state), thread, session)
        return {"foxing_remembered": messages[-1].id}

    def _thread_name(self) -> str | None:
        return self._memory.thread_name(
            lambda: get_config().get("configurable", {}).get("thread_id"), "thread_id", "middleware"
        )


def _turn(messages: Sequence[BaseMessage]) -> int:
    """Returns the index of the last user message; the number of messages if there is none."""
    users = [number for number, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return users[-1] if users else len(messages)


def _first_new(messages: Sequence[BaseMessage], state: FoxingState) -> int:
    """Returns the index of the first message that is not remembered: the one after the last that was, so that a turn
    which failed comes with the next; else the first of this turn."""
    places = {message.id: number for number, message in enumerate(messages) if message.id is not None}
    remembered = places.get(state.get("foxing_remembered") or "")
    if remembered is not None:
        return remembered + 1
    return places.get(state.get("foxing_turn") or "", _turn(messages))


def _with_context(request: ModelRequest[None]) -> ModelRequest[None]:
    """Returns the request with the context of the turn before the text of the user message that began it."""
    state = cast(FoxingState, request.state)
    blocks = state.get("foxing_context")
    turn = state.get("foxing_turn")
    if not blocks:
        return request
    messages = list(request.messages)
    for number, message in enumerate(messages):
        if isinstance(message, HumanMessage) and message.id == turn:
            own = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
            messages[number] = cast(AnyMessage, message.model_copy(update={"content": [*blocks, *own]}))
            return request.override(messages=messages)
    return request


def _given(message: BaseMessage) -> dict[str, JsonValue]:
    role = "user" if isinstance(message, HumanMessage) else "assistant"
    return {"role": role, "content": text_of(message)}
