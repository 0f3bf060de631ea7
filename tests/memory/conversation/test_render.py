"""Messages that were read and written again."""

import json
from typing import Any

import pytest
from support.sdk_messages import RECORDED_MESSAGES

from foxing.memory.conversation import Provider, parse, render
from foxing.memory.conversation.changes import marked_blocks, settled, without_marks, without_thinking
from foxing.memory.conversation.render import render_blocks, user_message

PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai", "openai-responses", "gemini")
PNG = {"type": "image", "media_type": "image/png", "data": "iVBO", "detail": "high", "oversized_image": "error"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_was_read_comes_back_byte_for_byte(provider: Provider) -> None:
    given = RECORDED_MESSAGES[provider]
    assert json.dumps(render(provider, parse(provider, given))) == json.dumps(given)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_was_written_says_the_same(provider: Provider) -> None:
    parts = [{"type": "text", "text": "The tides."}, PNG]
    [raw] = render(provider, [user_message(provider, render_blocks(provider, parts))])
    [read] = parse(provider, [raw])
    assert read.role == "user"
    assert [
        {key: part[key] for key in ("type", "text", "media_type", "data") if key in part} for part in read.parts
    ] == [
        parts[0],
        {key: PNG[key] for key in ("type", "media_type", "data")},
    ]


def test_a_change_leaves_the_rest_as_it_came() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    result: dict[str, Any] = {
        "type": "tool_result",
        "content": [{"type": "text", "text": "3", **mark}],
        "tool_use_id": "t",
    }
    given = [
        {"role": "assistant", "content": [thinking]},
        {"content": [thinking, {"text": "I look.", "type": "text", "x_new": 1}], "role": "assistant", "x_new": 2},
        {"role": "user", "content": [result]},
    ]
    first, second, third = parse("anthropic", given)
    assert without_thinking(first) is None
    left = without_thinking(second)
    assert left is not None
    [block] = marked_blocks(third)
    assert json.dumps(render("anthropic", [left, without_marks(third, block)])) == json.dumps(
        [
            {"content": [{"text": "I look.", "type": "text", "x_new": 1}], "role": "assistant", "x_new": 2},
            {"role": "user", "content": [{**result, "content": [{"type": "text", "text": "3"}]}]},
        ]
    )


def test_instructions_move_to_where_the_messages_api_takes_them() -> None:
    given: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "There?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "system", "content": "Be kind."},
    ]
    messages = parse("anthropic", given)
    moved = render("anthropic", settled(messages))
    assert moved == [given[0], given[2], given[1], given[3], given[4]]
