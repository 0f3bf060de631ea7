"""The history: exact messages, many agents, lost answers, and bad input."""

import asyncio
import base64
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from support.images import encoded

from foxing.integrations.client import ServiceOptions, Target, TimedOut, Unreachable, connect
from foxing.integrations.langchain import FoxingChatMessageHistory
from foxing.memory import ImagePart, InvalidInput, Memory, ToolResult

from ..client.lossy import lossy_server
from ..conftest import Service, slow_over_http
from ..deletion import delete_bank

AGENTS = 100
CALL = {"name": "hours", "args": {"museum": "Munch", "days": [1, 2]}, "id": "c1", "type": "tool_call"}
MESSAGES: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage("When is the museum open?", name="mina", id="h1", additional_kwargs={"x": [1, None]}),
    AIMessage(
        "Let me see.", tool_calls=[CALL], usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    ),
    ToolMessage("from 10 to 17", tool_call_id="c1", name="hours", status="error", artifact={"raw": 1.5}),
    AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "From 10 to 17."}, "So far."]),
    HumanMessage([{"type": "image", "base64": "AAAA", "mime_type": "image/png"}]),
    HumanMessage([{"type": "from_the_future", "payload": {"ä": "☂"}}, {"type": "text", "text": "What is this?"}]),
    ChatMessage("I pass by.", role="visitor"),
    AIMessageChunk("piece", id="p"),
    RemoveMessage(id="h1"),
]


@pytest.fixture
def history(target: Target, bank: str) -> Iterator[FoxingChatMessageHistory]:
    with FoxingChatMessageHistory.connect(target, bank, "visit") as history:
        yield history


def test_messages_come_back_exactly(history: FoxingChatMessageHistory) -> None:
    assert isinstance(history, BaseChatMessageHistory)
    assert history.messages == []
    history.add_messages(MESSAGES[:3])
    history.add_messages([])
    history.add_messages(MESSAGES[3:])
    assert history.messages == MESSAGES
    history.clear()
    assert history.messages == []


def test_messages_are_added_asynchronously(target: Target, bank: str) -> None:
    async def use() -> None:
        async with FoxingChatMessageHistory.connect(target, bank, "chat") as history:
            await history.aadd_messages(MESSAGES)
            assert await history.aget_messages() == MESSAGES
            await history.aclear()
            assert await history.aget_messages() == []

    asyncio.run(use())


def test_messages_are_added_one_by_one(history: FoxingChatMessageHistory) -> None:
    history.add_user_message("hello")
    history.add_ai_message("hi")
    history.add_message(HumanMessage("bye"))
    assert str(history) == "Human: hello\nAI: hi\nHuman: bye"


def test_clearing_erases_what_was_said_unless_it_is_to_stay(target: Target, bank: str) -> None:
    kinds: tuple[tuple[Literal[True, "always"], int], ...] = ((True, 0), ("always", 1))
    for remember, left in kinds:
        with FoxingChatMessageHistory.connect(target, bank, "visit", remember=remember) as history:
            history.add_user_message("hello")
            history.clear()
            assert history.messages == []
            assert len(history.connection.run(lambda memory: memory.recall(bank)).spans) == left


def test_what_is_said_is_remembered_as_messages(history: FoxingChatMessageHistory) -> None:
    history.add_messages(MESSAGES)
    spans = history.connection.run(lambda memory: memory.recall(history.connection.bank)).spans
    assert [(span.role, span.name, span.thread) for span in spans] == [
        ("system", None, "visit"),
        ("user", "mina", "visit"),
        ("assistant", None, "visit"),
        ("tool", "hours", "visit"),
        ("assistant", None, "visit"),
        ("user", None, "visit"),
        ("user", None, "visit"),
        ("user", None, "visit"),
        ("assistant", None, "visit"),
    ]
    assert spans[5].text.startswith("[image, not remembered: ")
    assert spans[6].text == "[from_the_future]\nWhat is this?"
    text = {"type": "text", "text": "Let me see."}
    call = {"type": "tool_call", "id": "c1", "name": "hours", "arguments": {"museum": "Munch", "days": [1, 2]}}
    assert [part.model_dump() for part in spans[2].parts or []] == [text, call]
    assert spans[3].parts == [ToolResult(id="c1", content="from 10 to 17", is_error=True)]
    assert spans[4].text == "From 10 to 17.\nSo far."
    found = history.connection.run(lambda memory: memory.recall(history.connection.bank, "museum", limit=1)).spans
    assert found[0].text == "When is the museum open?"


async def agents_talk(target: Target, bank: str) -> list[list[BaseMessage]]:
    """Each agent has a history of its own and adds to one that all share; what each of the histories holds."""
    async with connect(target, bank) as connection:
        shared = FoxingChatMessageHistory(connection, "shared")

        async def agent(number: int) -> list[BaseMessage]:
            own = FoxingChatMessageHistory(connection, f"agent-{number}")
            await own.aadd_messages([HumanMessage(f"{number} asks"), AIMessage(f"{number} answers")])
            await shared.aadd_messages([HumanMessage("the same"), AIMessage(f"{number}")])
            return await own.aget_messages()

        return [*await asyncio.gather(*map(agent, range(AGENTS))), await shared.aget_messages()]


@pytest.mark.slow
@slow_over_http
def test_a_hundred_agents_at_once_lose_nothing_and_mix_nothing_up(target: Target, bank: str) -> None:
    *own, shared = asyncio.run(agents_talk(target, bank))
    assert own == [[HumanMessage(f"{number} asks"), AIMessage(f"{number} answers")] for number in range(AGENTS)]
    pairs = [(shared[place].content, shared[place + 1].content) for place in range(0, 2 * AGENTS, 2)]
    assert Counter(pairs) == {("the same", f"{number}"): 1 for number in range(AGENTS)}
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    own_texts = {(f"agent-{n}", f"{n} {verb}"): 1 for n in range(AGENTS) for verb in ("asks", "answers")}
    shared_texts = {("shared", f"{n}"): 1 for n in range(AGENTS)} | {("shared", "the same"): AGENTS}
    assert Counter((span.thread, span.text) for span in spans) == own_texts | shared_texts


def test_lost_answers_and_repeated_calls_store_nothing_twice(service: Service, bank: str) -> None:
    with lossy_server(service.url) as lossy:
        options = ServiceOptions(lossy.url, retry_for_s=0.05)
        with FoxingChatMessageHistory.connect(options, bank, "lossy") as history:
            lossy.lose = 20
            with pytest.raises(Unreachable):
                history.add_messages([HumanMessage("once")])
            lossy.lose = 0
            history.add_messages([HumanMessage("once")])
            assert history.messages == [HumanMessage("once")]
    assert [message.text for message in service.memory.recall(bank).spans] == ["once"]


class Postcard(BaseMessage):
    """A message that LangChain does not know."""

    type: str = "postcard"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("hello", "message 1 is of type str"),
        (Postcard(content="hello"), "langchain-core cannot parse this message"),
        (HumanMessage("x", additional_kwargs={"when": {1, 2}}), "additional_kwargs.when is of type set"),
        (ToolMessage("x", tool_call_id="c", artifact=object()), "artifact is of type object"),
        (HumanMessage("\ud800"), "surrogate"),
        (HumanMessage("x" * (1 << 20)), "split the record"),
    ],
)
def test_a_message_that_would_not_come_back_is_refused(
    history: FoxingChatMessageHistory, message: Any, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        history.add_messages([HumanMessage("fine"), message])
    assert history.messages == []


@pytest.mark.parametrize(
    "value",
    [
        {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain_core", "messages", "HumanMessage"],
            "kwargs": {"content": ""},
        },
        {"type": "ai", "data": {"content": "x", "tool_calls": [None]}},
        {"type": "ai", "data": {"content": "x", "additional_kwargs": [1]}},
        {"type": "human", "data": []},
        {"type": "human"},
        "hello",
    ],
)
def test_a_record_of_another_client_that_is_no_message(history: FoxingChatMessageHistory, value: Any) -> None:
    history.add_user_message("hello")
    [record] = history.connection.run(lambda memory: memory.records.search(history.connection.bank)).records
    write = {"op": "put", "namespace": record.namespace, "key": record.key, "value": value}
    history.connection.run(lambda memory: memory.records.write(history.connection.bank, [write]))
    with pytest.raises(InvalidInput, match="message"):
        _ = history.messages


def test_a_history_may_keep_its_messages_alone(target: Target, bank: str) -> None:
    with FoxingChatMessageHistory.connect(target, bank, "quiet", remember=False) as history:
        history.add_user_message("hello")
        assert history.connection.run(lambda memory: memory.recall(bank)).spans == []


def test_a_service_that_is_down_or_slow_is_an_error_that_says_so(bank: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options = ServiceOptions(url, timeout_s=0.1)
        with FoxingChatMessageHistory.connect(options, bank, "chat") as history, pytest.raises(TimedOut):
            history.add_user_message("hello")
    options = ServiceOptions(url, retry_for_s=0.1)
    with FoxingChatMessageHistory.connect(options, bank, "chat") as history:
        with pytest.raises(Unreachable, match="foxing serve"):
            _ = history.messages
        with pytest.raises(Unreachable):
            asyncio.run(history.aclear())


def test_a_bank_deleted_under_a_running_agent_has_an_empty_history(tmp_path: Path, bank: str) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        history = FoxingChatMessageHistory.connect(memory, bank, "chat")
        history.add_user_message("old")
        delete_bank(tmp_path / "foxing.db", bank)
        assert history.messages == []
        history.add_user_message("new")
        assert history.messages == [HumanMessage("new")]


@pytest.mark.parametrize("session_id", ["", "x" * 201, "a\nb"])
def test_an_invalid_session_id_is_refused_at_once(tmp_path: Path, session_id: str) -> None:
    with pytest.raises(InvalidInput, match="not a valid conversation id"):
        FoxingChatMessageHistory.connect(tmp_path / "agent.db", "ana", session_id)


@pytest.mark.parametrize("form", ["image_url", "base64", "source_type", "anthropic"])
def test_images_come_back_exactly_and_are_remembered(target: Target, bank: str, form: str) -> None:
    data = base64.b64encode(encoded()).decode()
    blocks: dict[str, dict[str, Any]] = {
        "image_url": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        "base64": {"type": "image", "base64": data, "mime_type": "image/png"},
        "source_type": {"type": "image", "source_type": "base64", "data": data, "mime_type": "image/png"},
        "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    }
    message = HumanMessage([{"type": "text", "text": "The Lisbon plan"}, blocks[form]])
    with FoxingChatMessageHistory.connect(target, bank, "visit") as history:
        history.add_messages([message])
        assert history.messages == [message]
    with connect(target, bank) as connection:
        [span] = connection.run(lambda memory: memory.recall(bank, "Lisbon")).spans
        assert [part.data for part in span.parts or [] if isinstance(part, ImagePart)] == [data]
