"""Messages as lines of text, and what these cost."""

from datetime import UTC, datetime
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.context.transcript import MOST_CHARS, headed, headed_tokens

SENT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
#: Ends and beginnings that a tokenizer may join with a line break.
HARD = st.sampled_from(
    ["", " ", "\n", "/", "!/\n", "](", "\r\n", "\t", "a", "9", "é", "한", "⋯", "[", "\u2028", " \n "]
)
TEXTS = st.builds("".join, st.lists(st.one_of(HARD, st.text(max_size=12)), max_size=6))


class Message(NamedTuple):
    role: str
    name: str | None
    created_at: datetime
    text: str
    kept_percent: int = 100


NAMES = st.sampled_from([None, "Ana", "x\n"])
MESSAGES = st.lists(
    st.builds(Message, st.just("user"), NAMES, st.just(SENT_AT), TEXTS, st.sampled_from([100, 99, 31, 0]))
)


@settings(max_examples=60)
@given(st.sampled_from(["What was said:", "Last:", "ends in /"]), MESSAGES)
def test_the_tokens_of_the_lines_are_those_of_the_whole(head: str, messages: list[Message]) -> None:
    assert headed_tokens(head, messages) == count_text_tokens(headed(head, messages))


def test_a_text_that_is_counted_in_slices_is_counted_as_a_whole() -> None:
    messages = [Message("user", None, SENT_AT, "river bank " * (MOST_CHARS // 10)) for _ in range(3)]
    assert headed_tokens("Last:", messages) == count_text_tokens(headed("Last:", messages))
