"""Banks of long messages, whose postings fill several segments of the index."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest
from support.operations.checks import check, examples

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index import packed_index
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.storage.database import Database

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
PASSAGES = (1, 1, 1, 2, 3, 5, 9, 40)
PLAIN = "and then they went on about the weather as they always do before anybody says what it is that they came for"


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that a few messages fill."""
    monkeypatch.setattr(packed_index, "SEGMENT", 16)
    monkeypatch.setattr(packed_index, "SEGMENT_POSTINGS", 600)
    monkeypatch.setattr(packed_index, "RECENT", 6)


def word(number: int) -> str:
    """A word that stands nowhere else."""
    syllables = []
    for _ in range(4):
        number, syllable = divmod(number, 60)
        syllables.append("bdfgklmnprtz"[syllable // 5] + "aeiou"[syllable % 5])
    return "".join(syllables) + "x"


def passage(first: int) -> str:
    """A paragraph that is a passage by itself, with the words from `first` on."""
    return "\n\n" + " ".join(f"{word(first + n)} {PLAIN}." for n in range(4))


class Bank:
    """A memory beside a plain model of it."""

    def __init__(self, url: str, seed: int, options: MemoryOptions | None = None) -> None:
        self.random = Random(seed)
        self.now = START
        self.memory = Memory(url, clock=lambda: self.now, options=options)
        self.memory.set_policy("ana", {"undo_window": "P20D", "seal_after": "P300D", "age_from": "message"})
        #: id → the words of each passage, of the messages that are there and of those that were erased
        self.held: dict[str, list[list[str]]] = {}
        self.erased: dict[str, list[list[str]]] = {}
        self._words, self._keys = count(), count()

    def store(self) -> None:
        given = []
        for _ in range(self.random.randint(1, 5)):
            key = str(next(self._keys))
            firsts = [4 * next(self._words) for _ in range(self.random.choice(PASSAGES))]
            self.held[key] = [[word(first + n) for n in range(4)] for first in firsts]
            given.append({"id": key, "role": "user", "content": "".join(map(passage, firsts))})
        self.memory.store("ana", given)

    def seal(self) -> None:
        self.memory.seal("ana")

    def age(self) -> None:
        self.now += self.random.choice([1, 8, 31, 400]) * DAY
        self.memory.age("ana")

    def undo(self) -> None:
        self.memory.undo("ana")
        for page in self.memory.pages("ana", limit=500).pages:
            self.memory.pin("ana", page.id, pinned=False)

    def erase(self) -> None:
        if self.held:
            key = self.random.choice(sorted(self.held))
            self.memory.erase_message("ana", key)
            self.erased[key] = self.held.pop(key)

    def check(self) -> None:
        """What is there is listed once, what is exact is found by each of its words, and what is erased by none."""
        remembered = {span.message_id: span for span in self.memory.export("ana")}
        assert remembered.keys() == self.held.keys()
        for key, passages in self.random.sample(sorted(self.held.items()), min(6, len(self.held))):
            for words in self.random.sample(passages, min(3, len(passages))):
                found = self.memory.recall("ana", " ".join(words), limit=500).spans
                assert {span.message_id for span in found} <= self.held.keys()
                spans = [(span.message_id, span.passage) for span in found]
                assert len(spans) == len(set(spans))
                if remembered[key].source != "decoded" or not remembered[key].gaps:
                    assert found[0].message_id == key
                    assert words[0] in found[0].text
        for _, passages in self.random.sample(sorted(self.erased.items()), min(4, len(self.erased))):
            for words in self.random.sample(passages, min(5, len(passages))):
                assert self.memory.recall("ana", " ".join(words)).spans == []
        listed: list[str] = []
        cursor = None
        while True:
            part = self.memory.recall("ana", limit=7, cursor=cursor)
            listed += [span.message_id for span in part.spans]
            cursor = part.next_cursor
            if cursor is None:
                break
        assert sorted(listed) == sorted(self.held)


@pytest.fixture
def bank(database_url: str) -> Iterator[Bank]:
    opened = Bank(database_url, seed=1)
    yield opened
    opened.memory.close()


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_bank_of_long_messages_is_like_its_model(bank: Bank, database_url: str) -> None:
    bank.store()
    steps = [bank.store, bank.store, bank.seal, bank.age, bank.undo, bank.erase, bank.erase]
    for step in bank.random.sample(steps, len(steps)):
        step()
        bank.check()
    assert examples(check(database_url, embedder="none")) == []


def test_postings_of_passages_that_are_gone_are_passed_over(bank: Bank, database_url: str) -> None:
    bank.memory.store("ana", [{"id": key, "role": "user", "content": f"{key} pie"} for key in ("apple", "plum")])
    with Database(database_url) as database, database.write() as connection:
        PackedIndex().replace(connection, 1, {1: [Counter(["appl", "pie"])] * 3, 70: [Counter(["appl"])] * 2})
    for query in ({"limit": 20}, {"limit": 1, "neighbours": 1}):
        found = bank.memory.recall("ana", "apple pie", **query).spans
        assert sorted((span.message_id, span.passage) for span in found) == [("apple", None), ("plum", None)]
