"""Toolset: the model recalls, remembers and forgets."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from foxing.integrations.client import ServiceOptions, Target
from foxing.integrations.pydantic_ai import FoxingCapability, FoxingToolset
from foxing.memory import Memory

Call = tuple[str, dict[str, object]]


@pytest.fixture
def toolset(target: Target, bank: str) -> Iterator[FoxingToolset]:
    with FoxingToolset.connect(target, bank, thread="notes") as toolset:
        yield toolset


def call(toolset: FoxingToolset, *calls: Call) -> list[str]:
    """Lets a model call tools one after the other, and returns what each answered."""
    remaining = list(calls)
    answers: list[str] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert isinstance(messages[-1], ModelRequest)
        answers.extend(
            str(getattr(part, "content", "")) for part in messages[-1].parts if part.part_kind != "user-prompt"
        )
        if not remaining:
            return ModelResponse(parts=[TextPart("done")])
        name, arguments = remaining.pop(0)
        return ModelResponse(parts=[ToolCallPart(name, arguments)])

    async def run() -> None:
        await Agent(FunctionModel(answer), toolsets=[toolset]).run("go")
        await toolset.aclose()

    asyncio.run(run())
    return answers


def test_what_is_remembered_is_recalled_and_forgotten(toolset: FoxingToolset) -> None:
    nothing, first, found = call(
        toolset,
        ("recall", {"query": "When do we ship Titan?"}),
        ("remember", {"text": "We ship Titan on 14 March."}),
        ("recall", {"query": "When do we ship Titan?"}),
    )
    assert nothing == "Nothing relevant is remembered."
    assert first.startswith("Remembered as ")
    assert found.startswith("[")
    assert found.endswith("assistant: We ship Titan on 14 March.")
    reference = found[1 : found.index("]")]
    (replaced,) = call(toolset, ("remember", {"text": "We ship Titan on 2 April.", "replaces": reference}))
    assert replaced.startswith("Remembered as ")
    both, erased, left = call(
        toolset,
        ("recall", {"query": "When do we ship Titan?", "since": "yesterday"}),
        ("forget", {"reference": f"[{reference}]"}),
        ("recall", {"query": "When do we ship Titan?"}),
    )
    assert both.count("We ship Titan on") == 2
    assert erased == f"Message [{reference}] was permanently erased."
    assert "14 March" not in left
    assert "2 April" in left
    bank = toolset.connection.bank
    assert [span.thread for span in toolset.connection.run(lambda memory: memory.recall(bank)).spans] == ["notes"]


def test_what_the_bank_refuses_is_a_retry_of_the_model(toolset: FoxingToolset) -> None:
    call(toolset, ("remember", {"text": "We ship Titan on 14 March."}))
    unknown, when = call(
        toolset, ("forget", {"reference": "zzz"}), ("recall", {"query": "Titan", "since": "the day that never was"})
    )
    assert "zzz" in unknown
    assert "the day that never was" in when


def test_a_service_that_fails_is_told_to_the_model(bank: str) -> None:
    options = ServiceOptions("http://127.0.0.1:9", retry_for_s=0.05)
    (answer,) = call(FoxingToolset.connect(options, bank), ("recall", {"query": "Titan"}))
    assert "127.0.0.1:9" in answer


def test_every_tool_has_a_description_of_each_argument(toolset: FoxingToolset) -> None:
    model = TestModel(call_tools=[])
    asyncio.run(Agent(model, toolsets=[toolset]).run("go"))
    assert model.last_model_request_parameters is not None
    tools = model.last_model_request_parameters.function_tools
    assert [tool.name for tool in tools] == ["recall", "remember", "forget"]
    for tool in tools:
        assert tool.description
        for schema in tool.parameters_json_schema["properties"].values():
            assert schema["description"]


def test_a_capability_with_tools(shared_memory: Memory, bank: str) -> None:
    model = TestModel(call_tools=["remember"])
    with FoxingCapability.connect(shared_memory, bank, tools=True) as memory:
        result = asyncio.run(Agent(model, capabilities=[memory]).run("go"))
    returned = [part for message in result.all_messages() for part in message.parts if isinstance(part, ToolReturnPart)]
    assert [part.tool_name for part in returned] == ["remember"]
    assert len(list(shared_memory.export(bank))) == 5
