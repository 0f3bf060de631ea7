"""The decay benchmark on a small conversation."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.decay import __main__ as command
from benchmarks.decay.conversation import Conversation, Message, Passage, Question, Recalled
from benchmarks.decay.foxing_memory import FoxingAtTier, FoxingMemory
from benchmarks.decay.labels import Label, Span
from benchmarks.decay.measurement import DecayRow, measure
from benchmarks.decay.memories import DatedMemory, fit, transcript
from benchmarks.decay.references import at_random, by_lexrank, kept_within, newest_first, sentences_of
from benchmarks.decay.sources import Source
from foxing.memory.errors import InvalidInput

BEGIN = datetime(2025, 5, 8, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TEXTS = (
    "I adopted a parrot two weeks ago. Her name is Zebedee.",
    "We did not take the ferry. The train to Bremen left at 07:40.",
    "Soup tonight!",
)
MESSAGES = [Message(f"c/{number}", "Ada", text, BEGIN + number * DAY, thread="c") for number, text in enumerate(TEXTS)]
QUESTIONS = [
    Question("What is the parrot called?", "Zebedee", frozenset({"c/0"})),
    Question("When did the train leave?", "07:40", frozenset({"c/1"})),
    Question("Who is never mentioned?", "Ben", frozenset({"c/2"})),
]


def span(number: int, part: str) -> Span:
    start = TEXTS[number].index(part)
    return Span(start, start + len(part), part)


LABELS = [
    Label("c", "c", "0", "relative_time", (span(0, "two weeks ago"),)),
    Label("c", "c", "0", "name", (span(0, "Zebedee"),)),
    Label("c", "c", "1", "outcome", (span(1, "07:40"),), question="When did the train leave?"),
    Label("c", "c", "1", "negation", (span(1, "not"),), (span(1, "take the ferry"),)),
]
SOURCE = Source("small", [Conversation("c", MESSAGES, QUESTIONS)], LABELS)


class Forgetful:
    """Holds the first sentence of each message after a month, and nothing of it after a year."""

    def __init__(self) -> None:
        self._messages: Sequence[Message] = ()
        self._texts: dict[str, str] = {}
        self.asked = 0

    def store(self, bank: str, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._texts = {message.id: message.text for message in messages}

    def pass_time(self, bank: str, now: datetime) -> bool:
        age = now - self._messages[-1].created_at
        before = dict(self._texts)
        if age >= timedelta(days=30):
            self._texts = {key: f"{text.split('.')[0]}." for key, text in before.items()}
        if age >= timedelta(days=365):
            self._texts = {}
        return before != self._texts

    def recall(self, bank: str, question: str, max_tokens: int) -> Recalled:
        self.asked += 1
        return fit([message for message in self._messages if message.id in self._texts], self._texts, max_tokens)

    def export(self, bank: str) -> Iterable[Passage]:
        return [Passage(text, key) for key, text in self._texts.items()]

    def bytes_held(self, bank: str) -> int:
        return sum(map(len, self._texts.values()))

    def close(self) -> None:
        pass


def test_a_memory_is_asked_at_each_age_at_which_it_has_changed() -> None:
    memory = Forgetful()
    rows = {row.age_days: row for row in measure("forgetful", lambda: memory, [SOURCE], (1, 7, 30, 365), (200,))}
    assert isinstance(memory, DatedMemory)
    assert memory.asked == 3 * 2  # two questions have an answer; at 7 days nothing has changed
    assert [rows[age].questions for age in rows] == [2, 2, 2, 2]
    assert [rows[age].whole["200"] for age in rows] == [1, 1, 0, 0]
    assert [rows[age].found["200"] for age in rows] == [1, 1, 1, 0]
    assert rows[30].facts == {"name": (1, 0), "relative_time": (1, 1)}
    assert rows[30].asked == {"outcome": (1, 0)}
    assert rows[30].negations == (1, 1)
    assert rows[30].all_facts == 0.5
    assert rows[30].tokens_left < 0.9
    assert rows[365].negations == (0, None)
    assert (rows[365].words, rows[365].alone, rows[365].bytes) == (0, None, 0)


def test_other_ways_of_forgetting_hold_the_same_bytes() -> None:
    references = {"newest": newest_first, "random": at_random}
    rows = measure("forgetful", Forgetful, [SOURCE], (1, 365), (200,), references)
    by_memory = {(row.memory, row.age_days): row for row in rows}
    assert len(by_memory) == 6
    assert by_memory["newest", 365].whole == {"200": 0}
    assert by_memory["newest", 1].bytes == by_memory["forgetful", 1].bytes


def test_the_newest_sentences_are_kept_in_the_order_of_their_message() -> None:
    assert kept_within(newest_first(MESSAGES), 1000) == {message.id: message.text for message in MESSAGES[::-1]}
    assert kept_within(newest_first(MESSAGES), 60) == {"c/2": TEXTS[2], "c/1": "The train to Bremen left at 07:40."}
    assert kept_within(newest_first(MESSAGES), 0) == {}
    assert at_random(MESSAGES) == at_random(MESSAGES)
    assert set(at_random(MESSAGES)) == set(sentences_of(MESSAGES))


def test_a_summary_shortens_all_days_alike() -> None:
    pytest.importorskip("sumy")
    days = [
        Message(f"c/{number}", "Ada", f"Titan ships on day {number}. Titan ships in May. Rain.", BEGIN + number * DAY)
        for number in range(3)
    ]
    first = by_lexrank(days)[:3]
    assert [sentence.message_id for sentence in first] == ["c/0", "c/1", "c/2"]
    assert all(sentence.text.startswith("Titan ships") for sentence in first)
    assert {sentence.text for sentence in by_lexrank(days)} == {each.text for each in sentences_of(days)}


def test_a_transcript_states_a_date_once() -> None:
    texts = {message.id: message.text for message in MESSAGES}
    late = Message("late", "Ben", "Hi", BEGIN + timedelta(minutes=1))
    shown = transcript([late, MESSAGES[0]], texts | {"late": "Hi"})
    assert shown == f"2025-05-08\nAda: {TEXTS[0]}\nBen: Hi"
    assert [passage.message_id for passage in fit(MESSAGES, texts, 52).passages] == ["c/0", "c/2"]


def test_a_memory_is_opened_by_the_name_of_its_class(repository: Path) -> None:
    assert command.open_named("benchmarks.decay.foxing_memory:FoxingMemory") is FoxingMemory
    with pytest.raises(InvalidInput, match=r"there is no memory nowhere:Memory; give MODULE:NAME"):
        command.open_named("nowhere:Memory")


@pytest.mark.slow
def test_foxing_answers_from_what_its_tier_holds() -> None:
    memory = FoxingMemory()
    rows = measure("foxing", lambda: memory, [SOURCE], (1, 60), (200,))
    assert [row.whole for row in rows] == [{"200": 1.0}, {"200": 1.0}]
    assert rows[0].tokens_left == pytest.approx(1)
    assert rows[1].invented == 0
    (row,) = measure("foxing at micro", lambda: FoxingAtTier("micro"), [SOURCE], (1,), (200,))
    assert row.whole == {"200": 1.0}
    assert row.facts == {"name": (1, 1), "relative_time": (1, 1)}


@pytest.mark.slow
def test_the_command_writes_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "read_sources", lambda *_: [SOURCE])
    given = ["--age", "1", "--budget", "200"]
    command.main([*given, "--no-references", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["decay"]
    assert DecayRow(**row).whole == {"200": 1.0}
    monkeypatch.setattr(command, "MEMORIES", {"forgetful": Forgetful})
    command.main([*given, "--memory", "forgetful"])
    assert "whole 200" in capsys.readouterr().out
