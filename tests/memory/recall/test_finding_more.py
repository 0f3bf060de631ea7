"""What a question finds beyond its own words: messages of the speaker that it names, and a second look."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.search_doubles import DictionaryIndex, HashingEmbedder

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.feedback import FeedbackIndex, with_related
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.scores import Scores
from foxing.memory.index.search_index import SearchIndex, SearchQuery
from foxing.memory.recall.conformance import IndexedBank
from foxing.memory.storage.database import Database
from foxing.memory.text.passages import document_key

pytestmark = pytest.mark.usefixtures("words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
#: Twenty messages between each of these, so that none is a neighbour of another.
TALK = (
    ("Ben", "Ada, which instrument do you like to play, Ada?"),
    ("Ada", "I like to play the clarinet."),
    ("Ben", "Ben here: my instrument is the drum."),
    ("Ada", "The clarinet needs a new reed, and Quillwood has none."),
    ("Ben", "Quillwood closes at noon on Saturdays."),
)


def stored(memory: Memory, bank: str, talk: tuple[tuple[str, str], ...], *, between: int = 20) -> None:
    messages = []
    for speaker, text in talk:
        at = NOW - timedelta(days=9) + len(messages) * MINUTE
        messages.append({"id": text, "role": "user", "name": speaker, "content": text, "created_at": at})
        for number in range(between):
            filler = f"filler {chr(97 + number % 26)}{len(messages)}"
            messages.append({"role": "user", "name": "Cleo", "content": filler, "created_at": at + MINUTE})
    memory.store(bank, messages)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        stored(opened, "talk", TALK)
        yield opened


def found(memory: Memory, query: str, **options: object) -> list[str]:
    spans = memory.recall("talk", query, **options).spans  # type: ignore[arg-type]
    return [span.message_id for span in spans if span.name != "Cleo"]


@pytest.mark.both_databases
def test_messages_of_the_speaker_that_is_named_come_first(memory: Memory) -> None:
    ben, ada = TALK[0][1], TALK[1][1]
    assert found(memory, "Which instrument does Ada like to play?")[0] == ada
    assert found(memory, "Which instrument does somebody like to play?")[0] == ben
    assert found(memory, "Which instrument does ada like to play?")[0] == ben  # no name as it is written


def test_both_speakers_of_a_question_count(memory: Memory) -> None:
    assert found(memory, "Did Ben ask Ada which instrument she likes to play?")[0] == TALK[0][1]


def test_the_speaker_is_known_when_the_message_is_sealed(memory: Memory) -> None:
    memory.seal("talk")
    memory.age("talk", now=NOW + timedelta(days=400))
    assert found(memory, "Which instrument does Ada like to play?")[0] == TALK[1][1]


def test_the_scores_of_a_bank_of_one_speaker_are_unchanged(memory: Memory) -> None:
    stored(memory, "alone", tuple(("Ada", text) for _, text in TALK), between=0)
    named, unnamed = (memory.recall("alone", f"What does {name} play?").spans for name in ("Ada", "ADA"))
    assert [(span.message_id, span.score) for span in named] == [(span.message_id, span.score) for span in unnamed]


@pytest.mark.both_databases
def test_a_second_look_finds_what_shares_a_rare_word_with_the_first_hits(memory: Memory) -> None:
    reed, shop = TALK[3][1], TALK[4][1]
    hits = found(memory, "Who needs a new reed?")
    assert hits[0] == reed
    assert shop in hits  # shares only “Quillwood” with the first hit


def test_the_second_look_obeys_filters(memory: Memory) -> None:
    assert found(memory, "Who needs a new reed?", until=NOW - timedelta(days=9) + 65 * MINUTE) == [TALK[3][1]]


def test_the_second_look_adds_to_each_page_once(memory: Memory) -> None:
    pages, cursor = [], None
    while True:
        result = memory.recall("talk", "Who needs a new reed?", limit=2, cursor=cursor)
        pages += [span.message_id for span in result.spans]
        cursor = result.next_cursor
        if cursor is None:
            break
    assert len(pages) == len(set(pages))
    assert TALK[4][1] in pages


def test_an_index_without_a_second_look_finds_the_rest(database_url: str) -> None:
    index: SearchIndex = DictionaryIndex()
    assert not isinstance(index, FeedbackIndex)
    assert isinstance(PackedIndex(), FeedbackIndex)
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(search_index=index)) as memory:
        stored(memory, "talk", TALK)
        assert found(memory, "Which instrument does Ada like to play?")[0] == TALK[0][1]
        assert TALK[4][1] not in found(memory, "Who needs a new reed?")


def test_the_second_look_also_finds_what_is_near_in_meaning(database_url: str) -> None:
    options = MemoryOptions(embedder=HashingEmbedder())
    with Memory(database_url, clock=lambda: NOW, options=options) as memory:
        stored(memory, "talk", TALK)
        hits = found(memory, "Who needs a new reed?")
        assert hits[0] == TALK[3][1]
        assert TALK[4][1] in hits


def test_terms_that_are_searched_for_again_are_rare_and_shared(database_url: str) -> None:
    opened = Database(database_url)
    opened.migrate()
    bank = IndexedBank(index := PackedIndex(), opened)
    bank.store("reed shop common", "shop once common", *["common"] * 40)
    with opened.read() as connection:
        (best,) = index.search(connection, SearchQuery(bank.id, {"reed": 1}), limit=10)
        reader = index.reader(connection, bank.id, None)
        related = reader.related(["reed"], Scores.of({best.document: 1.0}))
        none = reader.related(["reed", "shop"], Scores.of({best.document: 1.0}))
        assert reader.known(["reed", "shop", "unknown"]) == {"reed", "shop"}
        documents = np.array([document_key(bank.ids[number], 0) for number in (1, 0, 5)], dtype=np.int64)
        assert reader.contain(documents, ["reed", "once"]).tolist() == [True, True, False]
        assert reader.contain(documents[:0], ["reed"]).tolist() == reader.contain(documents, [])[:0].tolist() == []
        earlier = index.reader(connection, bank.id, bank.ids[0])
        assert earlier.contain(documents, ["shop"]).tolist() == [False, True, False]
        assert not index.reader(connection, bank.id + 1, None).contain(documents, ["shop"]).any()
    opened.close()
    assert sorted(related.documents.tolist()) == [document_key(bank.ids[number], 0) for number in (0, 1)]
    assert not len(none)  # “common” is in nearly all messages, “once” in no other


def test_related_passages_are_added_to_the_hits() -> None:
    lexical = Scores.of({1: 2.0, 4: 1.0})
    related = Scores.of({9: 0.5, 1: 0.5, 2: 0.25, 7: 0.75})
    documents = Scores.of({1: 0, 2: 0, 4: 0}).documents

    def summed(more: int) -> dict[int, float]:
        scores = with_related(lexical, documents, related, more)
        return dict(zip(scores.documents.tolist(), scores.values.tolist(), strict=True))

    assert summed(0) == pytest.approx({1: 2 + 1 / 3, 2: 0.2, 4: 1.0})
    assert summed(1) == pytest.approx({1: 2 + 1 / 3, 2: 0.2, 4: 1.0, 7: 3 / 7})
    assert summed(5) == pytest.approx({1: 2 + 1 / 3, 2: 0.2, 4: 1.0, 7: 3 / 7, 9: 1 / 3})
    assert len(with_related(lexical, documents, related[:0], 5)) == 2
    alone = with_related(lexical[:0], documents[:0], related, 5)
    assert sorted(alone.values.tolist()) == [0.25, 0.5, 0.5, 0.75]


def test_what_is_related_does_not_come_before_what_was_asked_for() -> None:
    lexical = Scores.of({1: 2.0})
    related = Scores.of({1: 0.0, 2: 40.0})
    scores = with_related(lexical, lexical.documents, related, 5)
    assert dict(zip(scores.documents.tolist(), scores.values.tolist(), strict=True))[2] < 1.0
