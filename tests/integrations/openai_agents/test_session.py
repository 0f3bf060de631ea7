"""What the SDK's own tests of its SQLite session check, by their names."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agents import Agent, Model, ModelResponse, RunConfig, Runner, Session, SessionSettings, TResponseInputItem, Usage
from agents.exceptions import UserError
from openai.types.responses import ResponseOutputMessage, ResponseOutputText
from support.images import encoded

from foxing.integrations.client import Target, connect
from foxing.integrations.openai_agents import FoxingSession
from foxing.memory import ImagePart, InvalidInput

Connect = Callable[..., FoxingSession]
HELLO: list[TResponseInputItem] = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi there!"},
    {"role": "user", "content": "How are you?"},
]


@pytest.fixture
def connected(target: Target, bank: str) -> Connect:
    def connected(session_id: str = "chat", **options: Any) -> FoxingSession:
        return FoxingSession.connect(target, bank, session_id, **options)

    return connected


def using(session: FoxingSession, steps: Callable[[FoxingSession], Awaitable[None]]) -> None:
    async def use() -> None:
        async with session:
            await steps(session)

    asyncio.run(use())


class EchoModel(Model):
    """Answers with the number of items that it was given and the last of them."""

    async def get_response(
        self, system_instructions: str | None, input: str | list[TResponseInputItem], *rest: object, **options: object
    ) -> ModelResponse:
        items: list[Any] = list(input) if not isinstance(input, str) else [{"content": input}]
        text = f"{len(items)}: {items[-1]['content']}"
        content = ResponseOutputText(type="output_text", text=text, annotations=[])
        message = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[content])
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *arguments: object, **options: object) -> Any:
        raise NotImplementedError


AGENT = Agent(name="test", model=EchoModel())
QUIET = RunConfig(tracing_disabled=True)


async def answer(said: str | list[TResponseInputItem], session: Session | None, config: RunConfig = QUIET) -> object:
    return (await Runner.run(AGENT, said, session=session, run_config=config)).final_output


def test_session_memory_basic_functionality(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        assert isinstance(session, Session)
        assert await answer("What city?", session) == "1: What city?"
        assert await answer("What state?", session) == "3: What state?"

    using(connected(), steps)


def test_session_memory_with_explicit_instance_and_run_sync(target: Target, bank: str) -> None:
    for number in (1, 3):
        session = FoxingSession.connect(target, bank, "sync")
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            result = Runner.run_sync(AGENT, "again", session=session, run_config=QUIET)
            loop.run_until_complete(session.aclose())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
        assert result.final_output == f"{number}: again"


def test_session_memory_different_sessions(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        async with connected("other") as other:
            await answer("I like cats", session)
            assert await answer("I like dogs", other) == "1: I like dogs"
            assert await answer("What do I like?", session) == "3: What do I like?"
            assert [item.get("content") for item in await other.get_items() if item.get("role") == "user"] == [
                "I like dogs"
            ]

    using(connected(), steps)


def test_session_memory_direct(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        assert await session.get_items() == []
        await session.add_items(HELLO[:2])
        await session.add_items([])
        await session.add_items(HELLO[2:])
        assert await session.get_items() == HELLO
        await session.clear_session()
        assert await session.get_items() == []
        await session.clear_session()

    using(connected(), steps)


def test_session_memory_pop_item(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        assert await session.pop_item() is None
        await session.add_items(HELLO)
        for left in (2, 1, 0):
            assert await session.pop_item() == HELLO[left]
            assert await session.get_items() == HELLO[:left]
        assert await session.pop_item() is None

    using(connected(), steps)


def test_session_memory_pop_different_sessions(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        async with connected("chat-2") as other:
            await session.add_items(HELLO[:1])
            await other.add_items(HELLO)
            assert await other.pop_item() == HELLO[2]
            assert await session.get_items() == HELLO[:1]
            await session.clear_session()
            assert await other.get_items() == HELLO[:2]

    using(connected(), steps)


def test_session_get_items_with_limit(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        await session.add_items(HELLO)
        assert await session.get_items(limit=2) == HELLO[1:]
        assert await session.get_items(limit=10) == HELLO
        assert await session.get_items(limit=0) == []
        with pytest.raises(InvalidInput, match="limit"):
            await session.get_items(limit=-1)
        session.session_settings = SessionSettings(limit=1)
        assert await session.get_items() == HELLO[2:]
        assert await session.get_items(limit=2) == HELLO[1:]

    using(connected(), steps)


def test_session_memory_rejects_both_session_and_list_input(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        def reject(history: list[Any], new: list[Any]) -> list[Any]:
            raise UserError("no lists")

        with pytest.raises(UserError):
            await answer(HELLO[:1], session, RunConfig(tracing_disabled=True, session_input_callback=reject))
        assert await session.get_items() == []

    using(connected(), steps)


def test_session_callback_prepared_input(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        def of_users(history: list[Any], new: list[Any]) -> list[Any]:
            return [item for item in history if item["role"] == "user"] + new

        await session.add_items(HELLO)
        config = RunConfig(tracing_disabled=True, session_input_callback=of_users)
        assert await answer([{"role": "user", "content": "Name?"}], session, config) == "3: Name?"
        assert len(await session.get_items()) == 5

    using(connected(), steps)


def test_session_unicode_content(connected: Connect) -> None:
    texts = ["こんにちは", "😊👍", "Привет", "a\0b\r\n", "'; DROP TABLE records; --", "{}", ""]
    items: list[TResponseInputItem] = [{"role": "user", "content": text} for text in texts]

    async def steps(session: FoxingSession) -> None:
        await session.add_items(items)
        assert await session.get_items() == items

    using(connected(), steps)


@pytest.mark.slow
def test_session_memory_concurrent_access(connected: Connect) -> None:
    async def steps(session: FoxingSession) -> None:
        pairs: list[list[TResponseInputItem]] = [
            [{"role": "user", "content": f"{number}"}, {"role": "assistant", "content": f"{number}"}]
            for number in range(10)
        ]
        await asyncio.gather(*(session.add_items(pair) for pair in pairs))
        held = await session.get_items()
        assert [[held[place], held[place + 1]] in pairs for place in range(0, 20, 2)] == [True] * 10
        assert len({str(item) for item in held}) == 20
        popped = await asyncio.gather(*(session.pop_item() for _ in range(25)))
        assert sorted(map(str, filter(None, popped))) == sorted(map(str, held))
        assert popped.count(None) == 5

    using(connected(), steps)


def test_what_is_said_is_remembered_as_messages(target: Target, bank: str) -> None:
    items: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "When is the museum open?"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "hours", "arguments": '{"museum": "Munch"}', "id": "f"},
        {"type": "function_call_output", "call_id": "c1", "output": "from 10 to 17"},
        {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
        | {"content": [{"type": "output_text", "text": "From 10 to 17.", "annotations": []}]},
        {"role": "user", "content": [{"type": "input_image", "detail": "auto", "image_url": "data:,x"}]},
        {"type": "from_the_future", "payload": {"x": [1, 2.0, None]}},
    ]

    async def steps(session: FoxingSession) -> None:
        await session.add_items(items)
        assert await session.get_items() == items
        await session.clear_session()

    using(FoxingSession.connect(target, bank, "visit", remember="always"), steps)
    with connect(target, bank) as connection:
        said = connection.run(lambda memory: memory.recall(bank)).spans
        assert (
            connection.run(lambda memory: memory.recall(bank, "museum", limit=1)).spans[0].text
            == "When is the museum open?"
        )
    assert [(message.role, message.thread) for message in said] == [
        (role, "visit") for role in ("user", "assistant", "tool", "assistant", "user", "assistant")
    ]
    assert said[4].text.startswith("[image, not remembered: ")
    assert said[5].text == "[from_the_future]"
    call = {"type": "tool_call", "id": "c1", "name": "hours", "arguments": '{"museum": "Munch"}'}
    assert [part.model_dump() for part in said[1].parts or []] == [call]
    assert "from 10 to 17" in said[2].text


def test_a_session_may_keep_its_items_alone(target: Target, bank: str) -> None:
    using(FoxingSession.connect(target, bank, "quiet", remember=False), lambda session: session.add_items(HELLO))
    with connect(target, bank) as connection:
        assert connection.run(lambda memory: memory.recall(bank)).spans == []


def test_what_is_removed_is_erased_and_other_sessions_are_not(target: Target, bank: str) -> None:
    async def steps(session: FoxingSession) -> None:
        await session.add_items(HELLO)
        assert await session.pop_item() == HELLO[-1]
        left = await session.connection.run_async(lambda memory: memory.recall(bank, thread="visit"))
        assert [span.text for span in left.spans] == ["Hello", "Hi there!"]
        await session.clear_session()

    using(FoxingSession.connect(target, bank, "other"), lambda session: session.add_items(HELLO[:1]))
    using(FoxingSession.connect(target, bank, "visit"), steps)
    with connect(target, bank) as connection:
        assert [span.thread for span in connection.run(lambda memory: memory.recall(bank)).spans] == ["other"]


def test_images_come_back_exactly_and_are_remembered(target: Target, bank: str, connected: Connect) -> None:
    url = f"data:image/png;base64,{base64.b64encode(encoded()).decode()}"
    content: Any = [{"type": "input_text", "text": "The Lisbon plan"}, {"type": "input_image", "image_url": url}]
    damaged: Any = [{"type": "input_text", "text": "Broken"}, {"type": "input_image", "image_url": url[:-200]}]
    items: list[TResponseInputItem] = [{"role": "user", "content": content}, {"role": "user", "content": damaged}]

    async def steps(session: FoxingSession) -> None:
        await session.add_items(items)
        assert await session.get_items() == items

    using(connected(), steps)
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank, "Lisbon")).spans
        [image] = [part for span in spans for part in span.parts or [] if isinstance(part, ImagePart)]
        assert image.data == url.partition(",")[2]
