"""Capability of agents: the context precedes the prompt, and each turn is remembered once."""

import asyncio
import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturn,
    UserPromptPart,
)
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from support.images import encoded, picture

from foxing.integrations.client import ServiceOptions, Target
from foxing.integrations.pydantic_ai import FoxingCapability
from foxing.memory import ImagePart, InvalidInput, Memory
from tests.upstream import Upstream

from ..client.lossy import lossy_server
from ..conftest import Service


class Scripted:
    """A model that answers in order and records what it was sent. An exception among the answers is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[list[ModelMessage]] = []
        self.model = FunctionModel(self._answer)

    def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.sent.append(messages)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ModelResponse(parts=[TextPart(answer) if isinstance(answer, str) else answer])


@pytest.fixture
def connected(target: Target, bank: str) -> Iterator[Callable[..., FoxingCapability]]:
    """Makes capabilities of the bank, and closes them."""
    made: list[FoxingCapability] = []

    def make(**fields: Any) -> FoxingCapability:
        made.append(FoxingCapability.connect(target, bank, **fields))
        return made[-1]

    yield make
    for each in made:
        each.close()


def use(agent: Agent[None, str], *prompts: Any, conversation: str = "chat") -> list[ModelMessage]:
    """Runs a turn for each prompt, and returns the history."""

    async def run() -> list[ModelMessage]:
        history: list[ModelMessage] = []
        try:
            for prompt in prompts:
                result = await agent.run(prompt, message_history=history, conversation_id=conversation)
                history = result.all_messages()
            return history
        finally:
            for each in agent.root_capability.capabilities:
                if isinstance(each, FoxingCapability):
                    await each.aclose()

    return asyncio.run(run())


def stored(capability: FoxingCapability) -> list[tuple[str, str | None, str]]:
    """Role, thread and text of what is remembered, in order."""
    bank = capability.connection.bank
    spans = capability.connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    return [(span.role, span.thread, span.text) for span in spans]


def remember(capability: FoxingCapability, *texts: str) -> None:
    bank = capability.connection.bank
    facts = [{"role": "user", "content": text, "thread": "plans"} for text in texts]
    capability.connection.run(lambda memory: memory.store(bank, facts))


def prompt_of(messages: Sequence[ModelMessage]) -> UserPromptPart:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    return [part for part in parts if isinstance(part, UserPromptPart)][-1]


def opening_hours(museum: str) -> str:
    """Returns the opening hours of a museum."""
    return f"The {museum} is open from 10 to 17."


def test_the_context_precedes_the_prompt_in_the_user_part(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    remember(memory, "We ship Titan on 14 March.")
    script = Scripted(ToolCallPart("opening_hours", {"museum": "Munch Museum"}), "On 14 March.")
    agent = Agent(script.model, instructions="Be brief.", capabilities=[memory], tools=[opening_hours])
    history = use(agent, "When do we ship Titan?")
    assert len(script.sent) == 2
    for sent in script.sent:  # both requests of the turn send the same bytes, which a cache holds
        content = prompt_of(sent).content
        assert isinstance(content, list)
        assert "<remembered>" in str(content[0])
        assert "We ship Titan on 14 March." in str(content[0])
        assert content[-1] == "When do we ship Titan?"
        assert content == prompt_of(script.sent[0]).content
        assert sent[0].instructions == "Be brief."  # type: ignore[union-attr]
    assert prompt_of(history).content == "When do we ship Titan?"
    assert "<remembered>" not in str(history)
    assert [(role, thread) for role, thread, _ in stored(memory)] == [
        ("user", "plans"),
        ("user", "chat"),
        ("assistant", "chat"),
        ("tool", "chat"),
        ("assistant", "chat"),
    ]
    assert "<remembered>" not in str(stored(memory))


def test_nothing_precedes_a_prompt_of_which_nothing_is_remembered(connected: Callable[..., FoxingCapability]) -> None:
    script = Scripted("Hello.", "No idea.")
    use(Agent(script.model, capabilities=[connected()]), "hello")
    assert prompt_of(script.sent[0]).content == "hello"
    with pytest.raises(InvalidInput):
        connected(min_relevance=2)


def test_each_turn_is_remembered_once(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    script = Scripted(*(f"answer {number}" for number in range(3)))
    use(Agent(script.model, capabilities=[memory]), *(f"question {number}" for number in range(3)))
    turns = [("user", "question"), ("assistant", "answer")]
    assert stored(memory) == [(role, "chat", f"{what} {number}") for number in range(3) for role, what in turns]


def test_a_prompt_with_other_content_and_without_text(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    script = Scripted("one", "two")
    use(Agent(script.model, capabilities=[memory]), ["first", "second line"], [])
    assert [text for _, _, text in stored(memory)] == ["first\nsecond line", "one", "two"]


def test_options(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected(remember=False, budget=0, thread="own")
    script = Scripted("one")
    remember(memory, "We ship Titan on 14 March.")
    use(Agent(script.model, capabilities=[memory]), "When do we ship Titan?")
    assert prompt_of(script.sent[0]).content == "When do we ship Titan?"
    assert len(stored(memory)) == 1
    own = connected(thread="own")
    use(Agent(Scripted("two").model, capabilities=[own]), "hello")
    assert [thread for _, thread, _ in stored(own)] == ["plans", "own", "own"]
    with pytest.raises(InvalidInput, match="give the capability a `thread`"):
        use(Agent(Scripted("three").model, capabilities=[connected()]), "hello", conversation="x" * 201)


@pytest.mark.slow
def test_page_images_for_a_reader_that_sees_them(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected(reader="claude", budget=8_000)
    bank = memory.connection.bank
    remember(
        memory,
        *(f"Step {number} of the Titan plan needs {number + 3} people in hall {number}." for number in range(300)),
    )
    memory.connection.run(lambda memory: memory.seal(bank))
    script = Scripted("Hm.")
    use(Agent(script.model, capabilities=[memory]), "What does the Titan plan need in each hall?")
    content = prompt_of(script.sent[0]).content
    assert not isinstance(content, str)
    images = [item for item in content if not isinstance(item, str)]
    assert images
    for image in images:
        assert image.media_type == "image/png"  # type: ignore[union-attr]
        assert image.data.startswith(b"\x89PNG")  # type: ignore[union-attr]
    assert content[-1] == "What does the Titan plan need in each hall?"


def test_many_runs_at_once_have_their_own_context(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    remember(memory, *(f"Ship number {number} sails to harbour {number * 7}." for number in range(8)))
    script = Scripted(*["Yes."] * 8)
    agent = Agent(script.model, capabilities=[memory])

    async def run() -> None:
        asked = [f"Where does ship number {number} sail to?" for number in range(8)]
        await asyncio.gather(*(agent.run(question, conversation_id=question) for question in asked))
        await memory.aclose()

    asyncio.run(run())
    for sent in script.sent:
        content = prompt_of(sent).content
        assert isinstance(content, list)
        number = str(content[-1]).split()[4]
        assert f"harbour {int(number) * 7}." in str(content[0])
    assert len(stored(memory)) == 8 + 16


def test_a_run_that_fails_is_not_remembered_and_the_next_is(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    agent = Agent(Scripted(ValueError("overloaded"), "one").model, capabilities=[memory])
    with pytest.raises(ValueError, match="overloaded"):
        use(agent, "first")
    use(agent, "again")
    assert [text for _, _, text in stored(memory)] == ["again", "one"]


def test_turns_are_kept_while_the_service_fails(service: Service, bank: str) -> None:
    with lossy_server(service.url) as lossy:
        memory = FoxingCapability.connect(ServiceOptions(lossy.url, retry_for_s=0.05), bank, budget=0)
        agent = Agent(TestModel(custom_output_text="one"), capabilities=[memory])

        async def run() -> None:
            lossy.lose = 1_000
            assert (await agent.run("first")).output == "one"
            assert (await agent.run("second")).output == "one"
            assert memory.pending == 4
            lossy.lose = 0
            await agent.run("third")
            assert memory.pending == 0
            await memory.aclose()

        asyncio.run(run())
    spans = service.memory.recall(bank).spans
    assert [span.text for span in spans] == ["first", "one", "second", "one", "third", "one"]


def test_a_stream_is_remembered(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected()
    agent = Agent(TestModel(custom_output_text="one two"), capabilities=[memory])

    async def run() -> None:
        async with agent.run_stream("hello", conversation_id="chat") as stream:
            assert await stream.get_output() == "one two"
        await memory.aclose()

    asyncio.run(run())
    assert stored(memory) == [("user", "chat", "hello"), ("assistant", "chat", "one two")]


def test_the_strict_upstream_accepts_the_requests(shared_memory: Memory, bank: str) -> None:
    shared_memory.store(bank, [{"role": "user", "content": "We ship Titan on 14 March."}], thread="plans")

    async def run(upstream: Upstream) -> None:
        claude = AsyncAnthropic(base_url=upstream.url, api_key="key", max_retries=0)
        gpt = AsyncOpenAI(base_url=upstream.openai_url, api_key="key", max_retries=0)
        async with claude, gpt, FoxingCapability.connect(shared_memory, bank) as memory:
            for model in (
                AnthropicModel("claude-fable-5-1", provider=AnthropicProvider(anthropic_client=claude)),
                OpenAIChatModel("gpt-5.1", provider=OpenAIProvider(openai_client=gpt)),
            ):
                agent = Agent(model, capabilities=[memory], tools=[opening_hours])
                upstream.answer("On 14 March.")
                upstream.answer("Yes.")
                first = await agent.run("When do we ship Titan?")
                second = await agent.run("Are you sure of Titan?", message_history=first.all_messages())
                assert "<remembered>" not in str(second.all_messages())
                for exchange, question in zip(upstream.exchanges[-2:], (first, second), strict=True):
                    body = exchange.body.decode()
                    assert exchange.status == 200
                    assert body.index("We ship Titan on 14 March.") < body.rindex(
                        str(prompt_of(question.new_messages()).content)
                    )

    with Upstream() as upstream:
        asyncio.run(run(upstream))
        assert len(upstream.exchanges) == 4


def photograph(place: str) -> ToolReturn[str]:
    """Takes a photograph of a place."""
    photo = BinaryContent(encoded("PNG", picture(80, 60, seed=1)), media_type="image/png")
    return ToolReturn(return_value=f"The photograph of {place}", content=[photo])


def test_images_are_remembered_and_come_back(connected: Callable[..., FoxingCapability]) -> None:
    memory = connected(reader="claude", budget=8_000)
    plan = BinaryContent(encoded(), media_type="image/png")
    script = Scripted(ToolCallPart("photograph", {"place": "pier"}), "Seen.", "At pier 4.")
    agent = Agent(script.model, capabilities=[memory], tools=[photograph])
    use(agent, ["The plan of the harbour", plan, ImageUrl("https://example.org/harbour.png")])
    bank = memory.connection.bank
    spans = memory.connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    images = [part for span in spans for part in span.parts or () if isinstance(part, ImagePart)]
    assert {base64.b64decode(image.data) for image in images if image.data} >= {plan.data}
    assert "https://example.org/harbour.png" in {image.url for image in images}
    assert len([image for image in images if image.data]) == 2  # that of the tool too

    use(agent, "Where is the crane on the plan of the harbour?", conversation="another")
    content = prompt_of(script.sent[-1]).content
    assert plan.data in [item.data for item in content if isinstance(item, BinaryContent)]
