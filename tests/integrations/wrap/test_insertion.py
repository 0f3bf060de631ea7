"""Insertion into JSON leaves all other bytes as they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.integrations.wrap.insertion import insert
from foxing.memory.conversation import FORMATS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CONTENTS = st.text() | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}), max_size=3)
MESSAGES = st.lists(
    st.fixed_dictionaries({"x": VALUES, "content": CONTENTS, "role": st.just("user")}), min_size=1, max_size=4
)


@pytest.mark.slow
@given(st.data(), MESSAGES, VALUES, st.text(min_size=1), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_only_the_text_is_inserted(
    data: st.DataObject, messages: list[Any], other: Any, text: str, indent: Any, ascii_only: bool
) -> None:
    body = json.dumps({"other": other, "messages": messages, "after": [other]}, indent=indent, ensure_ascii=ascii_only)
    places = data.draw(st.sets(st.integers(0, len(messages) - 1), min_size=1))
    changed = insert(body, FORMATS["openai"], dict.fromkeys(places, text))
    remaining = iter(changed)
    assert all(character in remaining for character in body)
    value = json.loads(changed)
    for place in places:
        content = value["messages"][place]["content"]
        if isinstance(content, str):
            assert content.startswith(f"{text}\n\n")
            value["messages"][place]["content"] = content.removeprefix(f"{text}\n\n")
        else:
            assert content.pop(0) == {"type": "text", "text": text}
    assert value == json.loads(body)


def test_a_body_without_such_a_content_is_an_error() -> None:
    for body in ('{"messages": [{"role": "user"}]}', '{"messages": [{"content": 5}]}', "{}", "[]"):
        with pytest.raises(ValueError, match=r"no member|neither|not an object"):
            insert(body, FORMATS["openai"], {0: "text"})
