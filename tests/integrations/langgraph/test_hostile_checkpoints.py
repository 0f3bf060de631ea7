"""Checkpoints that another client of the bank has written through its records: reading them runs nothing, takes bounded
memory, and fails with an error that says what to do. Types that a graph needs are created once they are allowed."""

import base64
import json
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import ormsgpack
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingSaver
from foxing.memory import InvalidInput
from foxing.memory.values.records import Record
from foxing.renderer import FoxingError

from .test_saver import Reversal, checkpoint, on_thread, put, values

#: Extension codes of LangGraph's msgpack.
CONSTRUCTOR_SINGLE_ARG, CONSTRUCTOR_POS_ARGS, CONSTRUCTOR_KW_ARGS, METHOD_SINGLE_ARG = range(4)
PYDANTIC_V1, PYDANTIC_V2 = 4, 5


class Order(BaseModel):
    number: int
    items: list[str]


@dataclass
class Stop:
    city: str


class Colour(Enum):
    RED = "red"


@pytest.fixture
def saver(target: Target, bank: str) -> Iterator[FoxingSaver]:
    with FoxingSaver.connect(target, bank) as saver:
        yield saver


def packed(content: bytes) -> str:
    return base64.b64encode(b"r" + content).decode()


def heads(saver: FoxingSaver) -> list[Record]:
    found = saver.connection.run(
        lambda memory: memory.records.search(saver.connection.bank, namespace=["langgraph-checkpoints"])
    )
    return [record for record in found.records if "heads" in record.namespace]


def overwrite(saver: FoxingSaver, record: Record, value: Any) -> None:
    """Writes a record, as any client of the bank can."""
    write = {"op": "put", "namespace": record.namespace, "key": record.key, "value": value, "text": ""}
    saver.connection.run(lambda memory: memory.records.write(saver.connection.bank, [write]))


def forge(saver: FoxingSaver, kind: str, data: bytes) -> RunnableConfig:
    """Stores a checkpoint whose content is `data`. Returns its configuration."""
    config = put(saver, "t", a="harmless")
    [record] = heads(saver)
    overwrite(saver, record, {**record.value, "data": [kind, packed(data), 0, None]})  # type: ignore[dict-item]
    return config


def content(**channels: object) -> bytes:
    """Content of a checkpoint, the channels of which have these serialized values."""
    refs = {name: [1, ["msgpack", packed(value), 0, None]] for name, value in channels.items()}  # type: ignore[arg-type]
    return ormsgpack.packb({"checkpoint": {**checkpoint()}, "metadata": {}, "values": refs})


def call(code: int, module: str, name: str, argument: object, *method: str) -> bytes:
    """A value that asks for a call of `name` in `module`."""
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb((module, name, argument, *method))))


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (CONSTRUCTOR_SINGLE_ARG, lambda path: path),
        (CONSTRUCTOR_POS_ARGS, lambda path: (path, 0o700)),
        (CONSTRUCTOR_KW_ARGS, lambda path: {"path": path}),
        (PYDANTIC_V1, lambda path: {"path": path}),
        (PYDANTIC_V2, lambda path: {"path": path}),
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_checkpoint_calls_nothing(
    target: Target, bank: str, tmp_path: Path, code: int, arguments: Any, encrypted: bool
) -> None:
    """Neither where a saver decrypts, which also reads what is not encrypted."""
    made = tmp_path / "made"
    serde = EncryptedSerializer(Reversal()) if encrypted else None
    with FoxingSaver.connect(target, bank) as attacker, FoxingSaver.connect(target, bank, serde=serde) as saver:
        config = forge(attacker, "msgpack", content(a=call(code, "os", "mkdir", arguments(str(made)))))
        for read in (
            lambda: saver.get_tuple(config),
            lambda: list(saver.list(None)),
            lambda: saver.with_allowlist([("decimal", "Decimal")]).get_tuple(config),
        ):
            with pytest.raises(InvalidInput, match=r"'os\.mkdir'.*allowed_types"):
                read()
    assert not made.exists()


def test_a_head_and_a_pending_write_call_nothing(saver: FoxingSaver, tmp_path: Path) -> None:
    made = tmp_path / "made"
    hostile = call(CONSTRUCTOR_SINGLE_ARG, "os", "mkdir", str(made))
    config = forge(saver, "msgpack", hostile)
    with pytest.raises(InvalidInput, match=r"os\.mkdir"):
        saver.get_tuple(config)
    config = put(saver, "u")
    saver.put_writes(config, [("a", 1)], "task")
    found = saver.connection.run(
        lambda memory: memory.records.search(saver.connection.bank, namespace=["langgraph-checkpoints", ":u"])
    )
    [record] = [record for record in found.records if "writes" in record.namespace]
    overwrite(saver, record, {**record.value, "value": ["msgpack", packed(hostile), 0, None]})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match=r"os\.mkdir"):
        saver.get_tuple(config)
    assert not made.exists()


def test_a_method_is_not_called(saver: FoxingSaver) -> None:
    config = forge(saver, "msgpack", content(a=call(METHOD_SINGLE_ARG, "datetime", "datetime", 0, "fromtimestamp")))
    with pytest.raises(InvalidInput, match=r"datetime\.datetime\.fromtimestamp"):
        saver.get_tuple(config)


@pytest.mark.parametrize("kind", ["pickle", "json", "yaml", ""])
def test_other_kinds_of_values_are_refused(saver: FoxingSaver, kind: str) -> None:
    made = {"lc": 2, "type": "constructor", "id": ["os", "getcwd"], "kwargs": {}}
    with pytest.raises(InvalidInput, match=f"'{kind}'"):
        saver.get_tuple(forge(saver, kind, json.dumps(made).encode()))


def test_a_serializer_is_made_strict(target: Target, bank: str, tmp_path: Path) -> None:
    """LangGraph's own default is not; the one of an `EncryptedSerializer` neither."""
    made = tmp_path / "made"
    hostile = content(a=call(CONSTRUCTOR_SINGLE_ARG, "os", "mkdir", str(made)))
    for serde in (JsonPlusSerializer(), EncryptedSerializer(Reversal(), JsonPlusSerializer())):
        with FoxingSaver.connect(target, bank) as attacker, FoxingSaver.connect(target, bank, serde=serde) as saver:
            config = forge(attacker, "msgpack", hostile)
            with pytest.raises(InvalidInput, match=r"os\.mkdir"):
                saver.get_tuple(config)
            saver.delete_thread("t")
    assert not made.exists()


class Own(JsonPlusSerializer):
    """A serializer of the program's own."""


def test_serializers_that_run_what_they_read_are_refused(target: Target, bank: str) -> None:
    pickling = JsonPlusSerializer(pickle_fallback=True)
    for serde, told in (
        (pickling, "pickle_fallback"),
        (EncryptedSerializer(Reversal(), pickling), "pickle_fallback"),
        (Own(), "allowed_msgpack_modules"),
    ):
        with pytest.raises(InvalidInput, match=told):
            FoxingSaver.connect(target, bank, serde=serde)
    with FoxingSaver.connect(target, bank, serde=Own(allowed_msgpack_modules=None), allowed_types=[Stop]) as saver:
        assert values(saver, put(saver, "t", stop=Stop("Bern"))) == {"stop": Stop("Bern")}


def test_types_of_graphs_come_back_without_being_allowed(saver: FoxingSaver) -> None:
    held = {
        "messages": [
            SystemMessage("Be brief."),
            HumanMessage([{"type": "text", "text": "hello"}], id="1"),
            AIMessage("", tool_calls=[{"id": "c", "name": "look", "args": {"at": [1, 2]}}]),
            ToolMessage("seen", tool_call_id="c"),
            RemoveMessage(id="1"),
        ],
        "times": [
            datetime(2028, 2, 29, 23, 59, 59, 5, tzinfo=UTC),
            datetime(2028, 2, 29, tzinfo=ZoneInfo("Europe/Berlin")),
            date(2027, 12, 31),
            time(23, 50, tzinfo=UTC),
            timedelta(days=-1, microseconds=3),
        ],
        "numbers": [uuid4(), Decimal("1.10"), float("inf"), 1 << 62, -1],
        "collections": [{1, 2}, frozenset("ab"), deque([1, None]), b"\0bytes", {1: "one"}],
        "places": [Path("a/b"), IPv4Address("127.0.0.1"), Document("text", metadata={"page": 1})],
        "steps": [Send("node", {"a": 1}), Interrupt("go on?", id="i")],
        "bytes": b"\0" * 100,
        "nothing": None,
    }
    assert values(saver, put(saver, "t", **held)) == held
    array = values(saver, put(saver, "t", array=np.arange(6).reshape(2, 3)))["array"]
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_types_that_are_allowed_come_back(target: Target, bank: str) -> None:
    held = {"order": Order(number=1, items=["tea"]), "stops": [Stop("Bern"), Stop("Ulm")], "colour": Colour.RED}
    with FoxingSaver.connect(target, bank) as saver:
        config = put(saver, "t", **held)
        with pytest.raises(InvalidInput, match=r"Order.*allowed_types"):
            saver.get_tuple(config)
    with (
        FoxingSaver.connect(target, bank, allowed_types=[Order, Stop]) as saver,
        pytest.raises(InvalidInput, match=r"Colour.*allowed_types"),
    ):
        saver.get_tuple(config)
    kinds = [Order, Stop, Colour]
    pairs = [(kind.__module__, kind.__name__) for kind in kinds]
    listed = JsonPlusSerializer(allowed_msgpack_modules=kinds)
    several: list[dict[str, Any]] = [
        {"allowed_types": kinds},
        {"allowed_types": pairs},
        {"serde": listed},
        {"serde": EncryptedSerializer(Reversal(), listed)},
        {"serde": JsonPlusSerializer(), "allowed_types": pairs},
        {"serde": EncryptedSerializer(Reversal()), "allowed_types": kinds},
    ]
    for fields in several:
        with FoxingSaver.connect(target, bank, **fields) as saver:
            assert values(saver, config) == held
            assert values(saver, put(saver, "u", **held)) == held


def test_compressed_values_are_bounded(saver: FoxingSaver) -> None:
    """64 MB of zeros in a record of 64 kB."""
    config = put(saver, "t", a="x")
    [record] = heads(saver)
    bomb = base64.b64encode(b"z" + zlib.compress(b"\0" * (64 << 20), 9)).decode()
    overwrite(saver, record, {**record.value, "data": ["bytes", bomb, 0, None]})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match="larger than"):
        saver.get_tuple(config)


def chunk_name(name: bytes) -> str:
    return base64.urlsafe_b64encode(name).decode().rstrip("=")


@pytest.mark.parametrize("depth", [8, 1 << 40])
def test_a_tree_of_chunks_is_bounded(saver: FoxingSaver, depth: int) -> None:
    """A node that holds itself 128 times stands for 2 ** 56 copies of its bytes."""
    config, name = put(saver, "t", a="x"), b"n" * 16
    [record] = heads(saver)
    chunk = Record.model_validate(
        {**record.model_dump(), "namespace": [*record.namespace[:2], "chunks"], "key": chunk_name(name)}
    )
    overwrite(saver, chunk, packed(name * 128))
    overwrite(saver, record, {**record.value, "data": ["bytes", packed(b""), depth, chunk.key]})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match=r"larger than|was not written by FoxingSaver"):
        saver.get_tuple(config)


def test_a_value_above_the_limit_is_refused_before_it_is_stored(target: Target, bank: str) -> None:
    with FoxingSaver.connect(target, bank) as saver:
        config = put(saver, "t", a="x" * 100_000, b="y" * 100_000)
    with FoxingSaver.connect(target, bank, max_bytes=150_000) as saver:
        with pytest.raises(InvalidInput, match="max_bytes"):
            saver.get_tuple(config)
        assert values(saver, put(saver, "u", a="x" * 100_000)) == {"a": "x" * 100_000}
        with pytest.raises(InvalidInput, match="max_bytes"):
            put(saver, "v", a="x" * 200_000)
        assert saver.get_tuple(on_thread("v")) is None


@pytest.mark.parametrize(
    "damage",
    [
        "no base64!",
        "",
        base64.b64encode(b"q123").decode(),
        base64.b64encode(b"zno zlib").decode(),
        base64.b64encode(b"z" + zlib.compress(b"abc" * 30)[:-3]).decode(),
        packed(b"\xc1"),
        packed(b""),
        packed(ormsgpack.packb("text")),
        packed(ormsgpack.packb({"checkpoint": 1})),
        packed(ormsgpack.packb({"checkpoint": {}, "metadata": {}, "values": {"a": [1]}})),
        packed(b"\x91" * 60_000),
        packed(b"\xc7\xff\x05" * 20_000),
    ],
)
def test_damaged_content_is_an_error_of_foxing(saver: FoxingSaver, damage: str) -> None:
    config = put(saver, "t", a="x")
    [record] = heads(saver)
    overwrite(saver, record, {**record.value, "data": ["msgpack", damage, 0, None]})  # type: ignore[dict-item]
    with pytest.raises(FoxingError):
        saver.get_tuple(config)


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, {"ns": 1}, {"ns": "", "parent": None, "data": [1, 2]}])
def test_records_of_another_shape_are_an_error_of_foxing(saver: FoxingSaver, value: object) -> None:
    config = put(saver, "t", a="x")
    [record] = heads(saver)
    overwrite(saver, record, value)
    overwrite(saver, record.model_copy(update={"namespace": record.namespace[:1]}), value)
    for read in (lambda: saver.get_tuple(config), lambda: list(saver.list(None)), lambda: saver.prune(["t"])):
        with pytest.raises(InvalidInput, match="delete_thread"):
            read()
    saver.delete_thread("t")
    assert saver.get_tuple(config) is None
