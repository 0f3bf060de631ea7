"""What LangGraph's own tests of its PostgreSQL store check, by their names. Queries look at words, not at vectors."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp, SearchItem, SearchOp
from support.images import encoded
from support.service import serve

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingStore
from foxing.memory import Memory, MemoryOptions


def keys(found: object) -> list[str]:
    """Of the items that an operation found."""
    assert isinstance(found, list)
    return [item.key for item in found]


def test_batch_order(store: FoxingStore) -> None:
    store.put(("places", "oslo"), "a", {"kind": "city"})
    results = store.batch(
        [
            GetOp(("places", "oslo"), "a"),
            PutOp(("places", "oslo"), "b", {"kind": "museum"}),
            SearchOp(("places",), filter={"kind": "city"}),
            ListNamespacesOp(),
            GetOp(("places",), "a"),
            GetOp(("places", "oslo"), "b"),
        ]
    )
    got, put, found, namespaces, elsewhere, written_later = results
    assert isinstance(got, Item)
    assert (got.value, got.key, got.namespace) == ({"kind": "city"}, "a", ("places", "oslo"))
    assert put is None
    assert keys(found) == ["a"]
    assert namespaces == [("places", "oslo")]
    assert elsewhere is None
    assert written_later is None  # reads come before writes
    assert store.batch([SearchOp(("places",)), GetOp(("places", "oslo"), "b")])[1] is not None


def test_batch_get_ops(store: FoxingStore) -> None:
    store.put(("n",), "a", {"v": 1})
    store.put(("n",), "b", {"v": 2})
    found = store.batch([GetOp(("n",), "b"), GetOp(("n",), "none"), GetOp(("n",), "a")])
    assert [item.value if isinstance(item, Item) else None for item in found] == [{"v": 2}, None, {"v": 1}]


def test_batch_put_ops(store: FoxingStore) -> None:
    store.put(("n",), "gone", {"v": 0})
    puts = [PutOp(("n",), "a", {"v": 1}), PutOp(("n",), "gone", None), PutOp(("n",), "a", {"v": 2})]
    assert store.batch([*puts, PutOp(("n",), "never", None)]) == [None] * 4
    assert [(item.key, item.value) for item in store.search(("n",))] == [("a", {"v": 2})]


def test_batch_search_ops(store: FoxingStore) -> None:
    for namespace, key, tag in [(("t", "x"), "1", "a"), (("t", "y"), "2", "a"), (("t", "z"), "3", "b")]:
        store.put(namespace, key, {"tag": tag})
    tagged, two, one, none = store.batch(
        [SearchOp(("t",), {"tag": "a"}), SearchOp(("t",), limit=2), SearchOp(("t", "x")), SearchOp(("t",), limit=0)]
    )
    assert sorted(keys(tagged)) == ["1", "2"]
    assert keys(two) == ["3", "2"]  # the last stored first
    assert keys(one) == ["1"]
    assert none == []


def test_batch_list_namespaces_ops(store: FoxingStore) -> None:
    for namespace in [("t", "a", "public"), ("t", "a", "private"), ("t", "b", "public"), ("p", "a", "public")]:
        store.put(namespace, "k", {})
    everything, cut, public, wild = store.batch(
        [
            ListNamespacesOp(),
            ListNamespacesOp(max_depth=2),
            ListNamespacesOp((MatchCondition("suffix", ("public",)),)),
            ListNamespacesOp((MatchCondition("prefix", ("*", "a")), MatchCondition("suffix", ("public",)))),
        ]
    )
    assert everything == [("p", "a", "public"), ("t", "a", "private"), ("t", "a", "public"), ("t", "b", "public")]
    assert cut == [("p", "a"), ("t", "a"), ("t", "b")]
    assert public == [("p", "a", "public"), ("t", "a", "public"), ("t", "b", "public")]
    assert wild == [("p", "a", "public"), ("t", "a", "public")]


def test_basic_store_ops(store: FoxingStore) -> None:
    namespace = ("docs", "drafts")
    store.put(namespace, "doc", {"title": "One", "n": [1, None, {"x": 1.5}]})
    first = store.get(namespace, "doc")
    assert first is not None
    assert (first.namespace, first.key, first.value) == (namespace, "doc", {"title": "One", "n": [1, None, {"x": 1.5}]})
    store.put(namespace, "doc", {"title": "Two"})
    second = store.get(namespace, "doc")
    assert second is not None
    assert second.value == {"title": "Two"}
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    assert store.get(("docs", "other"), "doc") is None
    store.delete(namespace, "doc")
    assert store.get(namespace, "doc") is None


def test_list_namespaces(store: FoxingStore) -> None:
    for top in ("test", "prod"):
        for middle in ("docs", "images"):
            store.put((top, middle, "public"), "k", {})
    assert len(store.list_namespaces()) == 4
    assert store.list_namespaces(prefix=("test",)) == [("test", "docs", "public"), ("test", "images", "public")]
    assert len(store.list_namespaces(suffix=("public",))) == 4
    assert store.list_namespaces(suffix=("docs", "*")) == [("prod", "docs", "public"), ("test", "docs", "public")]
    assert store.list_namespaces(max_depth=1) == [("prod",), ("test",)]
    assert store.list_namespaces(limit=1, offset=1) == [("prod", "images", "public")]


def test_search(store: FoxingStore) -> None:
    store.put(("test", "docs"), "1", {"title": "First", "author": "Alice", "tags": ["a"]})
    store.put(("test", "docs"), "2", {"title": "Second", "author": "Bob", "tags": ["b"]})
    store.put(("test", "images"), "3", {"title": "Third", "author": "Alice", "tags": ["b"]})
    assert keys(store.search(("test",))) == ["3", "2", "1"]
    assert keys(store.search(("test", "docs"))) == ["2", "1"]
    assert keys(store.search(("test",), filter={"author": "Alice"})) == ["3", "1"]
    assert keys(store.search((), filter={"tags": ["b"], "author": {"$ne": "Bob"}})) == ["3"]
    assert keys(store.search(("test",), limit=2)) == ["3", "2"]
    assert keys(store.search(("test",), offset=2)) == ["1"]


def test_numeric_comparison_filters(store: FoxingStore) -> None:
    for key, score in {"a": 2, "b": 9, "c": 10, "d": 11, "e": 9.5}.items():
        store.put(("scores",), key, {"score": score, "name": f"item {key}"})

    def matching(filter: dict[str, object]) -> str:
        return "".join(sorted(keys(store.search(("scores",), filter=filter))))

    assert matching({"score": {"$gte": 10}}) == "cd"
    assert matching({"score": {"$gt": 9}}) == "cde"
    assert matching({"score": {"$lt": 10}}) == "abe"
    assert matching({"score": {"$lte": 9, "$gt": 2}}) == "b"
    assert matching({"score": {"$eq": 9.5}}) == "e"
    assert matching({"score": {"$ne": 2}, "name": {"$gt": "item c"}}) == "de"


def test_vector_store_initialization(target: Target, bank: str) -> None:
    """A store is told which fields queries look at, and needs no embedding model."""
    with FoxingStore.connect(target, bank, index=["text"], ttl={"default_ttl": 5}) as store:
        assert store.ttl_config == {"default_ttl": 5}
        store.put(("n",), "k", {"text": "tea", "other": "coffee"})
        assert store.search(("n",), query="tea")[0].score is not None
        assert store.search(("n",), query="coffee")[0].score is None


def test_vector_insert_with_auto_embedding(store: FoxingStore) -> None:
    store.put(("test",), "short", {"text": "short text"})
    store.put(("test",), "long", {"text": "long text document"})
    store.put(("test",), "nested", {"body": {"parts": ["a long text in parts"]}})
    store.put(("test",), "other", {"text": "something else"})
    found = store.search(("test",), query="long text")
    assert set(keys(found)[:2]) == {"long", "nested"}
    assert keys(found)[2:] == ["short", "other"]
    assert [item.score is None for item in found] == [False, False, False, True]


def test_vector_update_with_embedding(store: FoxingStore) -> None:
    store.put(("test",), "1", {"text": "zany zebra Xerxes"})
    store.put(("test",), "2", {"text": "something about dogs"})
    assert store.search(("test",), query="Zany Xerxes")[0].key == "1"
    store.put(("test",), "1", {"text": "new text about dogs"})
    assert [item.score for item in store.search(("test",), query="Zany Xerxes")] == [None, None]
    store.put(("test",), "3", {"text": "new text about dogs"}, index=False)
    found = store.search(("test",), query="new text about dogs")
    assert keys(found) == ["1", "2", "3"]
    assert found[2].score is None


@pytest.mark.parametrize("refresh_ttl", [True, False])
def test_vector_search_with_filters(store: FoxingStore, refresh_ttl: bool) -> None:
    for key, text, color, score in [
        ("1", "red apple", "red", 4.5),
        ("2", "red car", "red", 3.0),
        ("3", "green apple", "green", 4.0),
        ("4", "blue car", "blue", 3.5),
    ]:
        store.put(("test",), key, {"text": text, "color": color, "score": score})

    def found(query: str, filter: dict[str, object]) -> list[str]:
        return keys(store.search(("test",), query=query, filter=filter, refresh_ttl=refresh_ttl))

    assert found("apple", {"color": "red"}) == ["1", "2"]
    assert found("car", {"color": "red"}) == ["2", "1"]
    assert found("blue", {"score": {"$gt": 3.2}}) == ["4", "3", "1"]
    assert found("apple", {"score": {"$gte": 4.0}, "color": "green"}) == ["3"]


def test_vector_search_pagination(store: FoxingStore) -> None:
    for number in range(5):
        store.put(("test",), f"doc{number}", {"text": f"test document number {number}"})
    pages = [store.search(("test",), query="document", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert sorted(key for page in pages for key in keys(page)) == [f"doc{number}" for number in range(5)]


def test_vector_search_edge_cases(store: FoxingStore) -> None:
    store.put(("test",), "doc", {"text": "test document"})
    for query in ("", " ", None, "test " * 100, "test!@#$%^&*()", "nothing of it"):
        assert keys(store.search(("test",), query=query)) == ["doc"]


def test_embed_with_path_sync(target: Target, bank: str) -> None:
    with FoxingStore.connect(target, bank, index=["key0", "key1", "nested[*].key3"]) as store:
        store.put(("test",), "1", {"key1": "xxx", "key2": "yyy", "nested": [{"key3": "zzz"}]})
        store.put(("test",), "2", {"key0": "uuu", "key1": "vvv", "key2": "www", "nested": [{"key3": "xxx"}]})

        def scored(query: str) -> list[str]:
            return sorted(item.key for item in store.search(("test",), query=query) if item.score is not None)

        assert scored("xxx") == ["1", "2"]
        assert scored("uuu") == ["2"]
        assert scored("zzz") == ["1"]
        assert scored("www") == []


def test_embed_with_path_operation_config(target: Target, bank: str) -> None:
    with FoxingStore.connect(target, bank, index=["elsewhere"]) as store:
        store.put(("test",), "3", {"key0": "aaa", "key1": "bbb", "key2": "ccc"}, index=["key0", "key1"])
        store.put(("test",), "4", {"key0": "eee", "key1": "bbb", "key3": "ggg"}, index=["key1", "key3"])
        store.put(("test",), "5", {"key0": "hhh"}, index=False)

        def scores(query: str | None) -> dict[str, bool]:
            return {item.key: item.score is not None for item in store.search(("test",), query=query)}

        assert scores("aaa") == {"3": True, "4": False, "5": False}
        assert scores("ggg") == {"3": False, "4": True, "5": False}
        assert scores("bbb") == {"3": True, "4": True, "5": False}
        assert scores("ccc") == scores("hhh") == scores(None) == {"3": False, "4": False, "5": False}


@pytest.mark.parametrize("query", ["aaa", "bbb", "aaa bbb", "aaa aaa poisson"])
def test_scores(store: FoxingStore, query: str) -> None:
    """A score is positive, and higher where more words match."""
    store.put(("test",), "one", {"text": "aaa filler"})
    store.put(("test",), "both", {"text": "aaa bbb"})
    found: list[SearchItem] = store.search((), query=query)
    scores = [item.score for item in found if item.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    assert len(scores) == (1 if query == "bbb" else 2)
    if "bbb" in query:
        assert found[0].key == "both"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def timed_memory(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Memory]:
    path: Path = tmp_path_factory.mktemp("ttl") / "foxing.db"
    with Memory(path, clock=clock, options=MemoryOptions(embedder="none")) as memory:
        yield memory


@pytest.fixture(scope="module")
def timed_url(timed_memory: Memory) -> Iterator[str]:
    with serve(timed_memory) as client:
        yield str(client.base_url)


@pytest.fixture(params=["http", "memory"])
def timed_target(request: pytest.FixtureRequest) -> Target:
    target: Target = request.getfixturevalue("timed_url" if request.param == "http" else "timed_memory")
    return target


def test_store_ttl(timed_target: Target, bank: str, clock: Clock) -> None:
    with FoxingStore.connect(timed_target, bank, ttl={"default_ttl": 10, "refresh_on_read": True}) as store:
        store.put(("n",), "kept", {"word": "tea"}, ttl=None)
        store.put(("n",), "item", {"word": "tea"})
        clock.advance(6)
        assert store.get(("n",), "item") is not None  # until minute 16
        clock.advance(6)
        assert keys(store.search(("n",), query="tea")) == ["kept", "item"]  # until minute 22
        clock.advance(6)
        assert store.get(("n",), "item", refresh_ttl=False) is not None
        assert len(store.search(("n",), refresh_ttl=False)) == 2
        assert store.list_namespaces() == [("n",)]
        clock.advance(6)
        assert store.get(("n",), "item") is None
        assert keys(store.search(("n",), query="tea", refresh_ttl=False)) == ["kept"]
        store.put(("n",), "brief", {}, ttl=0.5)
        clock.advance(0.4)
        store.put(("n",), "brief", {}, ttl=0.5)  # writing counts as well
        clock.advance(0.4)
        assert store.get(("n",), "brief", refresh_ttl=False) is not None
        clock.advance(0.2)
        assert store.get(("n",), "brief") is None


def test_non_ascii(store: FoxingStore) -> None:
    texts = {"1": "这是中文", "2": "これは日本語です", "3": "이건 한국어야", "4": "Это русский", "5": "यह रूसी है"}
    for key, text in texts.items():
        store.put(("user_123", "memories"), key, {"text": text, "☂": "\0\r\n"})
    for key, text in texts.items():
        found = store.search(("user_123", "memories"), query=text)
        assert (found[0].key, found[0].value) == (key, {"text": text, "☂": "\0\r\n"})


def test_images_in_items_come_back_exactly(store: FoxingStore) -> None:
    image = {"type": "image", "base64": base64.b64encode(encoded()).decode(), "mime_type": "image/png"}
    value = {"messages": [{"role": "user", "content": [{"type": "text", "text": "The plan"}, image]}]}
    store.put(("pictures",), "plan", value)
    found = store.get(("pictures",), "plan")
    assert found is not None
    assert found.value == value
