"""The store under many agents, bad input, and graphs that run on it."""

import asyncio
import socket
from collections import Counter
from enum import StrEnum
from pathlib import Path

import pytest
from langgraph.store.base import BaseStore, GetOp, InvalidNamespaceError, PutOp, SearchOp

from foxing.integrations.client import ServiceOptions, Target, TimedOut, Unreachable, connect
from foxing.integrations.langgraph import FoxingStore
from foxing.memory import InvalidInput, Memory

from ..conftest import slow_over_http
from ..deletion import delete_bank

AGENTS = 100


def test_a_prefix_does_not_match_the_name_of_another(store: FoxingStore) -> None:
    for namespace in [("tenant", "acme"), ("tenant", "acme-corp"), ("tenant", "acme", "emea"), ("tenant", "acme%")]:
        store.put(namespace, "k", {"text": "secret of " + namespace[-1]})
    assert {item.namespace for item in store.search(("tenant", "acme"))} == {
        ("tenant", "acme"),
        ("tenant", "acme", "emea"),
    }
    found = store.search(("tenant", "acme"), query="secret acme-corp")
    assert {item.namespace[1] for item in found} == {"acme"}
    assert store.list_namespaces(prefix=("tenant", "acme")) == [("tenant", "acme"), ("tenant", "acme", "emea")]
    assert store.search(("ten",)) == []
    assert store.search(("tenant", "acm*")) == []


def test_other_records_of_the_bank_are_not_items(store: FoxingStore) -> None:
    write: dict[str, object] = {"op": "put", "namespace": ["notes"], "key": "k", "value": {"text": "tea"}}
    store.connection.run(lambda memory: memory.records.write(store.connection.bank, [write]))
    store.put(("mine",), "k", {"text": "tea"})
    assert [item.namespace for item in store.search((), query="tea")] == [("mine",)]
    assert store.list_namespaces() == [("mine",)]


async def write_all(store: FoxingStore) -> None:
    async def agent(number: int) -> None:
        await store.abatch([PutOp(("agents", str(number)), str(turn), {"agent": number}) for turn in range(3)])
        await store.aput(("shared",), str(number), {"agent": number})
        held = await store.asearch(("agents", str(number)))
        assert [item.value for item in held] == [{"agent": number}] * 3

    async with store:
        await asyncio.gather(*map(agent, range(AGENTS)))


@pytest.mark.slow
@slow_over_http
def test_a_hundred_agents_at_once_lose_nothing_and_mix_nothing_up(target: Target, bank: str) -> None:
    asyncio.run(write_all(FoxingStore.connect(target, bank)))
    with FoxingStore.connect(target, bank) as store:
        held = Counter((item.namespace, item.key, item.value["agent"]) for item in store.search((), limit=1000))
    agents = {(("agents", str(number)), str(turn), number): 1 for number in range(AGENTS) for turn in range(3)}
    assert held == agents | {(("shared",), str(number), number): 1 for number in range(AGENTS)}


@pytest.mark.slow
@slow_over_http
def test_many_items_are_written_and_read_in_one_batch(store: FoxingStore) -> None:
    store.batch([PutOp(("n",), f"{number:04}", {"n": number, "text": "x" * 3000}) for number in range(1500)])
    assert len(store.search(("n",), limit=2000)) == 1500
    found = store.batch([GetOp(("n",), f"{number:04}") for number in range(1500)])
    assert [item.value["n"] for item in found if item is not None] == list(range(1500))  # type: ignore[union-attr]
    assert [item.key for item in store.search(("n",), limit=1, offset=1499)] == ["0000"]


class Mood(StrEnum):
    HAPPY = "happy"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"at": {1, 2}}, "at is of type set"),
        ({"at": [float("nan")]}, r"at\[0\] is nan"),
        ({"at": {1: "x"}}, "keys must be strings"),
        ({"at": "\ud800"}, "surrogate"),
        ({"text": "x" * (1 << 20)}, "split the record"),
    ],
)
def test_a_value_that_would_not_come_back_is_refused(store: FoxingStore, value: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        store.batch([PutOp(("n",), "fine", {"x": 1}), PutOp(("n",), "k", value)])
    assert store.search(("n",)) == []


def test_tuples_and_enums_are_stored_as_json_has_them(store: FoxingStore) -> None:
    store.put(("n",), "k", {"pair": (1, 2), "mood": Mood.HAPPY, "yes": True})
    item = store.get(("n",), "k")
    assert item is not None
    assert item.value == {"pair": [1, 2], "mood": "happy", "yes": True}


def test_invalid_operations_do_nothing(store: FoxingStore) -> None:
    for invalid in (PutOp(("a.b",), "k", {}), PutOp((), "k", {}), PutOp(("a", ""), "k", {})):
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("n",), "fine", {}), invalid])
    for search in (
        SearchOp((), filter={"a": {"$in": [1]}}),
        SearchOp((), filter={"a": {"lang": "en"}}),
        SearchOp((), limit=-1),
    ):
        with pytest.raises(InvalidInput):
            store.batch([PutOp(("n",), "fine", {}), search])
    with pytest.raises(InvalidInput, match="minutes"):
        store.put(("n",), "k", {}, ttl=0)
    assert store.search(()) == []


def test_a_service_that_is_down_or_slow_is_an_error_that_says_so(bank: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with FoxingStore.connect(ServiceOptions(url, timeout_s=0.2), bank) as store, pytest.raises(TimedOut):
            store.put(("n",), "k", {})
    with FoxingStore.connect(ServiceOptions(url, retry_for_s=0.2), bank) as store:
        with pytest.raises(Unreachable, match="foxing serve"):
            store.get(("n",), "k")
        with pytest.raises(Unreachable):
            asyncio.run(store.aput(("n",), "k", {}))


def test_a_bank_deleted_under_a_running_graph_is_an_empty_one(tmp_path: Path, bank: str) -> None:
    path = tmp_path / "foxing.db"
    with Memory(path) as memory, FoxingStore.connect(memory, bank) as store:
        store.put(("n",), "old", {"x": 1})
        delete_bank(path, bank)
        assert (store.get(("n",), "old"), store.search(()), store.list_namespaces()) == (None, [], [])
        store.delete(("n",), "old")
        store.put(("n",), "new", {"x": 2})
        assert [item.value for item in store.search(())] == [{"x": 2}]


def test_a_database_is_opened_by_its_path(tmp_path: Path) -> None:
    with FoxingStore.connect(tmp_path / "agent.db", "ana") as store:
        store.put(("n",), "k", {"x": 1})
    with FoxingStore(connect(f"sqlite:///{tmp_path / 'agent.db'}", "ana")) as again:
        item = again.get(("n",), "k")
        assert item is not None
        assert item.value == {"x": 1}
    assert isinstance(again, BaseStore)
