"""The SDKs of the providers against the upstream: answers, streams, faults."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anthropic
import httpx2
import openai
import pydantic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from tests.upstream import Fault, ModelAnswer, ScriptedCall, Thinking, Upstream

MODEL = "claude-fable-5-1"
TOOL: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
def claude(upstream: Upstream) -> Iterator[Anthropic]:
    with Anthropic(base_url=upstream.url, api_key="key", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(upstream: Upstream) -> Iterator[OpenAI]:
    with OpenAI(base_url=upstream.openai_url, api_key="key", max_retries=0) as client:
        yield client


def test_a_conversation_with_thinking_and_parallel_tools(claude: Anthropic, upstream: Upstream) -> None:
    """What the SDK streamed is sent back as it was received."""
    upstream.answer(Thinking("I must look twice"), "I look.", ScriptedCall("look", {"at": "Ü"}), ScriptedCall("look"))
    upstream.answer(Thinking("there it is"), "There it is.")
    messages = list(HELLO)
    with claude.messages.stream(
        model=MODEL, max_tokens=500, messages=messages, tools=[TOOL], thinking={"type": "adaptive"}
    ) as stream:
        assert [event.type for event in stream][-1] == "message_stop"
        answer = stream.get_final_message()
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"at": "Ü"}, {}]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "done"} for call in calls]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    second = claude.messages.create(
        model=MODEL, max_tokens=500, messages=messages, tools=[TOOL], thinking={"type": "adaptive"}
    )
    messages += [{"role": "assistant", "content": second.content}, {"role": "user", "content": "thanks"}]
    claude.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[TOOL], thinking={"type": "adaptive"})
    assert upstream.refused == []
    assert len(upstream.calls) == 3


def test_events_of_messages_come_in_the_order_of_the_wire(upstream: Upstream) -> None:
    upstream.answer(Thinking("hm"), "Hello.", ScriptedCall("look", {"at": 1}))
    body = {"model": MODEL, "max_tokens": 5, "messages": HELLO, "stream": True, "thinking": {"type": "adaptive"}}
    headers = {"x-api-key": "key", "anthropic-version": "2023-06-01"}
    text = httpx2.post(f"{upstream.url}/v1/messages", json=body, headers=headers).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    thinking = [block[0], "ping", block[1], block[1], block[2]]
    call = [block[0], block[1], block[1], block[2]]
    assert names == ["message_start", *thinking, *block, *call, "message_delta", "message_stop"]
    assert upstream.exchanges[0].sent.decode() == text


def test_chunks_of_chat_completions(gpt: OpenAI, upstream: Upstream) -> None:
    upstream.answer("Hello there, Mina.", ScriptedCall("look", {"at": 1}), ScriptedCall("look", {"at": 2}))
    chunks = list(
        gpt.chat.completions.create(
            model="gpt-5.6", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hello there, Mina."
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    arguments = ["".join(call.function.arguments or "" for call in calls if call.index == n) for n in (0, 1)]
    assert arguments == ['{"at":1}', '{"at":2}']
    assert chunks[-1].usage is not None
    assert upstream.exchanges[0].sent.endswith(b"data: [DONE]\n\n")


class Weather(pydantic.BaseModel):
    rain: bool


def test_parsed_answers(gpt: OpenAI, claude: Anthropic, upstream: Upstream) -> None:
    for _ in range(3):
        upstream.answer('{"rain": true}')
    chat = gpt.chat.completions.parse(model="gpt-5.6", messages=HELLO, response_format=Weather)
    assert chat.choices[0].message.parsed == Weather(rain=True)
    assert gpt.responses.parse(model="gpt-5.6", input="rain?", text_format=Weather).output_parsed == Weather(rain=True)
    message = claude.messages.parse(model=MODEL, max_tokens=50, messages=HELLO, output_format=Weather)
    assert message.parsed_output == Weather(rain=True)


def test_a_conversation_of_responses(gpt: OpenAI, upstream: Upstream) -> None:
    upstream.answer(Thinking("I must look"), "I look.", ScriptedCall("look"))
    items: list[Any] = [{"role": "user", "content": "hello"}]
    with gpt.responses.stream(
        model="gpt-5.6", input=items, store=False, include=["reasoning.encrypted_content"]
    ) as stream:
        events = [event.type for event in stream]
        response = stream.get_final_response()
    assert events[:2] == ["response.created", "response.in_progress"]
    assert events[-1] == "response.completed"
    items += response.output
    items.append({"type": "function_call_output", "call_id": response.output[-1].call_id, "output": "done"})  # type: ignore[union-attr]
    assert gpt.responses.create(model="gpt-5.6", input=items, store=False).output_text == "Understood."
    assert upstream.refused == []


def test_asynchronous_clients(upstream: Upstream) -> None:
    async def run() -> None:
        async with AsyncAnthropic(base_url=upstream.url, api_key="key") as claude:
            message = await claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
            assert message.content[0].type == "text"
            async with claude.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
                assert await stream.get_final_text() == "Understood."
        async with AsyncOpenAI(base_url=upstream.openai_url, api_key="key") as gpt:
            answers = await asyncio.gather(*(gpt.responses.create(model="gpt-5.6", input=str(n)) for n in range(5)))
            assert {answer.output_text for answer in answers} == {"Understood."}

    asyncio.run(run())
    assert len(upstream.calls) == 7


def test_errors_of_messages_are_those_of_the_sdk(claude: Anthropic, upstream: Upstream) -> None:
    def call() -> object:
        return claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    upstream.fail(429, retry_after_s=7)
    with pytest.raises(anthropic.RateLimitError) as limited:
        call()
    assert limited.value.response.headers["retry-after"] == "7"
    upstream.fail(500)
    with pytest.raises(anthropic.InternalServerError):
        call()
    upstream.send_html(502)
    with pytest.raises(anthropic.InternalServerError, match="Bad gateway"):
        call()
    upstream.drop()
    with pytest.raises(anthropic.APIConnectionError):
        call()
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        claude.messages.create(model=MODEL, max_tokens=50, messages=[*HELLO, {"role": "assistant", "content": "I"}])
    upstream.answer("Hello.", error_after_events=4)
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        claude.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream,
    ):
        stream.until_done()


def test_errors_of_openai_are_those_of_the_sdk(gpt: OpenAI, upstream: Upstream) -> None:
    upstream.fail(429, retry_after_s=7)
    with pytest.raises(openai.RateLimitError):
        gpt.responses.create(model="gpt-5.6", input="a")
    upstream.fail(500)
    with pytest.raises(openai.InternalServerError):
        gpt.chat.completions.create(model="gpt-5.6", messages=HELLO)
    with pytest.raises(openai.BadRequestError) as refused:
        gpt.responses.create(model="gpt-5.6", input="a", previous_response_id="resp_1")
    assert refused.value.code == "previous_response_not_found"
    assert refused.value.param == "previous_response_id"


def test_retries_of_the_sdk_are_recorded(upstream: Upstream) -> None:
    upstream.fail(429, retry_after_s=0.01)
    upstream.answer("Hello.")
    with Anthropic(base_url=upstream.url, api_key="key", max_retries=1) as claude:
        claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    first, second = upstream.calls
    assert first.body == second.body
    assert (first.status, second.status) == (429, 200)
    assert first.bill is None


@pytest.mark.parametrize("stream", [False, True])
def test_half_an_answer(claude: Anthropic, upstream: Upstream, stream: bool) -> None:
    upstream.answer("Hello there.", cut_after_events=4)

    def call() -> None:
        if stream:
            with claude.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as events:
                events.until_done()
        else:
            claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO)

    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        call()
    assert upstream.wait_for(lambda: upstream.exchanges[0].done)
    assert 0 < len(upstream.exchanges[0].sent) < 1000


def test_a_held_answer_is_slow_until_it_is_released(claude: Anthropic, upstream: Upstream) -> None:
    release = threading.Event()
    upstream.answer("Hello there.", hold=release)
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO, timeout=0.05)
    release.set()
    upstream.answer("Hello there.", hold=(later := threading.Event()), hold_before_event=4)
    with claude.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
        assert next(stream.text_stream) == "Hello there."
        later.set()
        assert stream.get_final_text() == "Hello there."


def test_a_client_that_hangs_up_is_recorded(claude: Anthropic, upstream: Upstream) -> None:
    release = threading.Event()
    upstream.answer("word " * 100_000, hold=release, hold_before_event=3)
    with suppress(anthropic.APIError), claude.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
        next(iter(stream))
    release.set()
    assert upstream.wait_for(lambda: upstream.exchanges[0].done)
    assert len(upstream.exchanges[0].sent) < 500_000


def test_a_responder_answers_what_no_script_is_left_for(claude: Anthropic, upstream: Upstream) -> None:
    def respond(exchange: Any) -> ModelAnswer | Fault:
        said = exchange.value["messages"][-1]["content"]
        return Fault(400, "not that") if said == "fail" else ModelAnswer((f"You said {said}.",))

    upstream.respond_with(respond)
    upstream.answer("First.")
    said = [claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO).content[0].text for _ in range(2)]  # type: ignore[union-attr]
    assert said == ["First.", "You said hello."]
    with pytest.raises(anthropic.BadRequestError, match="not that"):
        claude.messages.create(model=MODEL, max_tokens=50, messages=[{"role": "user", "content": "fail"}])


def test_answers_are_the_same_every_time(claude: Anthropic) -> None:
    def run() -> list[bytes]:
        with Upstream() as upstream, Anthropic(base_url=upstream.url, api_key="key") as client:
            for words in ("hello", "again"):
                upstream.answer(Thinking("hm"), words, ScriptedCall("look"))
                client.messages.create(
                    model=MODEL, max_tokens=50, messages=HELLO, tools=[TOOL], thinking={"type": "adaptive"}
                )
            return [each.sent for each in upstream.exchanges]

    assert run() == run()


def test_models_are_listed(claude: Anthropic, gpt: OpenAI) -> None:
    assert MODEL in [model.id for model in claude.models.list()]
    assert "gpt-5.6" in [model.id for model in gpt.models.list()]


def test_many_clients_at_once(upstream: Upstream) -> None:
    def work(call: Callable[[], object]) -> None:
        for _ in range(5):
            call()

    with (
        Anthropic(base_url=upstream.url, api_key="key") as claude,
        OpenAI(base_url=upstream.openai_url, api_key="key") as gpt,
    ):
        calls: list[Callable[[], object]] = [
            lambda: claude.messages.create(model=MODEL, max_tokens=50, messages=HELLO),
            lambda: gpt.responses.create(model="gpt-5.6", input="a"),
        ]
        threads = [threading.Thread(target=work, args=(call,)) for call in calls * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each.status for each in upstream.exchanges] == [200] * 20
    assert [each.number for each in upstream.exchanges] == list(range(1, 21))
