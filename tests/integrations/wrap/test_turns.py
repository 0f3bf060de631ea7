"""Which turns are stored: each once, in order, whatever the caller sends again."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from openai import OpenAI

from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from tests.upstream import ScriptedCall, Thinking, Upstream

from .conftest import FACT, MODEL, QUESTION, Options, assistant, user

Stored = Callable[[object], list[tuple[str, str]]]
TOOL: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}


@pytest.fixture
def say(claude: Anthropic, upstream: Upstream) -> Callable[..., Any]:
    """Sends a history and returns the content of the answer."""

    def send(*messages: Any, answer: str = "Fine.", **members: Any) -> Any:
        upstream.answer(answer)
        return claude.messages.create(model=MODEL, max_tokens=50, messages=list(messages), **members).content

    return send


def test_a_history_that_is_sent_again_is_stored_once(
    claude: Anthropic, say: Callable[..., Any], stored: Stored
) -> None:
    history: list[Any] = []
    for number in range(4):
        history.append(user(f"question {number}"))
        history.append(assistant(say(*history, answer=f"answer {number}")))
    assert stored(claude) == [
        pair for number in range(4) for pair in [("user", f"question {number}"), ("assistant", f"answer {number}")]
    ]


def test_equal_words_at_other_places_are_other_turns(
    claude: Anthropic, say: Callable[..., Any], stored: Stored
) -> None:
    history: list[Any] = []
    for _ in range(3):
        history.append(user("yes"))
        history.append(assistant(say(*history)))
    assert stored(claude) == [("user", "yes"), ("assistant", "Fine.")] * 3


def test_the_form_of_a_message_does_not_count(claude: Anthropic, say: Callable[..., Any], stored: Stored) -> None:
    say(user("hello"), answer="Hi. ")
    say(user([{"type": "text", "text": "hello"}]), assistant("Hi."), user("bye"))
    assert stored(claude) == [("user", "hello"), ("assistant", "Hi. "), ("user", "bye"), ("assistant", "Fine.")]


def test_a_shortened_history_is_recognised(claude: Anthropic, say: Callable[..., Any], stored: Stored) -> None:
    history: list[Any] = []
    for number in range(4):
        history.append(user(f"question {number}"))
        history.append(assistant(say(*history[-5:] if number > 2 else history, answer=f"answer {number}")))
    say(*history[4:], user("last"))
    assert [text for _, text in stored(claude)] == [
        *(text for number in range(4) for text in (f"question {number}", f"answer {number}")),
        "last",
        "Fine.",
    ]


def test_a_summary_in_place_of_old_turns_is_one_turn_more(
    claude: Anthropic, say: Callable[..., Any], stored: Stored
) -> None:
    history: list[Any] = []
    for number in range(3):
        history.append(user(f"question {number}"))
        history.append(assistant(say(*history, answer=f"answer {number}")))
    say(user("So far: two questions."), assistant("I see."), *history[4:], user("last"))
    texts = [text for _, text in stored(claude)]
    assert texts[-2:] == ["last", "Fine."]
    assert len(texts) == len(set(texts)) == 10


def test_a_history_without_its_tools_is_recognised(claude: Anthropic, upstream: Upstream, stored: Stored) -> None:
    upstream.answer(ScriptedCall("look"), ScriptedCall("look"))
    upstream.answer("There it is.")
    arguments: Any = {"model": MODEL, "max_tokens": 50, "tools": [TOOL]}
    history: list[Any] = [user("where is it?")]
    calls = claude.messages.create(messages=history, **arguments).content
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "here"} for call in calls]  # type: ignore[union-attr]
    claude.messages.create(messages=[*history, assistant(calls), user(results)], **arguments)
    claude.messages.create(messages=[*history, assistant("There it is."), user("thanks")], **arguments)
    roles = [role for role, _ in stored(claude)]
    assert roles == ["user", "assistant", "assistant", "tool", "tool", "assistant", "user", "assistant"]


def test_parallel_tools_and_thinking(
    claude: Anthropic, upstream: Upstream, shared_memory: Memory, bank: str, stored: Stored
) -> None:
    upstream.answer(Thinking("I look"), "I look.", ScriptedCall("look", {"at": 1}), ScriptedCall("look", {"at": 2}))
    claude.messages.create(model=MODEL, max_tokens=50, messages=[user("look")], tools=[TOOL])
    assert [role for role, _ in stored(claude)] == ["user", *["assistant"] * 3]
    types = [part.type for each in shared_memory.export(bank) for part in each.parts or ()]
    assert types == ["tool_call", "tool_call"]


@pytest.mark.parametrize("stream", [False, True])
def test_both_apis_of_openai(gpt: OpenAI, upstream: Upstream, stored: Stored, stream: bool) -> None:
    upstream.answer("Hello there, Mina.", ScriptedCall("look", {"at": 1}), ScriptedCall("look"))
    upstream.answer("Done.")
    history: list[Any] = [user("hello")]
    response: Any = gpt.responses.create(model="gpt-5.6", input=history, stream=stream)
    if stream:
        response = list(response)[-1].response
    history += [item.to_dict() for item in response.output]
    history += [
        {"type": "function_call_output", "call_id": item.call_id, "output": "x"}
        for item in response.output
        if item.type == "function_call"
    ]
    gpt.responses.create(model="gpt-5.6", input=history)
    assert [role for role, _ in stored(gpt)] == ["user", *["assistant"] * 3, "tool", "tool", "assistant"]
    upstream.answer("Hello again, Mina.", ScriptedCall("look", {"at": 1}), ScriptedCall("look"))
    answer: Any = gpt.chat.completions.create(model="gpt-5.6", messages=[user("hello chat")], stream=stream)
    if stream:
        list(answer)
    texts = [text for _, text in stored(gpt)]
    assert texts[-4:-2] == ["hello chat", "Hello again, Mina."]
    assert all("look" in text for text in texts[-2:])


def test_a_conversation_that_the_service_holds(gpt: OpenAI, upstream: Upstream, stored: Stored) -> None:
    first = gpt.responses.create(model="gpt-5.6", input="hello")
    second = gpt.responses.create(model="gpt-5.6", input="hello", previous_response_id=first.id)
    gpt.responses.create(model="gpt-5.6", input="hello", previous_response_id=second.id)
    assert stored(gpt) == [("user", "hello"), ("assistant", "Understood.")] * 3


def test_a_conversation_object_of_the_service(gpt: OpenAI, upstream: Upstream, stored: Stored) -> None:
    conversation = gpt.conversations.create().id
    for _ in range(3):
        gpt.responses.create(model="gpt-5.6", input="hello", conversation=conversation)
    assert stored(gpt) == [("user", "hello"), ("assistant", "Understood.")] * 3


def test_an_aborted_stream_stores_the_question_and_its_repetition_the_answer(
    claude: Anthropic, upstream: Upstream, stored: Stored
) -> None:
    upstream.answer("Half an answer", cut_after_events=4)
    with suppress(Exception), claude.messages.stream(model=MODEL, max_tokens=50, messages=[user("hello")]) as stream:
        stream.until_done()
    assert stored(claude) == [("user", "hello")]
    upstream.answer("A whole answer")
    with claude.messages.stream(model=MODEL, max_tokens=50, messages=[user("hello")]) as stream:
        stream.until_done()
    assert stored(claude) == [("user", "hello"), ("assistant", "A whole answer")]


def test_a_stream_that_the_caller_leaves(claude: Anthropic, upstream: Upstream, stored: Stored) -> None:
    upstream.answer("word " * 2000)
    with claude.messages.stream(model=MODEL, max_tokens=50, messages=[user("hello")]) as stream:
        next(iter(stream))
    assert stored(claude) == [("user", "hello")]


def test_a_turn_is_kept_before_the_caller_sees_the_end(claude: Anthropic, stored: Stored) -> None:
    with claude.messages.stream(model=MODEL, max_tokens=50, messages=[user("hello")]) as stream:
        for event in stream:
            if event.type == "message_stop":
                assert stored(claude) == [("user", "hello"), ("assistant", "Understood.")]


def test_refused_and_failed_requests_store_nothing(claude: Anthropic, upstream: Upstream, stored: Stored) -> None:
    upstream.fail(500)
    with pytest.raises(anthropic.InternalServerError):
        claude.messages.create(model=MODEL, max_tokens=50, messages=[user("hello")])
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.create(model=MODEL, max_tokens=50, messages=[assistant("hello")])
    assert stored(claude) == []


def test_threads_separate_conversations_that_begin_alike(
    upstream: Upstream, options: Options, shared_memory: Memory, bank: str
) -> None:
    for thread in ("monday", "tuesday"):
        with wrap(Anthropic(base_url=upstream.url, api_key="key"), thread=thread, **options) as client:
            client.messages.create(model=MODEL, max_tokens=50, messages=[user("hello")])
            flush(client)
    threads = [each.thread for each in shared_memory.export(bank)]
    assert threads == ["earlier", "monday", "monday", "tuesday", "tuesday"]


def test_without_its_journal_a_history_has_the_same_ids(
    upstream: Upstream, options: Options, shared_memory: Memory, bank: str
) -> None:
    for name in ("first.db", "second.db"):
        options["journal"] = options["journal"].with_name(name)
        with wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client:
            client.messages.create(model=MODEL, max_tokens=50, messages=[user("hello")])
            assert flush(client)
    assert len(list(shared_memory.export(bank))) == 3


def test_a_wrapped_client_behind_a_proxy_is_stored_once(
    upstream: Upstream, options: Options, shared_memory: Memory, bank: str, tmp_path: Path
) -> None:
    """No session is named, and the proxy sees what the client has added to the first words."""
    through = ProxyOptions(upstream=upstream.url, bank=bank, budget=500_000, journal=tmp_path / "proxy.db")
    with (
        BackgroundProxy(through, lambda: shared_memory) as proxy,
        wrap(Anthropic(base_url=proxy.url, api_key="key"), **options) as client,
    ):
        history: list[Any] = []
        for question in (QUESTION, "And who sails with Titan?", QUESTION):
            history.append(user(question))
            answer = client.messages.create(model=MODEL, max_tokens=50, messages=history)
            history.append(assistant(answer.content))
        assert flush(client)
    assert FACT.encode() in upstream.calls[0].body
    said = [(each.role, each.thread) for each in shared_memory.export(bank) if each.thread != "earlier"]
    assert [role for role, _ in said] == ["user", "assistant"] * 3
    assert len({thread for _, thread in said}) == 1


def test_turns_are_not_kept_of_other_calls(claude: Anthropic, gpt: OpenAI, stored: Stored) -> None:
    assert json.dumps([model.id for model in claude.models.list()])
    claude.messages.count_tokens(model=MODEL, messages=[user("hello")])
    gpt.conversations.create()
    assert stored(gpt) == []
