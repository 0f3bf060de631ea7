"""Checkpoints as records of a bank.

A checkpoint is one record, its head: the checkpoint without the values of its channels, and references to these. Long
values are cut into chunks, records named by their content (`chunks`), so that a thread takes the room of what is new
in each step. A writer leaves out the chunks that the thread holds already, and checks the version of the thread's
record, which changes when chunks are deleted.
"""

import base64
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from pydantic import JsonValue

from foxing.integrations.frameworks.batches import batches
from foxing.integrations.frameworks.call_sequences import CallSequence
from foxing.integrations.frameworks.records import MOST_AT_ONCE, BankRecords
from foxing.memory import Conflict, Fields, InvalidInput, Record, RecordSearchFields

from .chunks import MAX_BYTES, cut, names_in
from .serialization import Serialization
from .stored import Members, Refs, Stored, head_content, head_value, thread_value, write_value
from .threads import (
    HEADS,
    ROOT,
    THREAD,
    WRITES,
    CheckpointThread,
    KnownThreads,
    Namespace,
    label,
    thread_namespace,
)

#: Bytes of a serialized value that stays in its record. Values of channels are cut, because most recur.
INLINE_BYTES = 64 << 10
KEY_BYTES = 32
#: Maximum bytes of the serialized values of a checkpoint that a saver reads, unless it is given another number.
MAX_CHECKPOINT_BYTES = 128 << 20
#: Attempts of a write while other processes delete chunks of the thread.
ATTEMPTS = 20
#: Checkpoint namespaces of a thread whose last checkpoint is remembered.
_MOST_NAMESPACES = 100

R = TypeVar("R")


@dataclass(frozen=True)
class Head:
    """A checkpoint without the values of its channels."""

    thread: CheckpointThread
    checkpoint_ns: str
    checkpoint_id: str
    parent_id: str | None
    checkpoint: Members
    metadata: CheckpointMetadata
    refs: Refs


class Checkpoints:
    """The checkpoints of a bank. Methods raise `FoxingError`. `ser`: the serialization of the saver."""

    def __init__(self, bank: str, max_bytes: int) -> None:
        self._records = BankRecords(bank)
        self._max_bytes = max_bytes
        self._known = KnownThreads()

    def put(
        self,
        ser: Serialization,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> CallSequence[RunnableConfig]:
        """Stores a checkpoint and returns its configuration."""
        thread_id = _thread_id(config)
        ns = _namespace(config)
        stored_metadata = get_checkpoint_metadata(config, metadata)

        def attempt() -> CallSequence[None]:
            thread = yield from self._thread(ser, thread_id)
            refs, chunks = yield from self._refs(ser, thread, config, checkpoint, new_versions)
            bare = {name: value for name, value in checkpoint.items() if name != "channel_values"}
            content = {"checkpoint": bare, "metadata": stored_metadata, "values": refs}
            data = self._stored(ser, thread, content, INLINE_BYTES, chunks)
            value = {
                "ns": ns,
                "parent": get_checkpoint_id(config),
                "run_id": _run_id(stored_metadata),
                "data": data,
            }
            yield from self._write(ser, thread, chunks, [_put(thread.heads(ns), checkpoint["id"], value)])
            if len(thread.last) >= _MOST_NAMESPACES:
                thread.last.clear()
            thread.last[ns] = checkpoint["id"], refs

        yield from self._repeated(thread_id, attempt)
        return _config(thread_id, ns, checkpoint["id"])

    def put_writes(
        self,
        ser: Serialization,
        config: RunnableConfig,
        writes: Sequence[tuple[str, object]],
        task_id: str,
        task_path: str,
    ) -> CallSequence[None]:
        """Stores pending writes of a checkpoint. Those that a task has written before stay, except special ones."""
        thread_id = _thread_id(config)
        ns = _namespace(config)
        checkpoint_id = get_checkpoint_id(config) or ""

        def attempt() -> CallSequence[None]:
            thread = yield from self._thread(ser, thread_id)
            namespace = thread.writes(ns, checkpoint_id)
            numbered = [
                (WRITES_IDX_MAP.get(channel, number), channel, value) for number, (channel, value) in enumerate(writes)
            ]
            keys = {number: _write_key(task_id, number) for number, _, _ in numbered}
            records = yield from self._records.get([(namespace, keys[number]) for number in keys if number >= 0])
            present = {record.key for record in records if record is not None}
            chunks: dict[bytes, bytes] = {}
            puts: list[Fields] = []
            for number, channel, value in numbered:
                if keys[number] in present:
                    continue
                stored = self._stored(ser, thread, value, INLINE_BYTES, chunks)
                content: JsonValue = {
                    "task": task_id,
                    "path": task_path,
                    "idx": number,
                    "channel": channel,
                    "value": stored,
                }
                puts.append(_put(namespace, keys[number], content, **({"if_version": 0} if number >= 0 else {})))
            if puts:
                yield from self._write(ser, thread, chunks, puts)

        yield from self._repeated(thread_id, attempt)

    def get(self, ser: Serialization, config: RunnableConfig) -> CallSequence[CheckpointTuple | None]:
        """Returns the checkpoint of a configuration, the latest one if it names none; None if there is none."""
        thread = yield from self._find(ser, _thread_id(config))
        if thread is None:
            return None
        ns = _namespace(config)
        checkpoint_id = get_checkpoint_id(config)
        if checkpoint_id:
            (record,) = yield from self._records.get([(thread.heads(ns), checkpoint_id)])
        else:
            latest: RecordSearchFields = {"namespace": thread.heads(ns), "exact": True, "order": "last_key", "limit": 1}
            page = yield from self._records.page(latest)
            record = page.records[0] if page.records else None
        if record is None:
            return None
        return (yield from self.complete(ser, (yield from self._head(ser, thread, record))))

    def heads(
        self,
        ser: Serialization,
        config: RunnableConfig | None,
        filter: Mapping[str, object] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> CallSequence[list[Head]]:
        """Returns the heads of checkpoints, newest first in each thread."""
        if config is None:
            threads = yield from self._all_threads(ser)
        else:
            only = yield from self._find(ser, _thread_id(config))
            threads = [] if only is None else [only]
        configurable = {} if config is None else config["configurable"]
        ns = configurable.get("checkpoint_ns")
        bound = None if before is None else get_checkpoint_id(before)
        heads: list[Head] = []
        for thread in threads:
            cursor: str | None = None
            while limit is None or len(heads) < limit:
                records, cursor = yield from self._some_heads(thread, ns, cursor)
                for record in records:
                    if configurable.get("checkpoint_id") not in (None, record.key) or (bound and record.key >= bound):
                        continue
                    head = yield from self._head(ser, thread, record)
                    if all(head.metadata.get(name) == value for name, value in (filter or {}).items()):
                        heads.append(head)
                if cursor is None:
                    break
        return heads if limit is None else heads[: max(0, limit)]

    def complete(self, ser: Serialization, head: Head) -> CallSequence[CheckpointTuple]:
        """Returns a checkpoint with the values of its channels and its pending writes."""
        thread = head.thread
        ns = head.checkpoint_ns
        records = yield from self._all(thread.writes(ns, head.checkpoint_id), exact=True)
        contents = [write_value(record) for record in records]
        contents.sort(key=lambda write: writes_sort_key(write["path"], write["task"], write["idx"]))
        stored = [ref[1] for ref in head.refs.values()] + [write["value"] for write in contents]
        values = yield from self._load(ser, thread, stored)
        writes = [
            (write["task"], write["channel"], value)
            for write, value in zip(contents, values[len(head.refs) :], strict=True)
        ]
        checkpoint = {**head.checkpoint, "channel_values": dict(zip(head.refs, values, strict=False))}
        return CheckpointTuple(
            config=_config(thread.thread_id, ns, head.checkpoint_id),
            checkpoint=cast(Checkpoint, checkpoint),
            metadata=head.metadata,
            parent_config=None if head.parent_id is None else _config(thread.thread_id, ns, head.parent_id),
            pending_writes=writes,
        )

    def delete_thread(self, thread_id: str) -> CallSequence[None]:
        """Deletes everything of a thread."""
        self._known.forget(thread_id)
        yield from self._records.clear(thread_namespace(thread_id))

    def delete_for_runs(self, ser: Serialization, run_ids: Collection[str]) -> CallSequence[None]:
        """Deletes the checkpoints that these runs have written, in all threads."""
        for thread in (yield from self._all_threads(ser)):
            records = yield from self._all((*thread.namespace, HEADS), exact=False)
            gone = [record for record in records if head_value(record)["run_id"] in run_ids]
            yield from self._delete(ser, thread, gone)

    def prune(self, ser: Serialization, thread_id: str) -> CallSequence[None]:
        """Deletes the checkpoints of a thread but the latest of each namespace, and those that delta channels need."""
        thread = yield from self._find(ser, thread_id)
        if thread is None:
            return
        records = yield from self._all((*thread.namespace, HEADS), exact=False)
        by_ns: dict[str, dict[str, Record]] = {}
        for record in records:
            by_ns.setdefault(head_value(record)["ns"], {})[record.key] = record
        gone: list[Record] = []
        for of_ns in by_ns.values():
            retained = {max(of_ns)}
            head: Head | None = yield from self._head(ser, thread, of_ns[max(of_ns)])
            needed = set(head.metadata.get("counters_since_delta_snapshot") or ()) if head is not None else set()
            while head is not None and (needed := needed - set(head.refs)) and head.parent_id in of_ns:
                retained.add(head.parent_id)
                head = yield from self._head(ser, thread, of_ns[head.parent_id])
            gone += [record for key, record in of_ns.items() if key not in retained]
        yield from self._delete(ser, thread, gone)

    def copy_thread(self, ser: Serialization, source_id: str, target_id: str) -> CallSequence[None]:
        """Copies all checkpoints and pending writes of a thread to another one."""
        if source_id == target_id:
            return

        def attempt() -> CallSequence[None]:
            (before,) = yield from self._records.get([(thread_namespace(source_id), THREAD)])
            if before is None:
                return
            target = yield from self._thread(ser, target_id)
            heads = yield from self._all((*thread_namespace(source_id), HEADS), exact=False)
            others = yield from self._all(thread_namespace(source_id), exact=False)
            (after,) = yield from self._records.get([(thread_namespace(source_id), THREAD)])
            if after is None or after.version != before.version:
                raise Conflict(f"chunks of the thread '{source_id}' were deleted while it was copied; try again")
            copied = [record for record in others if record.key != THREAD and record.namespace[2:3] != [HEADS]]
            depth = len(target.namespace)
            puts = [
                _put((*target.namespace, *record.namespace[depth:]), record.key, record.value)
                for record in (*copied, *heads)
            ]
            yield from self._write(ser, target, {}, puts)

        yield from self._repeated(target_id, attempt)

    def _refs(
        self,
        ser: Serialization,
        thread: CheckpointThread,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        new_versions: ChannelVersions,
    ) -> CallSequence[tuple[Refs, dict[bytes, bytes]]]:
        """Returns the references of all channels that have a value, and the chunks to store. A value that is not new is
        that of the parent."""
        values = checkpoint["channel_values"]
        versions = checkpoint["channel_versions"]
        older = [channel for channel in versions if channel not in new_versions]
        inherited: Refs = {}
        if older:
            inherited = yield from self._parent_refs(ser, thread, config)
        refs: Refs = {}
        chunks: dict[bytes, bytes] = {}
        for channel, version in versions.items():
            ref = inherited.get(channel)
            if channel not in new_versions and ref is not None and ref[0] == version:
                refs[channel] = ref
            elif channel in values:
                refs[channel] = [version, self._stored(ser, thread, values[channel], 0, chunks)]
        return refs, chunks

    def _parent_refs(self, ser: Serialization, thread: CheckpointThread, config: RunnableConfig) -> CallSequence[Refs]:
        ns = _namespace(config)
        parent_id = get_checkpoint_id(config)
        if not parent_id:
            return {}
        last_id, refs = thread.last.get(ns, ("", {}))
        if last_id == parent_id:
            return refs
        (record,) = yield from self._records.get([(thread.heads(ns), parent_id)])
        return {} if record is None else (yield from self._head(ser, thread, record)).refs

    def _thread(self, ser: Serialization, thread_id: str) -> CallSequence[CheckpointThread]:
        """Returns a thread that can be written to, creating it if there is none. Raises `Conflict` if another writer
        does so."""
        cached = self._known.get(thread_id, encrypted=ser.encrypts)
        if cached is not None:
            return cached
        namespace = thread_namespace(thread_id)
        (record,) = yield from self._records.get([(namespace, THREAD)])
        value: Members = {"thread_id": thread_id, "key": None} if record is None else thread_value(record)
        version = 0 if record is None else record.version
        if record is None or (ser.encrypts and value["key"] is None):
            if ser.encrypts:
                value = {**value, "key": ser.pack(secrets.token_bytes(KEY_BYTES))}
            done = yield from self._records.write([_put(namespace, THREAD, value, if_version=version)])
            version = done.changes[0].version or 0
        return self._noted(ser, thread_id, version, value)

    def _noted(self, ser: Serialization, thread_id: str, version: int, value: Mapping[str, Any]) -> CheckpointThread:
        key = ser.unpack(value["key"], KEY_BYTES) if ser.encrypts and value["key"] is not None else b""
        thread = CheckpointThread(thread_id, version, key)
        if key or not ser.encrypts:
            self._known.put(thread, encrypted=ser.encrypts)
        return thread

    def _find(self, ser: Serialization, thread_id: str) -> CallSequence[CheckpointThread | None]:
        """Returns a thread to read; None if there is none."""
        cached = self._known.get(thread_id, encrypted=ser.encrypts)
        if cached is not None:
            return cached
        (record,) = yield from self._records.get([(thread_namespace(thread_id), THREAD)])
        if record is None:
            return None
        return self._noted(ser, thread_id, record.version, thread_value(record))

    def _all_threads(self, ser: Serialization) -> CallSequence[list[CheckpointThread]]:
        namespaces = yield from self._records.namespaces((ROOT,))
        labels = dict.fromkeys(namespace[1] for namespace in namespaces if len(namespace) > 1)
        records = yield from self._records.get([((ROOT, label), THREAD) for label in labels])
        return [
            self._noted(ser, value["thread_id"], record.version, value)
            for record, value in ((record, thread_value(record)) for record in records if record is not None)
        ]

    def _some_heads(
        self, thread: CheckpointThread, ns: str | None, cursor: str | None
    ) -> CallSequence[tuple[list[Record], str | None]]:
        """Returns heads, newest first, and the cursor of those that follow; all at once if `ns` is None."""
        if ns is None:
            records = yield from self._all((*thread.namespace, HEADS), exact=False)
            return sorted(records, key=lambda record: record.key, reverse=True), None
        fields: RecordSearchFields = {"namespace": thread.heads(ns), "exact": True, "order": "last_key", "limit": 100}
        page = yield from self._records.page({**fields, "cursor": cursor})
        return page.records, page.next_cursor

    def _head(self, ser: Serialization, thread: CheckpointThread, record: Record) -> CallSequence[Head]:
        value = head_value(record)
        (loaded,) = yield from self._load(ser, thread, [value["data"]])
        content = head_content(loaded, record)
        return Head(
            thread,
            value["ns"],
            record.key,
            value["parent"],
            content["checkpoint"],
            content["metadata"],
            content["values"],
        )

    def _load(
        self, ser: Serialization, thread: CheckpointThread, stored: Sequence[Stored]
    ) -> CallSequence[list[object]]:
        """Returns stored values. Fetches the chunks of all of them level by level. Raises `InvalidInput` if they are
        larger than the limit."""
        contents: dict[bytes, bytes] = {}
        level = {(_name(row[3]), int(row[2])) for row in stored if row[3] is not None}
        while level:
            missing = {name for name, _ in level if name not in contents}
            contents |= yield from self._chunks(ser, thread, missing)
            level = {(name, depth - 1) for node, depth in level if depth for name in names_in(contents[node])}
        thread.note(contents)
        heads = [ser.unpack(row[1], INLINE_BYTES) for row in stored]
        trees = [None if root is None else (_name(root), int(depth)) for _, _, depth, root in stored]
        size = sum(map(len, heads)) + sum(_sizes(contents, trees))
        if size > self._max_bytes:
            raise InvalidInput(
                f"a checkpoint of the thread '{thread.thread_id}' has values of {size:,} bytes, larger than max_bytes, "
                f"which is {self._max_bytes:,}; if your graph has stored them, give the saver a larger max_bytes"
            )

        def leaves(name: bytes, depth: int) -> bytes:
            content = contents[name]
            return b"".join(leaves(inner, depth - 1) for inner in names_in(content)) if depth else content

        return [
            ser.loads(row[0], head + (b"" if tree is None else leaves(*tree)))
            for row, head, tree in zip(stored, heads, trees, strict=True)
        ]

    def _stored(
        self,
        ser: Serialization,
        thread: CheckpointThread,
        value: object,
        inline_bytes: int,
        chunks: dict[bytes, bytes],
    ) -> Stored:
        """Returns a value as it is stored, and adds the chunks that the thread does not hold yet. Raises `InvalidInput`
        for a value that could not be read again."""
        kind, data = ser.dumps(value)
        if len(data) > self._max_bytes:
            raise InvalidInput(
                f"a value of {len(data):,} bytes does not fit into a checkpoint of {self._max_bytes:,}; keep it "
                "elsewhere and its address in the state, or give every saver of the bank a larger max_bytes"
            )
        if len(data) <= inline_bytes:
            return [kind, ser.pack(data), 0, None]
        parts = cut(data, thread.key)
        chunks |= {name: content for name, content in parts.chunks.items() if name not in thread.stored}
        return [kind, ser.pack(parts.head), parts.depth, None if parts.root is None else _key(parts.root)]

    def _chunks(
        self, ser: Serialization, thread: CheckpointThread, names: Collection[bytes]
    ) -> CallSequence[dict[bytes, bytes]]:
        pending = list(names)
        records = yield from self._records.get([(thread.chunks, _key(name)) for name in pending])
        if None in records:
            raise InvalidInput(
                f"chunks of the thread '{thread.thread_id}' were deleted while it was read; read it again"
            )
        return {
            name: ser.unpack(str(record.value), MAX_BYTES)
            for name, record in zip(pending, records, strict=True)
            if record is not None
        }

    def _write(
        self, ser: Serialization, thread: CheckpointThread, chunks: Mapping[bytes, bytes], puts: Sequence[Fields]
    ) -> CallSequence[None]:
        """Writes chunks and then other records, in as many requests as necessary. Raises `Conflict` if chunks of the
        thread were deleted since it was read."""
        check: Fields = {"op": "check", "namespace": thread.namespace, "key": THREAD, "if_version": thread.version}
        writes = [_put(thread.chunks, _key(name), ser.pack(content)) for name, content in chunks.items()]
        writes += puts
        for start in range(0, len(writes), MOST_AT_ONCE):
            for batch in batches(writes[start : start + MOST_AT_ONCE]):
                yield from self._records.write([check, *batch])
        thread.note(chunks)

    def _delete(self, ser: Serialization, thread: CheckpointThread, heads: Sequence[Record]) -> CallSequence[None]:
        """Deletes checkpoints with their pending writes, and then the chunks that no other one uses."""
        if not heads:
            return
        deletions: list[Fields] = []
        for record in heads:
            deletions.append({"op": "delete", "namespace": record.namespace, "key": record.key})
            ns = head_value(record)["ns"]
            deletions.append({"op": "clear", "namespace": thread.writes(ns, record.key)})
        for batch in batches(deletions):
            yield from self._records.write(batch)
        yield from self._repeated(thread.thread_id, lambda: self._collect_garbage(ser, thread.thread_id))

    def _collect_garbage(self, ser: Serialization, thread_id: str) -> CallSequence[None]:
        """Deletes the chunks of a thread that nothing uses. A new version of the thread comes first: from then on,
        writers store every chunk that they use again, which makes the deletion of it fail."""
        self._known.forget(thread_id)
        namespace = thread_namespace(thread_id)
        (record,) = yield from self._records.get([(namespace, THREAD)])
        if record is None:
            return
        done = yield from self._records.write([_put(namespace, THREAD, record.value, if_version=record.version)])
        thread = self._noted(ser, thread_id, done.changes[0].version or 0, thread_value(record))
        self._known.forget(thread_id)
        chunks = {_name(record.key): record for record in (yield from self._all(thread.chunks, exact=True))}
        used: set[tuple[bytes, int]] = set()
        for record in (yield from self._all((*namespace, HEADS), exact=False)):
            head = yield from self._head(ser, thread, record)
            used |= _roots([head_value(record)["data"], *(ref[1] for ref in head.refs.values())])
        for record in (yield from self._all((*namespace, WRITES), exact=False)):
            used |= _roots([write_value(record)["value"]])
        reached: set[bytes] = set()
        while used:
            reached |= {name for name, _ in used}
            inner = [(chunks[name], depth) for name, depth in used if depth and name in chunks]
            nodes = [(ser.unpack(str(record.value), MAX_BYTES), depth) for record, depth in inner]
            used = {(name, depth - 1) for node, depth in nodes for name in names_in(node)}
        check: Fields = {"op": "check", "namespace": namespace, "key": THREAD, "if_version": thread.version}
        unused: list[Fields] = [
            {"op": "delete", "namespace": record.namespace, "key": record.key, "if_version": record.version}
            for name, record in chunks.items()
            if name not in reached
        ]
        for start in range(0, len(unused), MOST_AT_ONCE):
            yield from self._records.write([check, *unused[start : start + MOST_AT_ONCE]])

    def _repeated(self, thread_id: str, attempt: Callable[[], CallSequence[R]]) -> CallSequence[R]:
        """Repeats an attempt while other writers change the thread."""
        for _ in range(ATTEMPTS - 1):
            try:
                return (yield from attempt())
            except Conflict:
                self._known.forget(thread_id)
        return (yield from attempt())

    def _all(self, namespace: Namespace, *, exact: bool) -> CallSequence[list[Record]]:
        """Returns all records of a namespace, oldest first."""
        return self._records.search({"namespace": namespace, "exact": exact})


def _sizes(contents: Mapping[bytes, bytes], trees: Iterable[tuple[bytes, int] | None]) -> Iterator[int]:
    """Yields the bytes of each tree, given as the name of its root and its depth. Chunks may recur; each counts for one
    byte at least, so that a size is also a limit of the steps that assembling takes."""
    sizes: dict[tuple[bytes, int], int] = {}

    def size(tree: tuple[bytes, int]) -> int:
        if tree not in sizes:
            name, depth = tree
            content = contents[name]
            inner = sum(size((child, depth - 1)) for child in names_in(content)) if depth else len(content)
            sizes[tree] = max(1, inner)
        return sizes[tree]

    return (size(tree) for tree in trees if tree is not None)


def _roots(stored: Iterable[Stored]) -> set[tuple[bytes, int]]:
    """Returns name and depth of the roots of stored values."""
    return {(_name(root), depth) for _, _, depth, root in stored if root is not None}


def _put(namespace: Sequence[str], key: str, value: JsonValue | Mapping[str, Any], **fields: object) -> Fields:
    """Returns a write of a record that no query finds."""
    return {"op": "put", "namespace": namespace, "key": key, "value": value, "text": "", **fields}


def _key(name: bytes) -> str:
    return base64.urlsafe_b64encode(name).decode().rstrip("=")


def _name(key: str) -> bytes:
    return base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))


def _write_key(task_id: str, number: int) -> str:
    return f"{label(task_id)}/{number}"


def _thread_id(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])


def _namespace(config: RunnableConfig) -> str:
    return str(config["configurable"].get("checkpoint_ns", ""))


def _run_id(metadata: Mapping[str, Any]) -> str | None:
    run_id = metadata.get("run_id")
    return None if run_id is None else str(run_id)


def _config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
