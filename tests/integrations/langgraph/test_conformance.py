"""LangGraph's conformance suite for checkpointers: on both databases and over HTTP, with asynchronous and synchronous
methods, plain and encrypted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from support.service import serve

from foxing.integrations.client import Target
from foxing.integrations.langgraph import FoxingSaver
from foxing.memory import Memory, MemoryOptions

from .test_saver import Reversal

conformance = pytest.importorskip("langgraph.checkpoint.conformance")


class Synchronous(FoxingSaver):
    """Answers asynchronous calls with the synchronous methods."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(self, config: RunnableConfig | None, **fields: Any) -> AsyncIterator[CheckpointTuple]:
        for each in self.list(config, **fields):
            yield each

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self.prune(thread_ids, strategy=strategy)


def check(kind: type[FoxingSaver], target: Target, *, encrypted: bool) -> None:
    """Runs the suite; each capability has a bank of its own."""
    banks: list[str] = []

    async def make() -> AsyncIterator[FoxingSaver]:
        banks.append(f"bank-{len(banks)}")
        async with kind.connect(
            target, banks[-1], serde=EncryptedSerializer(Reversal()) if encrypted else None
        ) as saver:
            yield saver

    report = asyncio.run(conformance.validate(conformance.checkpointer_test(name="FoxingSaver")(make)))
    assert len(report.results) == 8
    for capability, result in report.results.items():
        assert (result.passed, result.tests_failed) == (True, 0), (capability, result.failures)
    assert sum(result.tests_passed for result in report.results.values()) >= 70


@pytest.mark.slow
@pytest.mark.both_databases
@pytest.mark.parametrize("kind", [FoxingSaver, Synchronous])
@pytest.mark.parametrize("encrypted", [False, True])
def test_the_saver_conforms_on_a_database(database_url: str, kind: type[FoxingSaver], encrypted: bool) -> None:
    with Memory(database_url, options=MemoryOptions(embedder="none")) as memory:
        check(kind, memory, encrypted=encrypted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FoxingSaver, Synchronous])
def test_the_saver_conforms_over_http(database_url: str, kind: type[FoxingSaver]) -> None:
    with Memory(database_url, options=MemoryOptions(embedder="none")) as memory, serve(memory) as client:
        check(kind, str(client.base_url), encrypted=False)
