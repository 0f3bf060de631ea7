"""Ageing, reencoding and importing by a pool of workers.

This process plans, assigns batches and adds up the results. Each worker has a memory of its own on the same database,
with the codec loaded once. Workers lease and swap pages, so that a batch that is carried out twice changes each page
once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from foxing.memory.ingest.dry_run import DryRun
from foxing.memory.ingest.importers import ImportOptions, ImportReport, NamedFile, check_file, not_in, store_file
from foxing.memory.ingest.store import MessageStore
from foxing.memory.lifecycle.age import Ager
from foxing.memory.lifecycle.changes import Batch, BatchOutcome
from foxing.memory.lifecycle.plan import Move
from foxing.memory.lifecycle.reencode import Reencoder, StalePage
from foxing.memory.values.reports import AgeReport, ReencodingReport
from foxing.renderer import Progress

from .embeddings import EmbedBatch, EmbeddedBatch, EmbeddedStorage, FileReader

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


class Pool(Protocol):
    """Pool of workers."""

    def run(
        self, work: "Callable[[BulkWork, _Batch], _Result]", batches: Sequence[_Batch], *, in_order: bool = False
    ) -> Iterator[tuple[_Batch, _Result]]:
        """Yields each batch with the result of `work` for it in a worker, as they finish or `in_order`. `work` may be
        called again for a batch whose worker was killed. Raises the errors of `work`, and `PoolError`."""
        ...


@dataclass(frozen=True)
class ImportRequest:
    """History to import; see `import_file`."""

    path: Path | NamedFile
    bank: str
    options: ImportOptions = field(default_factory=ImportOptions)


class BulkWork:
    """The bulk work of a memory."""

    def __init__(
        self,
        ager: Ager,
        reencoder: Reencoder,
        store: MessageStore,
        now: Callable[..., datetime],
        *,
        before: Callable[[], object],
    ) -> None:
        """`now`: see `Memory.now`. `before`: called before pages are planned."""
        self._ager = ager
        self._reencoder = reencoder
        self._store = store
        self._now = now
        self._before = before
        self._reader: FileReader | None = None

    def age(
        self,
        bank: str,
        pool: Pool,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> AgeReport:
        """Does the work of `Memory.age` with the workers of `pool`. Raises the same errors, and `PoolError`."""
        at = self._now(now, timezone)
        self._before()
        return self._ager.age(bank, at, progress=progress, work=lambda batches: pool.run(BulkWork.move, batches))

    def reencode(self, bank: str, pool: Pool, *, progress: Progress | None = None) -> ReencodingReport:
        """Does the work of `Operations.reencode` with the workers of `pool`. Raises its errors, and `PoolError`."""
        return self._reencoder.reencode(
            bank, self._now(), progress=progress, work=lambda batches: pool.run(BulkWork.rewrite, batches)
        )

    def import_file(self, request: ImportRequest, pool: Pool, *, progress: Progress | None = None) -> ImportReport:
        """Does the work of `import_file`; the workers of `pool` also read the file and embed its messages. This process
        stores them in the order of the file. Raises the same errors, and `PoolError`."""
        with DryRun.of(self._store, request.bank, self._now()) as dry_run:
            source = check_file(request.path, request.options, dry_run=dry_run)
        batches = [EmbedBatch(source, number) for number in range(source.batches)]
        embedded = pool.run(BulkWork.embed, batches, in_order=True)
        storage = EmbeddedStorage(self._store, (result for _, result in embedded), self._now)
        counted = not_in(self._store.redaction_of(request.bank).rules)
        return store_file(
            storage, source, bank=request.bank, progress=progress, one_by_one=False, threads=1, counted=counted
        )

    def move(self, batch: Batch[Move]) -> BatchOutcome:
        """Ages a batch, in a worker."""
        return self._ager.move(batch)

    def rewrite(self, batch: Batch[StalePage]) -> BatchOutcome:
        """Reencodes a batch, in a worker."""
        return self._reencoder.rewrite(batch)

    def embed(self, batch: EmbedBatch) -> EmbeddedBatch:
        """Embeds a batch of the messages of a file, in a worker."""
        if self._reader is None or not self._reader.reaches(batch):
            self._reader = FileReader(batch.source)
        messages = self._reader.messages(batch)
        return EmbeddedBatch.of(messages, self._store.embed(messages))
