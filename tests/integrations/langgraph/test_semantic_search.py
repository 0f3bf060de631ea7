"""Search by meaning: with the embedder of the memory, and with one that the store is configured with."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypedDict

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore, PutOp, SearchItem
from langgraph.store.memory import InMemoryStore

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingStore
from foxing.memory import InvalidInput, Memory

FACTS = {
    "diet": "Ana has not eaten meat or fish since 2019.",
    "car": "She drives a blue Toyota Corolla from 2014.",
    "sibling": "Her brother Tomás lives in Lisbon.",
    "date": "The wedding is on 14 June 2027 in Porto.",
    "budget": "They can spend at most 9,000 euros on the reception.",
    "seat": "Ana prefers window seats on trains.",
    "dog": "Her dog is called Pipo and is afraid of thunder.",
    "job": "She works as a structural engineer at a bridge company.",
}
QUESTIONS = {
    "diet": "Is she a vegetarian?",
    "car": "What vehicle does she own?",
    "sibling": "Does she have any siblings?",
    "date": "When do they get married?",
    "budget": "How much money is available for the party?",
}


class Turn(TypedDict):
    question: str
    found: Annotated[list[SearchItem], lambda _, new: new]


class Letters(Embeddings):
    """Counts letters; records what it was asked."""

    def __init__(self) -> None:
        self.documents: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.documents += texts
        return [[float(text.count(chr(97 + number))) for number in range(26)] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return Letters().embed_documents([text])[0]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A memory with the default embedder."""
    with Memory(tmp_path / "foxing.db") as memory:
        yield memory


def keys(items: Sequence[SearchItem]) -> list[str]:
    return [item.key for item in items]


def test_a_compiled_graph_finds_facts_by_meaning(memory: Memory) -> None:
    def remember(state: Turn, *, store: BaseStore) -> dict[str, list[SearchItem]]:
        return {"found": store.search(("users", "ana"), query=state["question"], limit=3)}

    with FoxingStore.connect(memory, "ana") as store:
        for key, text in FACTS.items():
            store.put(("users", "ana"), key, {"text": text})
        builder = StateGraph(Turn)
        builder.add_node("remember", remember)
        builder.add_edge(START, "remember")
        graph = builder.compile(store=store)
        for key, question in QUESTIONS.items():
            found: list[SearchItem] = graph.invoke({"question": question, "found": []})["found"]
            assert found[0].key == key
            scores = [item.score for item in found]
            assert None not in scores
            assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]


def test_paths_and_false_choose_what_is_searched(memory: Memory) -> None:
    with FoxingStore.connect(memory, "ana", index=["text"]) as store:
        store.put(("n",), "title", {"title": "She eats no meat.", "text": "page 7"})
        store.put(("n",), "text", {"title": "page 8", "text": "She eats no meat."})
        store.put(("n",), "given", {"title": "She eats no meat.", "text": "page 9"}, index=["title"])
        store.put(("n",), "none", {"text": "She eats no meat."}, index=False)
        found = store.search(("n",), query="vegetarian")
        assert set(keys(found)[:2]) == {"text", "given"}
        assert found[-1].key == "none"
        assert found[-1].score is None
    with FoxingStore.connect(memory, "ben", index=False) as store:
        store.put(("n",), "none", {"text": "She eats no meat."})
        store.put(("n",), "given", {"text": "She eats no meat."}, index=["$"])
        found = store.search(("n",), query="vegetarian")
        assert [(item.key, item.score is None) for item in found] == [("given", False), ("none", True)]


def test_a_configured_embedder_scores_as_langgraphs_own_store_does(target: Target, bank: str) -> None:
    embedder = Letters()
    reference = InMemoryStore(index={"dims": 26, "embed": Letters(), "fields": ["text", "parts[*]"]})
    with FoxingStore.connect(
        target, bank, index={"dims": 26, "embed": embedder, "fields": ["text", "parts[*]"]}
    ) as store:
        assert store.embeddings is embedder
        assert store.index_config is not None
        for each in (store, reference):
            each.put(("n",), "a", {"text": "abc", "parts": ["xyz", "abd"]})
            each.put(("n",), "b", {"text": "abba"})
            each.put(("n",), "c", {"text": "zebra", "other": "abc"})
            each.put(("n",), "d", {"text": "abc"}, index=False)
            each.put(("n",), "e", {"other": "kiwi"}, index=["other"])
        for query in ("abc", "zyx", "kiwi", "zebras"):
            expected = {item.key: item.score for item in reference.search(("n",), query=query)}
            found = store.search(("n",), query=query)
            assert {item.key: item.score for item in found} == {
                key: score if score is None else pytest.approx(score, abs=1e-3) for key, score in expected.items()
            }
            assert found[0].key == reference.search(("n",), query=query)[0].key
        assert "abc" in embedder.documents
        assert keys(store.search(("n",), query="abc", limit=1, offset=1)) == ["b"]


async def put_and_search(target: Target, bank: str) -> list[str]:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return Letters().embed_documents(list(texts))

    async with FoxingStore.connect(target, bank, index={"dims": 26, "embed": embed}) as store:
        await store.abatch([PutOp(("n",), "a", {"text": "mango"}), PutOp(("n",), "b", {"text": "kiwi"})])
        return keys(await store.asearch(("n",), query="kiwis", limit=1))


def test_an_asynchronous_embedding_function(target: Target, bank: str) -> None:
    assert asyncio.run(put_and_search(target, bank)) == ["b"]


def test_an_invalid_configuration_or_vector_is_refused(target: Target, bank: str) -> None:
    with pytest.raises(InvalidInput, match="list of paths"):
        FoxingStore.connect(target, bank, index="text")
    with FoxingStore.connect(target, bank, index={"dims": 3, "embed": Letters()}) as store:
        with pytest.raises(InvalidInput, match="dims=3"):
            store.put(("n",), "a", {"text": "mango"})
        assert store.search(()) == []


def test_filters_take_what_json_does_not_have(store: FoxingStore) -> None:
    store.put(("n",), "low", {"price": 10, "user": {"access-level": "high"}})
    store.put(("n",), "high", {"price": 30})
    infinite, nan = float("inf"), float("nan")

    def found(filter: dict[str, object]) -> set[str]:
        return set(keys(store.search(("n",), filter=filter)))

    for condition in ({"$lt": infinite}, {"$lte": infinite}, {"$gt": -infinite}, {"$ne": nan}, {"$ne": infinite}):
        assert found({"price": condition}) == {"low", "high"}
    for condition in ({"$gt": infinite}, {"$lt": -infinite}, {"$eq": infinite}, {"$lt": nan}, {"$eq": nan}):
        assert found({"price": condition}) == set()
    assert found({"price": {"$lt": infinite, "$gt": 20}}) == {"high"}
    assert found({"user.access-level": "high"}) == {"low"}


def test_labels_may_hold_line_breaks(store: FoxingStore) -> None:
    store.put(("users", "ana"), "k", {"n": 1})
    store.put(("users", "ana\n"), "k", {"n": 2})
    assert store.list_namespaces(suffix=("ana",)) == [("users", "ana")]
    assert [item.value for item in store.search(("users", "ana\n"))] == [{"n": 2}]
