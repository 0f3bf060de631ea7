"""Insertion leaves all other bytes as the SDK has written them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.integrations.turns.sent import SentConversation
from foxing.integrations.wrap.insertion import insert

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
@given(st.data(), MESSAGES, VALUES, st.text(min_size=1))
def test_only_the_text_is_inserted(data: st.DataObject, messages: list[Any], other: Any, text: str) -> None:
    fields = {"other": other, "messages": messages, "after": [other]}
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    places = data.draw(st.sets(st.integers(0, len(messages) - 1), min_size=1))
    changed = insert(SentConversation("openai", fields, {}), dict.fromkeys(places, text)).decode()
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


def test_a_content_that_is_neither_text_nor_list_is_an_error() -> None:
    for message in ({"role": "user"}, {"content": 5}):
        with pytest.raises(ValueError, match="neither"):
            insert(SentConversation("openai", {"messages": [message]}, {}), {0: "text"})
