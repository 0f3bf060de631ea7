"""Threads of checkpoints: where their records are, and which chunks they are known to hold."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from .stored import Refs

#: First label of the records of all checkpoints. They are not items of a `FoxingStore`.
ROOT = "langgraph-checkpoints"
HEADS = "heads"
WRITES = "writes"
CHUNKS = "chunks"
#: Key of the record of a thread, in its namespace.
THREAD = "thread"

_MOST_THREADS = 1_000  # whose chunks are remembered
_MOST_CHUNKS = 200_000  # of a thread that are remembered
_MOST_LABEL_CHARS = 200

Namespace = tuple[str, ...]


def label(text: str) -> str:
    """Returns a label for a thread id or checkpoint namespace; a digest of one that cannot be a label."""
    marked = ":" + text
    if len(marked) <= _MOST_LABEL_CHARS and "\x00" not in text and "\x1f" not in text:
        return marked
    return "#" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class CheckpointThread:
    """A thread, at one version of its record. A write checks the version, which changes when chunks are deleted."""

    thread_id: str
    version: int
    #: secret for the names of chunks; empty if they are not encrypted
    key: bytes
    #: names of chunks that are stored
    stored: set[bytes] = field(default_factory=set)
    #: checkpoint namespace → id of the checkpoint stored last, and references of the values of its channels
    last: dict[str, tuple[str, Refs]] = field(default_factory=dict)

    @property
    def namespace(self) -> Namespace:
        """Namespace of the thread's record; all others are below it."""
        return thread_namespace(self.thread_id)

    @property
    def chunks(self) -> Namespace:
        """Namespace of the chunks."""
        return (*self.namespace, CHUNKS)

    def heads(self, checkpoint_ns: str) -> Namespace:
        """Namespace of the checkpoints of a checkpoint namespace."""
        return (*self.namespace, HEADS, label(checkpoint_ns))

    def writes(self, checkpoint_ns: str, checkpoint_id: str) -> Namespace:
        """Namespace of the pending writes of a checkpoint."""
        return (*self.namespace, WRITES, label(checkpoint_ns), label(checkpoint_id))

    def note(self, names: Collection[bytes]) -> None:
        """Remembers that these chunks are stored."""
        if len(self.stored) + len(names) > _MOST_CHUNKS:
            self.stored.clear()  # they are stored again, which changes nothing
        self.stored.update(names)


def thread_namespace(thread_id: str) -> Namespace:
    """Returns the namespace of a thread's record."""
    return (ROOT, label(thread_id))


class KnownThreads:
    """The threads that were used last. Safe to share between threads of the process."""

    def __init__(self) -> None:
        self._threads: OrderedDict[tuple[str, bool], CheckpointThread] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, thread_id: str, *, encrypted: bool) -> CheckpointThread | None:
        """Returns a thread, as it was when it was used last; None if it is not known."""
        with self._lock:
            thread = self._threads.get((thread_id, encrypted))
            if thread is not None:
                self._threads.move_to_end((thread_id, encrypted))
            return thread

    def put(self, thread: CheckpointThread, *, encrypted: bool) -> None:
        """Remembers a thread."""
        with self._lock:
            self._threads[thread.thread_id, encrypted] = thread
            while len(self._threads) > _MOST_THREADS:
                self._threads.popitem(last=False)

    def forget(self, thread_id: str) -> None:
        """Forgets a thread, whose record has changed."""
        with self._lock:
            for encrypted in (False, True):
                self._threads.pop((thread_id, encrypted), None)
