"""Thinking must come back as it was, in the conversation in which it was made."""

from collections.abc import Callable

import pytest

from tests.upstream import ScriptedCall, Thinking, Upstream

from .conftest import MODEL, OLDER, Json, assistant, error_of, result, text, user

Ask = Callable[..., Json]
THINK = {"thinking": {"type": "adaptive"}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
BETA = "thinking-binding-controls-2026-08-01"
DROP = {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}, "betas": BETA}
BOUND = "Invalid `signature` in `thinking` block. The block is bound to a different conversation"


@pytest.fixture
def history(ask: Ask, upstream: Upstream) -> list[Json]:
    """Two turns with thinking."""
    upstream.answer(Thinking("a greeting"), "Hello.")
    upstream.answer(Thinking("a number"), "Seven.")
    messages = [user("hello")]
    messages.append(assistant(ask(*messages, **THINK)["content"]))
    messages.append(user("a number?"))
    messages.append(assistant(ask(*messages, **THINK)["content"]))
    return [*messages, user("why?")]


def test_thinking_is_accepted_in_the_conversation_in_which_it_was_made(ask: Ask, history: list[Json]) -> None:
    assert ask(*history, **THINK)["type"] == "message"


def test_equal_messages_are_the_same_conversation(ask: Ask, history: list[Json]) -> None:
    """Marks of the cache, the order of keys and the short form of a text do not count."""
    history[0] = user([text("hello", cache_control={"type": "ephemeral"})])
    history[1]["content"] = [dict(reversed(block.items())) for block in history[1]["content"]]
    assert ask(*history, **THINK)["type"] == "message"


@pytest.mark.parametrize("model", [MODEL, OLDER])
def test_edited_thinking_is_refused(ask: Ask, history: list[Json], model: str) -> None:
    history[1]["content"][0]["thinking"] = "another thought"
    said = error_of(ask(*history, model=model, **THINK))
    assert said == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_thinking_of_a_changed_conversation_is_refused(ask: Ask, history: list[Json]) -> None:
    assert error_of(ask(user("hullo"), *history[1:], **THINK)) == f"messages.1.content.0: {BOUND}"
    assert BOUND in error_of(ask(*history, system="be brief", **THINK))
    assert BOUND in error_of(ask(*history, tools=[TOOL], **THINK))
    assert error_of(ask(*history[:2], user("a word?"), *history[3:], **THINK)) == f"messages.3.content.0: {BOUND}"


def test_without_earlier_thinking_later_thinking_is_of_another_conversation(ask: Ask, history: list[Json]) -> None:
    del history[1]["content"][0]
    assert error_of(ask(*history, **THINK)) == f"messages.3.content.0: {BOUND}"
    del history[3]["content"][0]
    assert ask(*history, **THINK)["type"] == "message"


def test_an_older_model_does_not_bind_thinking(ask: Ask, history: list[Json]) -> None:
    assert ask(user("hullo"), *history[1:], model=OLDER, **THINK)["type"] == "message"


def test_dropped_thinking_is_reported(ask: Ask, history: list[Json], upstream: Upstream) -> None:
    upstream.answer(Thinking("because"), "Because.")
    answer = ask(user("hullo"), *history[1:], **DROP)
    assert answer["input_transformations"] == [
        {"type": "thinking_dropped", "path": path, "reason": "prefix_binding_mismatch"}
        for path in ("messages.1.content.0", "messages.3.content.0")
    ]
    # what was made in the changed conversation is bound to it
    following = [user("hullo"), *history[1:], assistant(answer["content"]), user("and?")]
    assert [each["path"] for each in ask(*following, **DROP)["input_transformations"]] == [
        "messages.1.content.0",
        "messages.3.content.0",
    ]
    assert ask(user("hello"), **DROP)["input_transformations"] == []
    assert "input_transformations" not in ask(user("hello"), **THINK)


@pytest.mark.parametrize("model", [MODEL, OLDER])
def test_thinking_of_an_open_tool_call_must_be_there(ask: Ask, upstream: Upstream, model: str) -> None:
    upstream.answer(Thinking("I must look"), ScriptedCall("look"), ScriptedCall("look"))
    answer = ask(user("hello"), tools=[TOOL], model=model, **THINK)["content"]
    calls = [block for block in answer if block["type"] == "tool_use"]
    results = user([result(call) for call in calls])
    assert ask(user("hello"), assistant(answer), results, tools=[TOOL], model=model, **THINK)["type"] == "message"
    said = error_of(ask(user("hello"), assistant(calls), results, tools=[TOOL], model=model, **THINK))
    assert "blocks in the latest assistant message cannot be modified" in said
    # once the turn is over, it may be left out
    closed = [user("hello"), assistant(calls), results, assistant("It is there."), user("thanks")]
    assert ask(*closed, tools=[TOOL], model=model, **THINK)["type"] == "message"


def test_manual_thinking_must_begin_an_open_tool_call_of_another_origin(ask: Ask) -> None:
    call = {"type": "tool_use", "id": "toolu_x", "name": "look", "input": {}}
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    said = error_of(ask(user("hello"), assistant([call]), user([result(call)]), tools=[TOOL], model=OLDER, **thinking))
    assert "Expected `thinking` or `redacted_thinking`, but found `tool_use`" in said


def test_redacted_thinking_is_bound_as_well(ask: Ask, upstream: Upstream) -> None:
    upstream.answer(Thinking("secret", redacted=True), "Hello.")
    answer = ask(user("hello"), **THINK)["content"]
    assert answer[0]["type"] == "redacted_thinking"
    assert ask(user("hello"), assistant(answer), user("and?"), **THINK)["type"] == "message"
    assert BOUND in error_of(ask(user("hullo"), assistant(answer), user("and?"), **THINK))
    answer[0]["data"] = "AAAA"
    assert "`redacted_thinking`" in error_of(ask(user("hello"), assistant(answer), user("and?"), **THINK))


def test_omitted_thinking_has_a_signature_alone(ask: Ask, upstream: Upstream) -> None:
    upstream.answer(Thinking("at length"), "Hello.")
    answer = ask(user("hello"), thinking={"type": "adaptive", "display": "omitted"})["content"]
    assert answer[0]["thinking"] == ""
    assert ask(user("hello"), assistant(answer), user("and?"), **THINK)["type"] == "message"
