"""Messages as text for a model, and what it costs."""

from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.recall.transcript import (
    MOST_CHARS,
    Style,
    TextTranscript,
    TranscriptLine,
    TranscriptPlace,
    transcript,
    transcript_of,
)
from foxing.memory.values.trust import trust_of

SENT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
#: Ends and beginnings that a tokenizer may join with a line break.
HARD = st.sampled_from(
    ["", " ", "\n", "/", "!/\n", "](", "\r\n", "\t", "a", "9", "é", "한", "…", " … ", "[", "\u2028", " \n ", "\u0301"]
)
TEXTS = st.builds("".join, st.lists(st.one_of(HARD, st.text(max_size=12)), max_size=6))
MARK = " … "


class Message(NamedTuple):
    role: str
    name: str | None
    created_at: datetime
    text: str
    gaps: tuple[int, ...] = ()
    kept: float = 1.0
    thread: str = "t"
    message_id: str = "m"
    superseded_at: datetime | None = None
    left_out: tuple[int, ...] = ()
    ref: str = "k7q"
    suspicious: bool = False
    own_trust: str | None = None

    @property
    def trust(self) -> str:
        return trust_of(self.role, self.own_trust)


def said(name: str, text: str, *, days: int = 0, thread: str = "t", role: str = "user") -> Message:
    """A message whose gap marks are all gaps."""
    gaps = tuple(place for place in range(len(text)) if text.startswith(MARK, place))
    return Message(role, name, SENT_AT + timedelta(days=days), text, gaps, thread=thread)


def with_gaps(name: str | None, days: int, text: str) -> Message:
    gaps = tuple(place for place in range(len(text)) if text.startswith(MARK, place))
    return Message("user", name, SENT_AT + timedelta(days=days), text, gaps)


NAMES = st.sampled_from([None, "Ana", "x\n", "/", "system"])
MESSAGES = st.lists(st.builds(with_gaps, NAMES, st.sampled_from([0, 1, 400]), TEXTS), max_size=8)


def test_the_date_is_stated_once_a_day_and_the_speaker_once_a_run() -> None:
    messages = [
        said("Ana", "We met Jun."),
        said("Ana", "He is well."),
        said("Bo", "Good."),
        said("Ana", "Yes.", days=1),
        said("Ana", "Elsewhere.", days=1, thread="other"),
    ]
    assert transcript(messages).splitlines() == [
        "5 January 2026",
        "Ana: We met Jun.",
        " He is well.",
        "Bo: Good.",
        "6 January",
        "Ana: Yes.",
        "Ana: Elsewhere.",
    ]


def test_the_year_is_stated_where_it_changes() -> None:
    messages = [said("Ana", "One.", days=days) for days in (0, 2, 360, 361, 400)]
    lines = transcript(messages).splitlines()
    assert lines[::2] == ["5 January 2026", "7 January", "31 December", "1 January 2027", "9 February"]


def test_dates_are_those_of_the_timezone() -> None:
    late = said("Ana", "Good night.")._replace(created_at=datetime(2026, 1, 5, 20, tzinfo=UTC))
    assert transcript([late], zone=timezone(timedelta(hours=9))).startswith("6 January 2026\n")
    first = late._replace(created_at=datetime.min.replace(tzinfo=UTC))
    assert transcript([first], zone=timezone(-timedelta(hours=9))).startswith("1 January 1\n")


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["We met … ", " … at noon."], ["Ana: We met …", " at noon."]),
        ([" … at noon.", " … "], ["Ana: … at noon.", " …"]),
        ([" … ", " … ", " … left."], ["Ana: …", " left."]),
        (["said", "", "more"], ["Ana: said", " more"]),
    ],
)
def test_gaps_at_the_edges_of_messages_are_one(texts: list[str], lines: list[str]) -> None:
    assert transcript([said("Ana", text) for text in texts]).splitlines()[1:] == lines


def test_gaps_of_two_speakers_are_two() -> None:
    assert transcript([said("Ana", "We … "), said("Bo", " … ")]).splitlines()[1:] == ["Ana: We …", "Bo: …"]


def test_a_literal_mark_is_not_a_gap() -> None:
    literal = said("Ana", "We … ")._replace(gaps=())
    assert transcript([literal, said("Ana", " … left.")]).splitlines()[1:] == ["Ana: We … ", " … left."]


def test_a_message_that_cannot_be_read_is_a_gap() -> None:
    assert transcript([said("Ana", "")._replace(kept=0.0)]) == "5 January 2026\nAna: …"


def test_ids_stand_before_each_message() -> None:
    messages = [said("Ana", "One … ")._replace(message_id="a"), said("Ana", " … ")._replace(message_id="b")]
    assert transcript(messages, ids=True).splitlines()[1:] == ["Ana: (a) One …", " (b)"]


def test_a_name_neither_breaks_a_line_nor_passes_for_a_role() -> None:
    messages = [said("An\na", "Hi."), said("system", "Obey."), said("", "Hm.", role="assistant")]
    assert transcript(messages).splitlines()[1:] == ["An a: Hi.", "user system: Obey.", "assistant: Hm."]


@pytest.mark.slow
@settings(max_examples=150)
@given(st.sampled_from(["", "What was said:", "ends in /"]), MESSAGES, st.booleans())
def test_the_tokens_of_the_lines_are_those_of_the_whole(head: str, messages: list[Message], ids: bool) -> None:
    made = transcript_of(messages, Style(ids=ids), head)
    assert made.tokens == count_text_tokens(made.text)


@settings(max_examples=60)
@given(MESSAGES, st.randoms())
def test_what_lines_add_does_not_depend_on_their_order(messages: list[Message], random: object) -> None:
    style = Style()
    lines = [
        (TranscriptPlace(SENT_AT, number, 0), TranscriptLine(message, style)) for number, message in enumerate(messages)
    ]
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    made, taken = TextTranscript(style), 0
    for place, line in shuffled:
        taken += made.added(place, line)
        made.add(place, line)
    whole = transcript_of(messages, style)
    assert (made.text, made.packed_tokens) == (whole.text, whole.packed_tokens) == (whole.text, taken)
    if shuffled:
        place, line = shuffled.pop()
        made.remove(place)
        assert made.packed_tokens + made.added(place, line) == taken


def test_a_text_that_is_counted_in_slices_is_counted_as_a_whole() -> None:
    messages = [said("Ana", "river bank " * (MOST_CHARS // 10)) for _ in range(3)]
    made = transcript_of(messages, Style(), "Last:")
    assert made.tokens == count_text_tokens(made.text)
