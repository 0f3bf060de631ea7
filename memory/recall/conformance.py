"""Conformance checks of search indexes and embedders. A failed check raises `AssertionError` with the reason.

from foxing.memory.recall.conformance import check_embedder, check_search_index
check_search_index(index, database)
check_embedder(embedder)
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from foxing.memory.index.embedder import Embedder
from foxing.memory.index.search_index import Hit, SearchIndex, SearchQuery
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages
from foxing.memory.values.policy import default_fields

START = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = count()


class IndexedBank:
    """A new bank of a database, with its messages in an index. Message n was written n days after `START`."""

    def __init__(self, index: SearchIndex, database: Database) -> None:
        self.index = index
        self.database = database
        #: message ids in the order stored
        self.ids: list[int] = []
        with database.write() as connection:
            name = f"conformance {next(_numbers)}"
            self.id = banks.get_or_create(connection, name, START, default_fields()).id
            self.thread_ids = banks.thread_ids(connection, self.id, ["one", "other"])

    def store(self, *texts: str, thread: str = "one") -> None:
        """Stores one message for each of `texts` in `thread`."""
        with self.database.write() as connection:
            first = len(self.ids)
            new = dialect_of(connection).reserve_message_ids(connection, len(texts))
            rows = [self._row(i, first + n, text, thread) for n, (i, text) in enumerate(zip(new, texts, strict=True))]
            messages.insert(connection, rows, self.id)
            self.index.add(connection, self.id, {i: [_terms(text)] for i, text in zip(new, texts, strict=True)})
        self.ids += new

    def replace(self, texts: Mapping[int, Sequence[str]]) -> None:
        """Replaces the words of messages. `texts`: message number → the texts of its passages."""
        counts = {self.ids[n]: [_terms(text) for text in passages] for n, passages in texts.items()}
        with self.database.write() as connection:
            self.index.replace(connection, self.id, counts)

    def fade(self, texts: Mapping[int, Sequence[str]], most: int | None) -> None:
        """Removes the faded words of messages. `texts`: message number → what is left of its passages."""
        counts = {self.ids[n]: [_terms(text) for text in passages] for n, passages in texts.items()}
        with self.database.write() as connection:
            self.index.fade(connection, self.id, counts, most)

    def terms_of(self, numbers: Sequence[int], text: str) -> dict[int, set[str]]:
        """Returns message number → those words of `text` that the index has for it."""
        with self.database.read() as connection:
            found = self.index.terms_of(connection, self.id, [self.ids[n] for n in numbers], list(_terms(text)))
        return {self.ids.index(message_id): set(terms) for message_id, terms in found.items()}

    def remove(self, *numbers: int) -> None:
        """Removes the messages of these numbers from the index."""
        with self.database.write() as connection:
            self.index.remove(connection, self.id, [self.ids[number] for number in numbers])

    def compact(self) -> None:
        """Compacts the index of the bank."""
        with self.database.write() as connection:
            self.index.compact(connection, self.id)

    def hits(
        self,
        text: str,
        *,
        within: MessageFilter | None = None,
        newest: int | None = None,
        after: Hit | None = None,
        limit: int = 100,
    ) -> list[Hit]:
        """Returns the hits of a search for the words of `text`."""
        query = SearchQuery(self.id, _terms(text), within or MessageFilter(), newest)
        with self.database.read() as connection:
            return self.index.search(connection, query, after=after, limit=limit)

    def found(self, text: str, within: MessageFilter | None = None) -> list[int]:
        """Returns the numbers of the messages that a search returns."""
        return [self.ids.index(hit.message_id) for hit in self.hits(text, within=within)]

    def _row(self, message_id: int, number: int, text: str, thread: str) -> messages.NewRow:
        return {
            "id": message_id,
            "bank_id": self.id,
            "key": str(number),
            "thread_id": self.thread_ids[thread],
            "role": "user",
            "name": None,
            "created_at": START + timedelta(days=number),
            "arrived_at": START + timedelta(days=number),
            "content": text,
            "parts": 0,
            "gaps": None,
            "metadata": None,
            "digest": b"",
            "chars": len(text),
            "passages": 1,
            "trust": None,
            "suspicious": False,
        }


def finds_words(bank: IndexedBank) -> None:
    """Checks that a message is found by each of its words, and only by them."""
    bank.store("red apple", "green apple", "blue sky")
    _expect(set(bank.found("apple")) == {0, 1}, "not all messages with a word are found")
    _expect(bank.found("sky") == [2], "a message is not found by its word")
    _expect(bank.found("cloud") == [], "a word that no message has finds something")
    _expect(bank.hits("") == [], "a query without words finds something")


def finds_the_same_when_compact(bank: IndexedBank) -> None:
    """Checks that compacting, even repeatedly, does not change the hits."""
    bank.store("red apple", "green apple", "blue sky")
    before = bank.hits("apple sky")
    for _ in range(2):
        bank.compact()
        _expect(bank.hits("apple sky") == before, "compacting changes the hits of a query")
    bank.store("red sky")
    bank.compact()
    _expect(set(bank.found("red")) == {0, 3}, "a message stored after compacting is not found")


def ranks_by_relevance(bank: IndexedBank) -> None:
    """Checks that rare words count more than common ones, and that hits are sorted by score."""
    bank.store(*["common word"] * 4, "rare word", *["common word"] * 4)
    found = bank.hits("common rare")
    scores = [hit.score for hit in found]
    _expect(scores == sorted(scores, reverse=True), "hits are not sorted by score")
    _expect(bank.ids.index(found[0].message_id) == 4, "a rare word does not count more than a common one")
    _expect(found[0].score > found[1].score, "a rare word does not score higher than a common one")


def gives_the_share_of_a_query(bank: IndexedBank) -> None:
    """Checks that the share of a hit is 1 with all words of the query, less without the rarer ones, and that words
    which no message has count."""
    bank.store(*["common"] * 5, "common rare", "rare")
    shares = {bank.ids.index(hit.message_id): hit.share for hit in bank.hits("common rare")}
    _expect(abs(shares[5] - 1) < 1e-9, "the share of a message with all words of the query is not 1")
    _expect(0 < shares[0] < shares[6] < 1, "a common word counts as much as a rare one")
    unknown = {bank.ids.index(hit.message_id): hit.share for hit in bank.hits("common rare unknown")}
    _expect(all(0 < unknown[n] < share for n, share in shares.items()), "a word that no message has does not count")


def counts_messages_with_a_term(bank: IndexedBank) -> None:
    """Checks that document frequencies count each passage of the bank once per term."""
    bank.store("red red apple", "green apple", "blue sky")
    bank.remove(1)
    with bank.database.read() as connection:
        found = dict(bank.index.document_frequencies(connection, bank.id, ["red", "apple", "sky", "cloud"]))
        nothing = dict(bank.index.document_frequencies(connection, bank.id, []))
    _expect(nothing == {}, "an empty list of terms has document frequencies")
    _expect(found == {"red": 1, "apple": 1, "sky": 1}, f"document frequencies are wrong: {found}")


def equal_scores_are_newest_first(bank: IndexedBank) -> None:
    """Checks that hits with equal scores are sorted newest first."""
    bank.store(*["the same"] * 5)
    _expect(bank.found("same") == [4, 3, 2, 1, 0], "hits with equal scores are not sorted newest first")


def continues_after_a_hit(bank: IndexedBank) -> None:
    """Checks that pages of any size add up to the complete list."""
    bank.store(*[f"apple {'pie ' * (number % 4)}" for number in range(23)])
    whole = bank.hits("apple pie")
    _expect(len(whole) == 23, "not all messages are found")
    for limit in (1, 4, 23):
        pages: list[Hit] = []
        while part := bank.hits("apple pie", after=pages[-1] if pages else None, limit=limit):
            _expect(len(part) <= limit, "more hits than the limit")
            pages += part
        _expect(pages == whole, f"pages of {limit} hits do not add up to the complete list")


def filters_messages(bank: IndexedBank) -> None:
    """Checks that filters by time window and thread restrict the hits and do not change scores."""
    bank.store("apple", "apple pie", "apple")
    bank.store("apple", thread="other")
    window = MessageFilter(since=START + timedelta(days=1), until=START + timedelta(days=3))
    scores = {hit.document: hit.score for hit in bank.hits("apple")}
    _expect(set(bank.found("apple", window)) == {1, 2}, "the time window does not restrict the hits")
    _expect(
        bank.found("apple", MessageFilter(thread_id=bank.thread_ids["other"])) == [3],
        "the thread does not restrict the hits",
    )
    filtered = bank.hits("apple", within=window)
    _expect(all(abs(scores[i] - score) < 1e-9 for i, score, _ in filtered), "a filter changes the scores")
    first = bank.hits("apple", within=window, limit=1)
    rest = bank.hits("apple", within=window, after=first[0])
    _expect(first + rest == filtered, "pages of a filtered list do not add up to the complete list")


def later_messages_do_not_count(bank: IndexedBank) -> None:
    """Checks that with `newest`, messages stored later change neither hits nor scores."""
    bank.store("apple", "apple pie", "sky")
    newest = bank.ids[-1]
    before = bank.hits("apple", newest=newest)
    bank.store("apple apple", "apple tree", "tree")
    _expect(bank.hits("apple", newest=newest) == before, "messages stored later change the hits")
    _expect(len(bank.hits("apple")) == 4, "messages stored later are not found")


def finds_passages(bank: IndexedBank) -> None:
    """Checks that passages of a message are found by their own words, and that replacing removes the old ones."""
    bank.store("apple pie", "plum")
    bank.replace({0: ["apple pie", "sky", "apple"], 1: ["plum"]})
    found = {(hit.message_id, hit.passage) for hit in bank.hits("apple")}
    _expect(found == {(bank.ids[0], 0), (bank.ids[0], 2)}, "not all passages with a word are found")
    first = bank.hits("apple", limit=1)
    _expect(
        first + bank.hits("apple", after=first[0]) == bank.hits("apple"),
        "pages of passages do not add up to the complete list",
    )
    bank.replace({0: ["sky"]})
    _expect((bank.found("apple"), bank.found("sky")) == ([], [0]), "a passage was not replaced")


def removes_every_passage(bank: IndexedBank) -> None:
    """Checks that removing and replacing delete every passage of a message with thousands of them."""
    bank.store("plum", "plum", "plum", "plum")
    bank.replace({n: ["apple"] * 3_000 for n in range(4)})
    bank.remove(2)
    _expect(
        len(bank.hits("apple", limit=20_000)) == 9_000, "the hits are not exactly the passages of the other messages"
    )
    bank.replace({0: ["apple"], 1: ["sky"], 3: ["sky"]})
    _expect(bank.found("apple") == [0], "replaced passages are found")


def replaces_words(bank: IndexedBank) -> None:
    """Checks that after replacing, only the new words are found, and that other messages are unaffected."""
    bank.store("apple pie", "apple tree")
    bank.replace({0: ["sky"]})
    _expect((bank.found("apple"), bank.found("pie"), bank.found("sky")) == ([1], [], [0]), "words were not replaced")


def rare_words_outlast_fading(bank: IndexedBank) -> None:
    """Checks that of the words that have faded, only those of few messages stay, where they were."""
    bank.store("red apple pie", "red plum", "red sky", "sky")
    bank.replace({1: ["red plum", "plum stone", "red"]})
    bank.fade({0: ["apple"], 1: ["plum tart"]}, 2)
    _expect(bank.terms_of([0], "red apple pie") == {0: {"apple", "pie"}}, "not the rare words stay, or not only they")
    _expect(
        bank.terms_of([1], "red plum stone tart") == {1: {"plum", "stone", "tart"}},
        "a word that is left is not in the index, or a frequent one that has faded is",
    )
    passages = {hit.passage for hit in bank.hits("plum")}
    _expect(passages == {0, 1}, "a word that is left does not stay with its passages")
    bank.fade({0: [""]}, 0)
    _expect(bank.terms_of([0], "red apple pie") == {}, "faded words stay although none is rare enough")
    bank.fade({1: [""], 2: ["sky"]}, None)
    _expect(
        bank.terms_of([1, 2], "red plum stone") == {1: {"plum", "stone"}, 2: {"red"}},
        "faded words do not stay although all are to",
    )


def words_of_passages_count_by_message(bank: IndexedBank) -> None:
    """Checks that a word is rare if few messages contain it, in however many passages."""
    bank.store("plum", "apple", "apple", "apple")
    bank.replace({0: ["plum"] * 300})
    bank.fade({0: [""], 1: [""]}, 2)
    _expect(len(bank.hits("plum", limit=400)) == 300, "a word of one message counts once for each passage")
    _expect(bank.found("apple") == [3, 2], "a frequent word that has faded stays")


def lists_terms_of_messages(bank: IndexedBank) -> None:
    """Checks that the terms of messages are those of the messages and words asked for, and no others."""
    bank.store("red apple", "green apple", "blue sky")
    _expect(bank.terms_of([0, 2], "apple blue") == {0: {"apple"}, 2: {"blue"}}, "terms of messages are wrong")
    _expect(bank.terms_of([], "apple") == {} == bank.terms_of([0], ""), "asking for nothing gives terms")


def removes_messages(bank: IndexedBank) -> None:
    """Checks that a removed message is not found, that removing is idempotent, and that it can be indexed again."""
    bank.store("apple pie", "apple tree")
    bank.remove(0)
    bank.remove(0)
    _expect(bank.found("apple pie") == [1], "a removed message is found")
    bank.replace({0: ["apple"]})
    _expect(set(bank.found("apple")) == {0, 1}, "a removed message cannot be indexed again")


def rolls_back(bank: IndexedBank) -> None:
    """Checks that changes of a transaction that fails are rolled back."""
    bank.store("apple")
    with suppress(_Abort), bank.database.write() as connection:
        bank.index.replace(connection, bank.id, {bank.ids[0]: [{"sky": 1}]})
        raise _Abort
    _expect((bank.found("apple"), bank.found("sky")) == ([0], []), "a change that was rolled back is in the index")


def banks_are_apart(bank: IndexedBank) -> None:
    """Checks that a search finds only messages of its bank."""
    bank.store("apple")
    other = IndexedBank(bank.index, bank.database)
    other.store("apple apple", "apple")
    _expect(len(bank.hits("apple")) == 1, "a search finds messages of another bank")
    _expect(len(other.hits("apple")) == 2, "a search does not find the messages of its bank")


def describes_a_bank(bank: IndexedBank) -> None:
    """Checks that the statistics count messages, entries and bytes."""
    with bank.database.read() as connection:
        empty = bank.index.statistics(connection, bank.id)
    _expect(empty == (0, 0, 0), "an empty bank has entries")
    bank.store("apple apple pie", "sky", "")
    with bank.database.read() as connection:
        statistics = bank.index.statistics(connection, bank.id)
    _expect((statistics.messages, statistics.entries) == (2, 3), "messages or entries are miscounted")
    _expect(statistics.bytes > 0, "an index with entries takes no bytes")


def vectors_have_length_one(embedder: Embedder) -> None:
    """Checks that any text gives a finite float32 vector of the stated dimensions and of length 1."""
    texts = ["an apple", "사과", "", " \n", "a" * 20_000, "\0\ud7ff🦊"]
    for vectors in (embedder.embed_documents(texts), embedder.embed_queries(texts)):
        _expect(vectors.shape == (len(texts), embedder.dimensions), f"the shape is {vectors.shape}")
        _expect(vectors.dtype == np.float32, f"the dtype is {vectors.dtype}, not float32")
        _expect(bool(np.isfinite(vectors).all()), "a vector has a component that is not finite")
        _expect(bool(np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)), "a vector is not of length 1")
    _expect(
        embedder.embed_documents([]).shape == (0, embedder.dimensions),
        "an empty list of texts does not give an array of shape (0, dimensions)",
    )
    _expect(
        embedder.embed_queries([]).shape == (0, embedder.dimensions),
        "an empty list of queries does not give an array of shape (0, dimensions)",
    )


def the_same_text_gives_the_same_vector(embedder: Embedder) -> None:
    """Checks that the vector of a text is the same in every call and does not depend on the other texts."""
    texts = ["an apple", "the sky is blue", "사과"]
    for embed in (embedder.embed_documents, embedder.embed_queries):
        together = embed(texts)
        alone = np.concatenate([embed([text]) for text in reversed(texts)])[::-1]
        _expect(bool(np.allclose(together, alone, atol=1e-3)), "a vector depends on the other texts of the call")


def alike_texts_are_near(embedder: Embedder) -> None:
    """Checks that a question is closer to the text that answers it than to another."""
    documents = embedder.embed_documents(["The red apple fell from the tree.", "Trains to Busan leave at noon."])
    similarities = documents @ embedder.embed_queries(["When do trains to Busan leave?", "Did an apple fall?"]).T
    _expect(similarities[1, 0] > similarities[0, 0], "a question is closer to another text than to its answer")


class _Abort(Exception):
    """Raised to roll back a transaction."""


#: All checks of a search index.
INDEX_CHECKS: tuple[Callable[[IndexedBank], None], ...] = (
    finds_words,
    finds_the_same_when_compact,
    ranks_by_relevance,
    gives_the_share_of_a_query,
    counts_messages_with_a_term,
    equal_scores_are_newest_first,
    continues_after_a_hit,
    filters_messages,
    later_messages_do_not_count,
    replaces_words,
    rare_words_outlast_fading,
    words_of_passages_count_by_message,
    lists_terms_of_messages,
    removes_messages,
    finds_passages,
    removes_every_passage,
    rolls_back,
    banks_are_apart,
    describes_a_bank,
)

#: All checks of an embedder.
EMBEDDER_CHECKS: tuple[Callable[[Embedder], None], ...] = (
    vectors_have_length_one,
    the_same_text_gives_the_same_vector,
    alike_texts_are_near,
)


def check_search_index(index: SearchIndex, database: Database) -> None:
    """Runs all checks of a search index, each in a new bank of `database`. Raises `AssertionError`."""
    for check in INDEX_CHECKS:
        check(IndexedBank(index, database))


def check_embedder(embedder: Embedder) -> None:
    """Runs all checks of an embedder. Raises `AssertionError`."""
    for check in EMBEDDER_CHECKS:
        check(embedder)


def _terms(text: str) -> Counter[str]:
    words: Sequence[str] = text.split()
    return Counter(words)


def _expect(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)
