"""Search indexes: what all of them do, choosing one, and a memory on one of another kind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.plugins import InstallPlugin
from support.search_doubles import DictionaryIndex

from foxing.memory import Memory, MemoryOptions, SearchIndexError
from foxing.memory.index import packed_index
from foxing.memory.index.packed_index import PackedIndex
from foxing.memory.index.postings import RECORD, Postings
from foxing.memory.index.search_index import SearchIndex
from foxing.memory.index.search_indexes import SEARCH_INDEXES, open_search_index
from foxing.memory.recall.conformance import INDEX_CHECKS, IndexedBank
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import postings as stored_postings

pytestmark = pytest.mark.usefixtures("words_alone", "message_ages")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = ("apple", "bridge", "candle", "dragon", "engine", "forest")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.mark.parametrize("check", INDEX_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("create", [PackedIndex, DictionaryIndex])
def test_every_search_index_conforms(
    create: Callable[[], SearchIndex], check: Callable[[IndexedBank], None], database: Database
) -> None:
    check(IndexedBank(create(), database))


def test_the_suite_notices_an_index_that_forgets_the_filter(database: Database) -> None:
    class Unfiltered(DictionaryIndex):
        def search(self, connection, query, *, after=None, limit):  # type: ignore[no-untyped-def]
            everything = type(query)(query.bank_id, query.terms, newest=query.newest)
            return super().search(connection, everything, after=after, limit=limit)

    filters = next(check for check in INDEX_CHECKS if check.__name__ == "filters_messages")
    with pytest.raises(AssertionError, match="time window"):
        filters(IndexedBank(Unfiltered(), database))


def test_a_word_of_nearly_all_messages_is_not_searched_for_beside_a_rarer_one(database: Database) -> None:
    bank = IndexedBank(PackedIndex(), database)
    bank.store(*["common"] * 300, "common rare", "rare")
    assert set(bank.found("common rare")) == {300, 301}
    assert len(bank.hits("common", limit=500)) == 301
    assert set(bank.found("common unknown")) <= set(range(301))


def test_the_index_of_a_small_bank_is_packed_when_it_is_sealed(database_url: str) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:
        words = [f"{word} {number}" for number in range(60) for word in ("apple", "candle", "dragon")]
        memory.store("ana", [{"role": "user", "content": " ".join(words[n::3])} for n in range(3)])
        open_bytes = memory.bank("ana").bytes.index
        memory.seal("ana")
        assert memory.bank("ana").bytes.index < open_bytes / 2
        assert "candle 7" in memory.recall("ana", "candle").spans[0].text


def test_segments_hold_so_many_postings_and_lose_none(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    monkeypatch.setattr(packed_index, "SEGMENT", 100)
    monkeypatch.setattr(packed_index, "SEGMENT_POSTINGS", 1_000)
    bank = IndexedBank(PackedIndex(), database)
    texts = [" ".join(f"word{number % (width + 1)}" for number in range(width)) for width in (3, 400) * 150]
    bank.store(*texts)
    with database.read() as connection:
        assert len(stored_postings.segments(connection, bank.id)) > 40
    assert len(bank.hits("word2", limit=1_000)) == 300
    assert len(bank.hits("word399", limit=1_000)) == 150


@pytest.mark.parametrize("create", [PackedIndex, DictionaryIndex])
def test_a_memory_works_on_every_search_index(create: Callable[[], SearchIndex], database_url: str) -> None:
    index = create()
    with Memory(database_url, clock=lambda: NOW, options=MemoryOptions(search_index=index)) as memory:
        memory.store(
            "ana",
            [
                {"id": word, "role": "user", "content": f"The {word} is late again. " * 5, "created_at": NOW - n * DAY}
                for n, word in enumerate(WORDS)
            ],
        )
        for change in (lambda: None, lambda: memory.seal("ana"), lambda: memory.age("ana", now=NOW + 40 * DAY)):
            change()
            assert memory.recall("ana", "dragon").spans[0].message_id == "dragon"
            seen: list[str] = []
            cursor = None
            while True:
                part = memory.recall("ana", "late again", limit=2, cursor=cursor)
                seen += [span.message_id for span in part.spans]
                cursor = part.next_cursor
                if cursor is None:
                    break
            assert sorted(seen) == sorted(WORDS)
            assert memory.bank("ana").bytes.index > 0
        images = memory.recall_images("ana", "candle")
        assert "candle" in images.images[0].message_ids


def test_an_index_of_another_package_is_chosen_by_name(
    database_url: str, install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(SEARCH_INDEXES, "dictionaries", DictionaryIndex)
    assert SEARCH_INDEXES.choices() == ["dictionaries", "packed"]
    with Memory(database_url, options=MemoryOptions(search_index="dictionaries")) as memory:
        memory.store("ana", [{"id": "1", "role": "user", "content": "apple"}])
        assert [span.message_id for span in memory.recall("ana", "apple").spans] == ["1"]
    with Memory(database_url) as memory:  # the database's own index holds nothing of it
        assert memory.recall("ana", "apple").spans == []


def test_an_unknown_or_broken_index_says_what_to_do(database_url: str, install_plugin: InstallPlugin) -> None:
    with pytest.raises(SearchIndexError, match="choose one of packed"):
        Memory(database_url, options=MemoryOptions(search_index="packt"))
    install_plugin(SEARCH_INDEXES, "half", object)
    with pytest.raises(SearchIndexError, match="lacks methods"):
        open_search_index("half")
    install_plugin(SEARCH_INDEXES, "no-callable", 5)
    with pytest.raises(SearchIndexError, match="callable"):
        open_search_index("no-callable")


def test_postings_of_later_documents_are_added_as_if_all_were_sorted() -> None:
    random = np.random.default_rng(7)
    terms = random.integers(0, 2_000, 30_000)
    documents = np.sort(random.integers(0, 3_000, 30_000))
    _, one_each = np.unique(documents * 2_000 + terms, return_index=True)
    held = np.zeros(len(one_each), dtype=RECORD)
    held["document"], held["term"] = documents[one_each], terms[one_each]
    held["count"] = random.integers(1, 9, len(held))
    early = held["document"] < 2_500
    whole = Postings.of(held)
    for joined in (Postings.of(held[early]).followed_by(Postings.of(held[~early])), Postings.unpack(whole.pack())):
        for name in ("documents", "terms", "starts", "places", "counts"):
            assert np.array_equal(getattr(joined, name), getattr(whole, name)), name
