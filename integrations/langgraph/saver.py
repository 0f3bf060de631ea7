"""`BaseCheckpointSaver` over the records of a bank."""

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing
from foxing.memory import InvalidInput

from .checkpoints import MAX_CHECKPOINT_BYTES, Checkpoints
from .serialization import AllowedType, Serialization, strict


class FoxingSaver(Closing, AsyncClosing, BaseCheckpointSaver[str]):
    """A LangGraph checkpointer in a bank: threads of graphs are stored exactly, step by step, and each step takes the
    room of what is new in it.

        saver = FoxingSaver.connect("http://127.0.0.1:8765", bank="agent-7")
        graph = builder.compile(checkpointer=saver)

    Methods raise `FoxingError`.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        serde: SerializerProtocol | None = None,
        allowed_types: Iterable[AllowedType] = (),
        max_bytes: int = MAX_CHECKPOINT_BYTES,
    ) -> None:
        """`allowed_types`: classes, or names of modules and classes, that a checkpoint may create besides LangGraph's
        safe types: whoever may write records of the bank chooses with which arguments. `serde`: LangGraph's serializer,
        whose own list is kept, and which never creates any type; an `EncryptedSerializer` encrypts everything but ids,
        names of channels with pending writes and the structure of long values. `max_bytes`: of the serialized values of
        a checkpoint. Raises `InvalidInput` for a serializer that unpickles."""
        super().__init__(serde=strict(serde, allowed_types))
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._checkpoints = Checkpoints(connection.bank, max_bytes)

    @classmethod
    def connect(
        cls,
        target: Target,
        bank: str,
        *,
        api_key: str | None = None,
        serde: SerializerProtocol | None = None,
        allowed_types: Iterable[AllowedType] = (),
        max_bytes: int = MAX_CHECKPOINT_BYTES,
    ) -> Self:
        """Returns a saver in a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target, bank or serializer."""
        connection = connect(target, bank, api_key=api_key)
        return cls(connection, serde=serde, allowed_types=allowed_types, max_bytes=max_bytes)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Returns a checkpoint: that of `checkpoint_id`, or the latest of the thread; None if there is none."""
        return run(self.connection, self._checkpoints.get(self._serialization, config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Returns a checkpoint without blocking the event loop; see `get_tuple`."""
        return await run_async(self.connection, self._checkpoints.get(self._serialization, config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, object] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yields checkpoints, newest first: of all threads, a thread or one of its namespaces. `filter`: members that
        the metadata must have. `before`: only those older than this checkpoint."""
        ser = self._serialization
        for head in run(self.connection, self._checkpoints.heads(ser, config, filter, before, limit)):
            yield run(self.connection, self._checkpoints.complete(ser, head))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, object] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yields checkpoints without blocking the event loop; see `list`."""
        ser = self._serialization
        for head in await run_async(self.connection, self._checkpoints.heads(ser, config, filter, before, limit)):
            yield await run_async(self.connection, self._checkpoints.complete(ser, head))

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint, the parent of which is that of `config`. Returns its configuration."""
        sequence = self._checkpoints.put(self._serialization, config, checkpoint, metadata, new_versions)
        return run(self.connection, sequence)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint without blocking the event loop; see `put`."""
        sequence = self._checkpoints.put(self._serialization, config, checkpoint, metadata, new_versions)
        return await run_async(self.connection, sequence)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, object]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores pending writes of a task. Repeating it stores nothing twice."""
        run(self.connection, self._checkpoints.put_writes(self._serialization, config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, object]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores pending writes without blocking the event loop; see `put_writes`."""
        sequence = self._checkpoints.put_writes(self._serialization, config, writes, task_id, task_path)
        await run_async(self.connection, sequence)

    def delete_thread(self, thread_id: str) -> None:
        """Deletes all checkpoints and pending writes of a thread."""
        run(self.connection, self._checkpoints.delete_thread(thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes a thread without blocking the event loop; see `delete_thread`."""
        await run_async(self.connection, self._checkpoints.delete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints that these runs wrote, with their pending writes."""
        run(self.connection, self._checkpoints.delete_for_runs(self._serialization, set(run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes checkpoints without blocking the event loop; see `delete_for_runs`."""
        await run_async(self.connection, self._checkpoints.delete_for_runs(self._serialization, set(run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies all checkpoints and pending writes of a thread to another thread."""
        run(self.connection, self._checkpoints.copy_thread(self._serialization, source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies a thread without blocking the event loop; see `copy_thread`."""
        sequence = self._checkpoints.copy_thread(self._serialization, source_thread_id, target_thread_id)
        await run_async(self.connection, sequence)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes checkpoints of threads: "keep_latest" keeps the latest of each namespace, and the older ones that its
        delta channels are restored from; "delete" keeps none. Raises `InvalidInput` for another strategy."""
        delete = _deletes(strategy)
        for thread_id in thread_ids:
            if delete:
                self.delete_thread(thread_id)
            else:
                run(self.connection, self._checkpoints.prune(self._serialization, thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes checkpoints without blocking the event loop; see `prune`."""
        delete = _deletes(strategy)
        for thread_id in thread_ids:
            if delete:
                await self.adelete_thread(thread_id)
            else:
                await run_async(self.connection, self._checkpoints.prune(self._serialization, thread_id))

    def get_next_version(self, current: str | int | float | None, channel: None) -> str:
        """Returns a version that follows `current`, and differs from those of other branches of the thread."""
        number = int(str(current).split(".")[0]) + 1 if current is not None else 1
        return f"{number:032}.{secrets.token_hex(8)}"

    @property
    def _serialization(self) -> Serialization:
        return Serialization(self.serde)


def _deletes(strategy: str) -> bool:
    if strategy not in ("keep_latest", "delete"):
        raise InvalidInput(f"'{strategy}' is not a strategy; use 'keep_latest' or 'delete'")
    return strategy == "delete"
