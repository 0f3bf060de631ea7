"""The checkpointer: graphs that run on it, what it stores, and what concurrent writers and deletions leave."""

import asyncio
import base64
import sqlite3
from collections.abc import Iterator, Sequence
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from support.images import encoded

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingSaver
from foxing.memory import InvalidInput, Memory, MemoryOptions

from ..conftest import slow_over_http

SECRET = "the launch code is heron"


class State(TypedDict):
    notes: Annotated[list[str], add]


class DeltaState(TypedDict):
    notes: Annotated[
        list[str], DeltaChannel(lambda state, writes: state + [note for write in writes for note in write])
    ]


class Reversal(CipherProtocol):
    """A cipher for tests, with another ciphertext each time."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        nonce = uuid4().bytes
        return "reversal", nonce + bytes(byte ^ 0x5A ^ nonce[0] for byte in reversed(plaintext))

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "reversal"
        return bytes(byte ^ 0x5A ^ ciphertext[0] for byte in reversed(ciphertext[16:]))


@pytest.fixture
def saver(target: Target, bank: str) -> Iterator[FoxingSaver]:
    with FoxingSaver.connect(target, bank) as saver:
        yield saver


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "foxing.db", options=MemoryOptions(embedder="none")) as memory:
        yield memory


def on_thread(thread_id: str, **more: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, **more}}


def note(number: int) -> str:
    return f"note {number}: " + " ".join(f"{(number + 1) * 7919 * word % 99991}" for word in range(1, 40))


def noting(saver: FoxingSaver, state: type = State) -> Any:
    """A graph that adds a note whenever it is invoked."""
    builder = StateGraph(state)  # type: ignore[type-var]
    builder.add_node("write", lambda state: {"notes": [note(len(state["notes"]))]})
    builder.add_edge(START, "write")
    return builder.compile(checkpointer=saver)


def records(saver: FoxingSaver) -> int:
    """Bytes of all records of the saver's bank."""
    return saver.connection.run(lambda memory: memory.bank(saver.connection.bank)).bytes.records


def checkpoint(**values: object) -> Checkpoint:
    versions: dict[str, str | int | float] = dict.fromkeys(values, 1)
    return {**empty_checkpoint(), "channel_values": dict(values), "channel_versions": versions}


def put(saver: FoxingSaver, thread_id: str, **values: object) -> RunnableConfig:
    made = checkpoint(**values)
    config = on_thread(thread_id, checkpoint_ns="")
    return saver.put(config, made, {"source": "loop", "step": 0, "parents": {}}, made["channel_versions"])


def values(saver: FoxingSaver, config: RunnableConfig) -> dict[str, Any]:
    found = saver.get_tuple(config)
    assert found is not None
    return found.checkpoint["channel_values"]


def test_a_graph_goes_on_where_it_was_and_back_in_time(saver: FoxingSaver) -> None:
    graph, config = noting(saver), on_thread("chat")
    for _ in range(4):
        graph.invoke({"notes": []}, config)
    assert graph.get_state(config).values["notes"] == [note(number) for number in range(4)]
    history = list(graph.get_state_history(config))
    lengths = [len(state.values.get("notes", ())) for state in history]
    assert lengths == sorted(lengths, reverse=True)
    assert set(lengths) == set(range(5))
    earlier = next(state for state in history if len(state.values["notes"]) == 2 and not state.next)
    fork = graph.update_state(earlier.config, {"notes": ["another"]})
    assert graph.get_state(fork).values["notes"] == [note(0), note(1), "another"]
    assert graph.get_state(history[0].config).values["notes"] == [note(number) for number in range(4)]
    assert graph.invoke({"notes": []}, config)["notes"] == [note(0), note(1), "another", note(3)]
    assert len(list(graph.get_state_history(config, limit=2))) == 2
    older = list(graph.get_state_history(config, before=earlier.config))
    assert older
    assert all(
        state.config["configurable"]["checkpoint_id"] < earlier.config["configurable"]["checkpoint_id"]
        for state in older
    )
    assert all(
        state.metadata["source"] == "input" for state in graph.get_state_history(config, filter={"source": "input"})
    )


def test_an_interrupted_graph_resumes_with_what_its_tasks_had_written(saver: FoxingSaver) -> None:
    done: list[str] = []

    def work(_: State) -> dict[str, list[str]]:
        done.append("work")
        return {"notes": ["worked"]}

    def ask(_: State) -> dict[str, list[str]]:
        return {"notes": [interrupt("go on?")]}

    builder = StateGraph(State)
    for name, node in (("work", work), ("ask", ask)):
        builder.add_node(name, node)
        builder.add_edge(START, name)
    graph, config = builder.compile(checkpointer=saver), on_thread("chat")
    graph.invoke({"notes": []}, config)
    found = saver.get_tuple(config)
    assert found is not None
    assert {write[1] for write in found.pending_writes or ()} >= {"notes", "__interrupt__"}
    assert sorted(graph.invoke(Command(resume="yes"), config)["notes"]) == ["worked", "yes"]
    assert done == ["work"]


def test_pending_writes_are_ordered_and_stored_once(saver: FoxingSaver) -> None:
    config = put(saver, "t")
    saver.put_writes(config, [("a", 1), ("b", "x" * 100_000)], "task-2", "~b")
    saver.put_writes(config, [("a", 2), ("__error__", "first")], "task-1", "~c")
    saver.put_writes(config, [("a", 3), ("__error__", "second"), ("c", 4)], "task-1", "~c")
    found = saver.get_tuple(config)
    assert found is not None
    assert found.pending_writes == [
        ("task-2", "a", 1),
        ("task-2", "b", "x" * 100_000),
        ("task-1", "__error__", "second"),
        ("task-1", "a", 2),
        ("task-1", "c", 4),
    ]


async def converse(saver: FoxingSaver) -> list[list[str]]:
    graph = noting(saver)
    async with saver:
        await asyncio.gather(*(graph.ainvoke({"notes": []}, on_thread(str(number))) for number in range(8)))
        states = [await graph.aget_state(on_thread(str(number))) for number in range(8)]
        threads = [each.config["configurable"]["thread_id"] async for each in saver.alist(None)]
        assert set(threads) == {str(number) for number in range(8)}
        await saver.adelete_thread("0")
        assert await saver.aget_tuple(on_thread("0")) is None
    return [state.values["notes"] for state in states]


@pytest.mark.slow
@slow_over_http
def test_conversations_at_once_on_an_event_loop(target: Target, bank: str) -> None:
    assert asyncio.run(converse(FoxingSaver.connect(target, bank))) == [[note(0)]] * 8


@pytest.mark.slow
def test_a_thread_takes_the_room_of_what_is_new(memory: Memory) -> None:
    """The second half of a thread takes as much as the first, although the state is longer."""
    saver = FoxingSaver.connect(memory, "ana")
    notes: list[str] = []
    config = on_thread("long", checkpoint_ns="")
    sizes = []
    for step in range(120):
        notes.append(note(step))
        made = {**checkpoint(notes=notes), "channel_versions": {"notes": step + 1}}
        config = saver.put(config, made, {"step": step}, {"notes": step + 1})  # type: ignore[arg-type]
        if step in (59, 119):
            sizes.append(records(saver))
    assert sizes[1] - sizes[0] < 1.3 * sizes[0]
    assert sizes[1] < 15 * len("".join(notes))
    assert values(saver, config) == {"notes": notes}


def test_long_values_come_back(saver: FoxingSaver) -> None:
    large = {"text": "☂ 한국어 " * 300_000, "bytes": bytes(range(256)) * 5_000, "zeros": b"\0" * 2_000_000}
    config = put(saver, "t", large=large, small=[1, None, {"a": {"b"}}], empty="")
    assert values(saver, config) == {"large": large, "small": [1, None, {"a": {"b"}}], "empty": ""}


def test_a_value_of_one_branch_does_not_replace_that_of_another(saver: FoxingSaver) -> None:
    """Even if both have the same version."""
    one, two = put(saver, "t", a="one"), put(saver, "t", a="two")
    assert (values(saver, one), values(saver, two)) == ({"a": "one"}, {"a": "two"})


def test_values_that_are_not_new_are_those_of_the_parent(target: Target, bank: str) -> None:
    with FoxingSaver.connect(target, bank) as saver:
        parent = put(saver, "t", a=[note(1)], b="b")
        child = {**checkpoint(), "channel_versions": {"a": 1, "b": 2, "c": 1}}
        child["channel_values"] = {"b": "new"}
        config = saver.put(parent, child, {}, {"b": 2})  # type: ignore[arg-type]
    with FoxingSaver.connect(target, bank) as again:
        assert values(again, config) == {"a": [note(1)], "b": "new"}
        grandchild = {**child, "id": empty_checkpoint()["id"], "channel_values": {}}
        assert values(again, again.put(config, grandchild, {}, {})) == {"a": [note(1)], "b": "new"}  # type: ignore[arg-type]


def test_ids_of_any_kind(saver: FoxingSaver) -> None:
    for thread_id in ("", "a/b", "line\nbreak", "nul\x00", "x" * 5_000, "☂", ":", "#"):
        config = put(saver, thread_id, a=thread_id)
        assert values(saver, config) == {"a": thread_id}
    found = {each.config["configurable"]["thread_id"] for each in saver.list(None)}
    assert {"", "a/b", "nul\x00", "x" * 5_000} <= found
    saver.delete_thread("nul\x00")
    assert saver.get_tuple(on_thread("nul\x00")) is None


def test_nothing_is_found_where_nothing_is(saver: FoxingSaver) -> None:
    config = on_thread("none")
    assert saver.get_tuple(config) is None
    assert list(saver.list(None)) == list(saver.list(config)) == []
    saver.delete_thread("none")
    saver.copy_thread("none", "other")
    saver.prune(["none"])
    saver.delete_for_runs(["none"])
    assert list(saver.list(None)) == []
    with pytest.raises(InvalidInput, match="keep_latest"):
        saver.prune(["none"], strategy="keep_some")


def test_pruning_and_deleting_give_room_back(saver: FoxingSaver) -> None:
    for step in range(6):
        put(saver, "t", notes=[note(step * 10 + each) for each in range(10)], shared=note(999))
    other = put(saver, "other", notes=[note(1)])
    before = records(saver)
    latest = saver.get_tuple(on_thread("t"))
    saver.prune(["t"])
    assert list(saver.list(on_thread("t"))) == [latest]
    assert records(saver) < before / 3
    saver.prune(["t"], strategy="delete")
    assert list(saver.list(on_thread("t"))) == []
    assert values(saver, other) == {"notes": [note(1)]}
    saver.delete_thread("other")
    assert records(saver) == 0


def test_runs_are_deleted_in_all_threads(saver: FoxingSaver) -> None:
    graph = noting(saver)
    for thread_id in ("a", "b"):
        for run in ("one", "two"):
            graph.invoke({"notes": []}, {**on_thread(thread_id), "metadata": {"run_id": run}})
    saver.delete_for_runs(["one"])
    left = list(saver.list(None))
    assert {each.metadata["run_id"] for each in left} == {"two"}
    assert {each.config["configurable"]["thread_id"] for each in left} == {"a", "b"}
    assert [
        len(each.checkpoint["channel_values"]["notes"]) for each in left if "notes" in each.checkpoint["channel_values"]
    ]


def test_a_copy_stands_by_itself(saver: FoxingSaver) -> None:
    graph = noting(saver)
    for _ in range(3):
        graph.invoke({"notes": []}, on_thread("source"))
    saver.copy_thread("source", "target")
    copied = [(each.checkpoint, each.metadata, each.pending_writes) for each in saver.list(on_thread("target"))]
    assert copied == [(each.checkpoint, each.metadata, each.pending_writes) for each in saver.list(on_thread("source"))]
    saver.delete_thread("source")
    assert len(graph.invoke({"notes": []}, on_thread("target"))["notes"]) == 4


def test_savers_that_do_not_know_of_each_other(target: Target, bank: str) -> None:
    """What a saver knows to be stored may have been deleted by another one."""
    with FoxingSaver.connect(target, bank) as one, FoxingSaver.connect(target, bank) as two:
        notes = [note(number) for number in range(30)]
        put(one, "t", notes=notes)
        two.delete_thread("t")
        config = put(one, "t", notes=notes)
        assert values(two, config) == {"notes": notes}
        put(one, "t", notes=["short"])
        two.prune(["t"])
        assert values(two, put(one, "t", notes=notes)) == {"notes": notes}
        one.put_writes(config, [("notes", notes * 50)], "task")
        two.delete_thread("t")
        config = put(two, "t")
        one.put_writes(config, [("notes", notes * 50)], "task")
        found = two.get_tuple(config)
        assert found is not None
        assert found.pending_writes == [("task", "notes", notes * 50)]


@slow_over_http
def test_a_delta_channel_survives_pruning(saver: FoxingSaver) -> None:
    graph, config = noting(saver, DeltaState), on_thread("delta")
    for _ in range(5):
        graph.invoke({"notes": []}, config)
    saver.prune(["delta"])
    assert graph.get_state(config).values["notes"] == [note(number) for number in range(5)]
    assert len(graph.invoke({"notes": []}, config)["notes"]) == 6


def test_an_encrypted_thread(memory: Memory, tmp_path: Path) -> None:
    serde = EncryptedSerializer(Reversal())
    saver = FoxingSaver.connect(memory, "ana", serde=serde)
    notes = [SECRET] + [note(number) for number in range(60)]
    config = put(saver, "t", notes=notes, one=SECRET)
    saver.put_writes(config, [("notes", [SECRET])], "task")
    first = records(saver)
    following = put(saver, "t", notes=[*notes, "more"], one=SECRET)
    assert records(saver) - first < first / 3  # equal chunks are recognised, although ciphertexts differ
    again = FoxingSaver.connect(memory, "ana", serde=serde)
    assert values(again, following) == {"notes": [*notes, "more"], "one": SECRET}
    again.copy_thread("t", "copy")
    again.prune(["t"])
    assert values(again, on_thread("t")) == values(again, on_thread("copy"))
    assert again.get_tuple(config) is None
    with pytest.raises(InvalidInput, match="encrypted"):
        FoxingSaver.connect(memory, "ana").get_tuple(following)
    with sqlite3.connect(tmp_path / "foxing.db") as database:
        dump = "\n".join(database.iterdump())
    assert "heron" not in dump
    assert "reversal" in dump


def test_a_thread_that_is_encrypted_from_now_on(memory: Memory) -> None:
    plain = FoxingSaver.connect(memory, "ana")
    first = put(plain, "t", notes=[note(1)] * 20)
    sealed = FoxingSaver.connect(memory, "ana", serde=EncryptedSerializer(Reversal()))
    assert values(sealed, first) == {"notes": [note(1)] * 20}
    second = put(sealed, "t", notes=[note(2)] * 20)
    assert values(sealed, second) == {"notes": [note(2)] * 20}
    assert values(plain, put(plain, "t", notes=[note(3)] * 20)) == {"notes": [note(3)] * 20}


def test_an_allowlist_for_msgpack_is_taken_over(saver: FoxingSaver) -> None:
    clone = saver.with_allowlist([("decimal", "Decimal")])
    assert isinstance(clone, FoxingSaver)
    assert values(clone, put(saver, "t", a=[note(1)])) == {"a": [note(1)]}


def branch(versions: Sequence[str]) -> bool:
    return sorted(versions) == list(versions)


def test_versions_ascend_and_differ_between_branches(saver: FoxingSaver) -> None:
    versions = [saver.get_next_version(None, None)]
    for _ in range(20):
        versions.append(saver.get_next_version(versions[-1], None))
    assert branch(versions)
    assert saver.get_next_version(versions[3], None) != versions[4]
    assert saver.get_next_version(7, None) > versions[5]


def test_images_in_messages_come_back_exactly(saver: FoxingSaver) -> None:
    data = base64.b64encode(encoded()).decode()
    forms: list[dict[str, Any]] = [
        {"type": "image", "base64": data, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
    ]
    said = HumanMessage([{"type": "text", "text": "The plan"}, *forms], id="said")
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [AIMessage(f"{len(state['messages'])} seen")]})
    builder.add_edge(START, "answer")
    graph = builder.compile(checkpointer=saver)
    graph.invoke({"messages": [said]}, on_thread("chat"))
    graph.invoke({"messages": [HumanMessage("And now?")]}, on_thread("chat"))
    [first, *_] = graph.get_state(on_thread("chat")).values["messages"]
    assert first == said
