"""Parts as one text, and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.memory import NewMessage, TextPart, ToolCall, ToolResult
from foxing.memory.values.part_text import parse_parts, render_parts
from foxing.memory.values.parts import Part
from foxing.renderer import Entry, Typesetter

EXAMPLE: list[Part] = [
    TextPart(text="Let me see."),
    ToolCall(id="call_1", name="find", arguments={"city": "서울", "limit": 3}),
    ToolResult(id="call_1", content="two\nlines"),
    TextPart(text="Done."),
]
RENDERED = """\
Let me see.
△ find call_1 {"city":"서울","limit":3}
▽ call_1
two
lines
◇
Done."""

# what the rendering gives a meaning to, and what breaks lines elsewhere
texts = st.text(alphabet=st.sampled_from("◇△▽\\\n\r\t \"'{}=aé한\x00\u2028\x85"), max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)
words = texts.filter(bool)
objects = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
parts = st.lists(
    st.builds(TextPart, text=texts)
    | st.builds(ToolCall, id=words, name=words, arguments=objects | texts)
    | st.builds(ToolResult, id=words, content=texts, is_error=st.booleans()),
    min_size=1,
    max_size=5,
)


@given(parts)
def test_parsing_reverses_rendering(given_parts: list[Part]) -> None:
    assert parse_parts(render_parts(given_parts)) == tuple(given_parts)


@given(parts)
def test_parts_survive_validation_as_json(given_parts: list[Part]) -> None:
    document = {"role": "tool", "content": [part.model_dump(mode="json") for part in given_parts]}
    message = NewMessage.model_validate_json(json.dumps(document))
    if message.parts is None:
        assert given_parts == [TextPart(text=message.text)]
    else:
        assert message.parts == tuple(given_parts)


def test_rendering_is_readable() -> None:
    assert render_parts(EXAMPLE) == RENDERED
    error = ToolResult(id="a b", content="", is_error=True)
    assert render_parts([error]) == '▽ "a b" error'


@pytest.mark.parametrize("text", ["", "plain", "△ bullet\n◇", "\\▽ x", "a\nb\n"])
def test_a_string_and_a_single_text_part_are_rendered_as_they_are(text: str) -> None:
    plain = NewMessage(role="user", content=text)
    part = NewMessage(role="user", content=[{"type": "text", "text": text}])  # type: ignore[arg-type]
    assert part == plain
    assert plain.text == text
    assert plain.parts is None


def test_only_lines_that_look_marked_are_escaped() -> None:
    content = "a △ b\n△ c\n\\△ d\n\\ e\n  ◇"
    rendered = render_parts([ToolResult(id="x", content=content)])
    assert rendered == "▽ x\na △ b\n\\△ c\n\\\\△ d\n\\ e\n  ◇"


@pytest.mark.parametrize(
    "text",
    [
        "△ find call_1",
        '△ find call_1 {"city":"서울"',
        "△ find call_1 [1]",
        "△ find call_1 NaN",
        "△find call_1 {}",
        '△ find call_1 {"a":1}\nmore',
        "▽ call_1 eror\ntext",
        "▽\ntext",
        '▽ "call_1',
        "first\n◇ second",
    ],
)
def test_what_is_not_a_rendering_has_no_parts(text: str) -> None:
    assert parse_parts(text) is None


def test_marks_are_typeset_as_themselves() -> None:
    """The marks are not among those that a page reserves, so they cost one cell and need no escape."""
    from datetime import UTC, datetime

    from foxing.encoder import load_codec

    codec = load_codec("native")
    entry = Entry("m", "assistant", render_parts(EXAMPLE), datetime(2026, 3, 1, tzinfo=UTC))
    page: Any = Typesetter(codec.layout, codec.repertoire).page([entry])
    assert "⟦" not in page.text
    assert all(mark in page.text for mark in "◇△▽")
