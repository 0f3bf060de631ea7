"""Measures one store: speed of storing and recalling, evidence recall, and disk usage."""

import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from statistics import fmean, median

from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .conversations import NamedConversation
from .disk import disk_bytes, vacuum
from .store import Place, Store, System

SINGLE = 500  # messages stored one per call; the rest in batches
BATCH = 100  # messages per call
LIMIT = 10  # messages requested per question


@dataclass(frozen=True)
class StoreRow:
    """Results of one store."""

    system: str
    database: str
    version: str
    messages: int
    #: messages per second, stored one per call by one caller, and latency of a call in ms
    single_per_s: float
    store_p50_ms: float
    store_p95_ms: float
    #: messages per second in batches of `BATCH`
    batched_per_s: float
    #: seconds of deferred work on all messages: Foxing seals them
    finish_s: float
    questions: int
    #: latency in ms of the first pass over the questions after the store was reopened, embedding included
    recall_p50_ms: float
    recall_p95_ms: float
    #: median of a second pass over the same questions
    again_p50_ms: float
    #: evidence recall among the `LIMIT` messages found, averaged over the questions
    evidence: float
    #: bytes on disk of the empty store, of the store closed with all messages, and after VACUUM. The size of an empty
    #: PostgreSQL database is subtracted; its own files vary by some kB
    empty_bytes: int
    bytes: int
    vacuumed_bytes: int
    #: peak memory of the process in MiB, with the embedder but without the processes of PostgreSQL
    peak_mib: float

    @property
    def sealed_per_s(self) -> float:
        """Messages per second in batches, deferred work included; 0 without batches."""
        if not self.batched_per_s:
            return 0.0
        return 1 / (1 / self.batched_per_s + self.finish_s / self.messages)


@dataclass(frozen=True)
class _Stored:
    """Timings of storing."""

    single_ms: list[float]
    batched: int
    batched_s: float
    finish_s: float
    #: id in the store → id of the message
    messages: dict[str, str]


def measure(system: System, place: Place, embedder: Embedder, conversations: Sequence[NamedConversation]) -> StoreRow:
    """Stores all messages and asks all questions. `place` must be empty. Raises `NotInstalled`."""
    embedder.embed_documents(["loads the embedder"])
    vacuum(place)  # also the initial content of PostgreSQL
    before = disk_bytes(place)
    system.open(place, embedder).close()
    gc.collect()  # closes files of unreachable objects
    opened = disk_bytes(place) - before
    with closing(system.open(place, embedder)) as store:
        stored = _store(store, conversations)
    gc.collect()
    used = disk_bytes(place) - before
    with closing(system.open(place, embedder)) as store:
        times_ms, shares = _ask(store, conversations, stored.messages)
        again_ms, _ = _ask(store, conversations, stored.messages)
    gc.collect()
    vacuum(place)
    return StoreRow(
        system=system.name,
        database=system.database,
        version=version(system.package),
        messages=len(stored.messages),
        single_per_s=round(1000 / fmean(stored.single_ms), 1),
        store_p50_ms=round(median(stored.single_ms), 2),
        store_p95_ms=_p95(stored.single_ms),
        batched_per_s=round(stored.batched / stored.batched_s, 1) if stored.batched else 0.0,
        finish_s=round(stored.finish_s, 2),
        questions=len(times_ms),
        recall_p50_ms=round(median(times_ms), 2),
        recall_p95_ms=_p95(times_ms),
        again_p50_ms=round(median(again_ms), 2),
        evidence=round(fmean(shares), 4),
        empty_bytes=opened,
        bytes=used,
        vacuumed_bytes=disk_bytes(place) - before,
        peak_mib=round(_peak_bytes() / 2**20, 1),
    )


def _store(store: Store, conversations: Sequence[NamedConversation]) -> _Stored:
    """Stores the first messages one by one, as in a live conversation, and the others in batches, as in an import."""
    single_ms: list[float] = []
    batched, batched_s, names = 0, 0.0, dict[str, str]()
    for conversation in conversations:
        messages = iter(conversation.messages)
        for message in islice(messages, max(0, SINGLE - len(single_ms))):
            single_ms.append(1e3 * _add(store, conversation, [message], names))
        for batch in _batches(messages):
            batched_s += _add(store, conversation, batch, names)
            batched += len(batch)
    return _Stored(single_ms, batched, batched_s, _seconds(store.finish), names)


def _batches(messages: Iterator[NewMessage]) -> Iterator[list[NewMessage]]:
    while batch := list(islice(messages, BATCH)):
        yield batch


def _add(store: Store, conversation: NamedConversation, messages: Sequence[NewMessage], names: dict[str, str]) -> float:
    """Stores messages, records the ids that the store assigns, and returns the seconds taken."""
    start = time.perf_counter()
    ids = store.add(conversation.name, messages)
    elapsed = time.perf_counter() - start
    names.update(zip(ids, (str(message.id) for message in messages), strict=True))
    return elapsed


def _ask(
    store: Store, conversations: Sequence[NamedConversation], messages: dict[str, str]
) -> tuple[list[float], list[float]]:
    """Latency in ms and evidence recall of each question, after a warm-up question that is not counted."""
    times_ms, shares = [], []
    store.search(conversations[0].name, "is anybody there?", LIMIT)
    for conversation in conversations:
        for question in conversation.questions:
            start = time.perf_counter()
            found = store.search(conversation.name, question.text, LIMIT)
            times_ms.append(1e3 * (time.perf_counter() - start))
            given = {messages[each] for each in found}
            shares.append(len(question.evidence & given) / len(question.evidence))
    return times_ms, shares


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _p95(values: Sequence[float]) -> float:
    return round(sorted(values)[int(0.95 * (len(values) - 1))], 2)


def _peak_bytes() -> int:
    """Peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
