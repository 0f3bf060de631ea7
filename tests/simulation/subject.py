"""The memory that is simulated: its file, its options, its clock, and the doors to it."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self

from foxing.encoder import Codec
from foxing.integrations.client import Client
from foxing.memory import DatabaseOptions, Memory, MemoryOptions, RecalledMessage

from .codec import PackedCodec, packed_images
from .embedder import WordEmbedder
from .folds import Session
from .model import BankModel, Original
from .service import client_of
from .surroundings import Clock, owned, small_batches


class Subject:
    """A database, the memory on it, and the model. Use it in a `with` block."""

    def __init__(self, seed: int, folder: Path, *, codec: Codec | None = None, embedder: str | None = None) -> None:
        self.seed = seed
        self.folder = folder
        self.path = folder / "foxing.db"
        self.clock = Clock()
        self.native = codec is not None
        self.codec = codec or PackedCodec()
        self.sessions: dict[str, Session] = {}
        rng = Random(f"options {seed}")
        self.embedder = WordEmbedder(slow=rng.random() < 0.5) if embedder is None and rng.random() < 0.5 else None
        self.small = rng.random() < 0.5
        self.options = MemoryOptions(embedder=self.embedder or embedder or "none", read_images=False)
        self.banks: dict[str, BankModel] = {}
        #: Messages that were erased.
        self.erasures: dict[int, Original] = {}
        self.backups: dict[int, tuple[Path, dict[str, BankModel]]] = {}
        self.coverage: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        #: Number of calls by door and name.
        self.doors: Counter[tuple[str, str]] = Counter()
        self.bank_s = 0.0
        self.trace = hashlib.sha256()
        self._exports: dict[str, list[RecalledMessage]] = {}
        self._stack = ExitStack()
        self._memory: Memory | None = None
        #: Another memory on the same file, as of another process.
        self._other: Memory | None = None
        #: Client of the service, during a step that goes through it.
        self._client: Client | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(owned(self.seed, self.clock))
        self._stack.enter_context(_quiet())
        if self.small:
            self._stack.enter_context(small_batches())
        if not self.native:
            self._stack.enter_context(packed_images())
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._drop()
            self._switch_now()
            self._drop()
        finally:
            self._stack.close()

    @property
    def memory(self) -> Memory:
        assert self._memory is not None
        return self._memory

    @property
    def caller(self) -> Any:
        """The memory, or the client of the service over it."""
        return self._client or self.memory

    def _open(self) -> None:
        self._memory = self._new_memory()

    def _new_memory(self) -> Memory:
        database = DatabaseOptions(self.path, busy_timeout_s=5)
        return Memory(database, codec=self.codec, clock=self.clock, options=self.options)

    def _switch_now(self) -> None:
        self._memory, self._other = self._other, self._memory

    def _drop(self) -> None:
        """Ends the memory as a kill does: nothing more is written."""
        if self._memory is not None:
            self._memory._database.close()
            self._memory = None

    def _through_service(self, call: Callable[[], Any]) -> Callable[[], Any]:
        def serve() -> Any:
            with client_of(self.memory) as client:
                self._client = client
                try:
                    return call()
                finally:
                    self._client = None

        return serve


@contextmanager
def _quiet() -> Iterator[None]:
    """Logs nothing: a process that ends has tasks whose errors nobody reads."""
    loggers = [logging.getLogger(name) for name in ("foxing", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
