"""Middleware of agents: the context precedes the question, and each turn is remembered once."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain.agents")

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import Field

from foxing.integrations.client import ServiceOptions, Target
from foxing.integrations.langchain.middleware import FoxingMiddleware
from foxing.memory import InvalidInput, Memory

from ..client.lossy import lossy_server
from ..conftest import Service

Answer = Callable[[Sequence[BaseMessage]], AIMessage]


class Scripted(BaseChatModel):
    """Answers in order, and records what it was sent. An exception among the answers is raised."""

    answers: list[Any]
    sent: list[list[BaseMessage]] = Field(default_factory=list)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.sent.append(messages)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> "Scripted":
        return self

    @property
    def _llm_type(self) -> str:
        return "scripted"


@tool
def opening_hours(museum: str) -> str:
    """Returns the opening hours of a museum."""
    return f"The {museum} is open from 10 to 17."


@pytest.fixture
def middleware(target: Target, bank: str) -> Iterator[FoxingMiddleware]:
    with FoxingMiddleware.connect(target, bank) as middleware:
        yield middleware


def agent_of(model: Scripted, middleware: FoxingMiddleware, **fields: Any) -> Any:
    return create_agent(model, [opening_hours], middleware=[middleware], **fields)


def stored(middleware: FoxingMiddleware) -> list[tuple[str, str | None, str]]:
    """Role, thread and text of what is remembered, in order."""
    bank = middleware.connection.bank
    spans = middleware.connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    return [(span.role, span.thread, span.text) for span in spans]


def on(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def test_the_context_precedes_the_question_in_the_user_message(middleware: FoxingMiddleware) -> None:
    bank = middleware.connection.bank
    facts = [{"role": "user", "content": "We ship Titan on 14 March.", "thread": "plans"}]
    middleware.connection.run(lambda memory: memory.store(bank, facts))
    call = {"name": "opening_hours", "args": {"museum": "Munch Museum"}, "id": "call-1"}
    model = Scripted(answers=[AIMessage("", tool_calls=[call]), AIMessage("On 14 March.")])
    agent = agent_of(model, middleware, system_prompt="Be brief.", checkpointer=InMemorySaver())
    result = agent.invoke({"messages": [HumanMessage("When do we ship Titan?")]}, on("chat"))
    for sent in model.sent:  # both calls of the turn send the same bytes, which a cache holds
        assert isinstance(sent[0], SystemMessage)
        assert sent[0].content == "Be brief."
        blocks = sent[1].content
        assert isinstance(blocks, list)
        assert "<remembered>" in str(blocks[0])
        assert "We ship Titan on 14 March." in str(blocks[0])
        assert blocks[-1] == {"type": "text", "text": "When do we ship Titan?"}
        assert blocks == model.sent[0][1].content
    assert result["messages"][0].content == "When do we ship Titan?"
    assert set(result) == {"messages"}
    assert [(role, thread) for role, thread, _ in stored(middleware)] == [
        ("user", "plans"),
        ("user", "chat"),
        ("assistant", "chat"),
        ("tool", "chat"),
        ("assistant", "chat"),
    ]
    assert "<remembered>" not in str(stored(middleware))


def test_nothing_precedes_a_question_of_which_nothing_is_remembered(middleware: FoxingMiddleware) -> None:
    model = Scripted(answers=[AIMessage("Hello."), AIMessage("No idea.")])
    agent = agent_of(model, middleware)
    agent.invoke({"messages": [HumanMessage("hello")]})
    assert model.sent[0][-1].content == "hello"
    with pytest.raises(InvalidInput):
        FoxingMiddleware(middleware.connection, min_relevance=2)


def test_each_turn_is_remembered_once(middleware: FoxingMiddleware) -> None:
    model = Scripted(answers=[AIMessage(f"answer {number}") for number in range(3)])
    agent = agent_of(model, middleware, checkpointer=InMemorySaver())
    for number in range(3):
        agent.invoke({"messages": [HumanMessage(f"question {number}")]}, on("chat"))
    turns = [("user", "question"), ("assistant", "answer")]
    expected = [(role, "chat", f"{what} {number}") for number in range(3) for role, what in turns]
    assert stored(middleware) == expected


def test_a_turn_that_failed_comes_with_the_next(middleware: FoxingMiddleware) -> None:
    model = Scripted(answers=[AIMessage("one"), ValueError("overloaded"), AIMessage("two")])
    agent = agent_of(model, middleware, checkpointer=InMemorySaver())
    agent.invoke({"messages": [HumanMessage("first")]}, on("chat"))
    with pytest.raises(ValueError, match="overloaded"):
        agent.invoke({"messages": [HumanMessage("second")]}, on("chat"))
    agent.invoke({"messages": [HumanMessage("again")]}, on("chat"))
    assert [text for _, _, text in stored(middleware)] == ["first", "one", "second", "again", "two"]


def test_turns_are_kept_while_the_service_fails(service: Service, bank: str) -> None:
    with lossy_server(service.url) as lossy:
        options = ServiceOptions(lossy.url, retry_for_s=0.05)
        with FoxingMiddleware.connect(options, bank, budget=0) as middleware:
            model = Scripted(answers=[AIMessage("one"), AIMessage("two")])
            agent = agent_of(model, middleware, checkpointer=InMemorySaver())
            lossy.lose = 1_000
            agent.invoke({"messages": [HumanMessage("first")]}, on("chat"))
            assert middleware.pending == 2
            lossy.lose = 0
            agent.invoke({"messages": [HumanMessage("second")]}, on("chat"))
            assert middleware.pending == 0
    assert [span.text for span in service.memory.recall(bank).spans] == ["first", "one", "second", "two"]


def test_callers_that_pass_the_whole_conversation_each_time(middleware: FoxingMiddleware) -> None:
    model = Scripted(answers=[AIMessage("one"), AIMessage("two")])
    agent = agent_of(model, middleware)
    agent.invoke({"messages": [("user", "first")]})
    agent.invoke({"messages": [("user", "first"), ("assistant", "one"), ("user", "second")]})
    assert [text for _, _, text in stored(middleware)] == ["first", "one", "second", "two"]


def test_a_conversation_whose_messages_were_removed_goes_on(middleware: FoxingMiddleware) -> None:
    model = Scripted(answers=[AIMessage("one"), AIMessage("two")])
    agent = agent_of(model, middleware, checkpointer=InMemorySaver())
    state = agent.invoke({"messages": [HumanMessage("first")]}, on("chat"))
    agent.update_state(on("chat"), {"messages": [RemoveMessage(message.id) for message in state["messages"]]})
    agent.invoke({"messages": [HumanMessage("second")]}, on("chat"))
    assert [text for _, _, text in stored(middleware)] == ["first", "one", "second", "two"]


async def converse(target: Target, bank: str) -> list[BaseMessage]:
    model = Scripted(answers=[AIMessage("Noted."), AIMessage("On 14 March.")])
    async with FoxingMiddleware.connect(target, bank, thread="fixed") as middleware:
        agent = agent_of(model, middleware)
        await agent.ainvoke({"messages": [HumanMessage("We ship Titan on 14 March.")]})
        await agent.ainvoke({"messages": [HumanMessage("When do we ship Titan?")]})
    return model.sent[1]


def test_an_agent_on_an_event_loop(target: Target, bank: str) -> None:
    sent = asyncio.run(converse(target, bank))
    assert "We ship Titan on 14 March." in str(sent[-1].content[0])
    assert "On 14 March." not in str(sent[-1].content[-1])


def test_an_agent_that_only_reads(target: Target, bank: str) -> None:
    model = Scripted(answers=[AIMessage("one")])
    with FoxingMiddleware.connect(target, bank, remember=False) as middleware:
        agent_of(model, middleware).invoke({"messages": [HumanMessage("first")]})
        assert stored(middleware) == []


def test_a_thread_id_that_cannot_name_a_thread_is_refused(middleware: FoxingMiddleware) -> None:
    agent = agent_of(Scripted(answers=[AIMessage("one")]), middleware, checkpointer=InMemorySaver())
    with pytest.raises(InvalidInput, match="thread_id"):
        agent.invoke({"messages": [HumanMessage("first")]}, on("x" * 300))


def test_a_reader_that_sees_images_gets_blocks_that_langchain_knows(tmp_path: Path) -> None:
    model = Scripted(answers=[AIMessage("one")])
    with (
        Memory(tmp_path / "foxing.db") as memory,
        FoxingMiddleware.connect(memory, "ana", reader="claude") as middleware,
    ):
        memory.store("ana", [{"role": "user", "content": "We ship Titan on 14 March."}])
        agent_of(model, middleware).invoke({"messages": [HumanMessage("When do we ship Titan?")]})
    kinds = {block["type"] for block in model.sent[0][-1].content if isinstance(block, dict)}
    assert kinds <= {"text", "image_url"}
    assert "text" in kinds
