"""Measuring one store: how fast it takes and finds messages, what it finds, and the room that it needs."""

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

SINGLE = 500  # messages stored one a call; the rest in batches
BATCH = 100  # messages a call
LIMIT = 10  # messages that a question asks for


@dataclass(frozen=True)
class StoreRow:
    """What was measured of a store."""

    system: str
    database: str
    version: str
    messages: int
    #: messages a second, stored one a call by one caller, and milliseconds of a call
    single_per_s: float
    store_p50_ms: float
    store_p95_ms: float
    #: messages a second in batches of `BATCH`
    batched_per_s: float
    #: seconds for what is done later to all messages: Foxing seals them
    finish_s: float
    questions: int
    #: milliseconds of a question after the store was opened again, embedding it included
    recall_p50_ms: float
    recall_p95_ms: float
    #: median of the same questions asked again
    again_p50_ms: float
    #: share of the messages that answer a question among the `LIMIT` messages found, averaged over the questions
    evidence: float
    #: bytes on disk once the store was opened, when it is closed with all messages, and then after VACUUM; an empty
    #: database of PostgreSQL is not counted, whose own files vary by some kB
    empty_bytes: int
    bytes: int
    vacuumed_bytes: int
    #: most memory of the process in MiB, the embedder included; PostgreSQL's is not
    peak_mib: float

    @property
    def sealed_per_s(self) -> float:
        """Messages a second in batches, what is done later included; 0 without batches."""
        if not self.batched_per_s:
            return 0.0
        return 1 / (1 / self.batched_per_s + self.finish_s / self.messages)


@dataclass(frozen=True)
class _Stored:
    """Times of storing."""

    single_ms: list[float]
    batched: int
    batched_s: float
    finish_s: float
    #: id in the store → id of the message
    messages: dict[str, str]


def measure(system: System, place: Place, embedder: Embedder, conversations: Sequence[NamedConversation]) -> StoreRow:
    """Stores and asks everything. `place` must be empty. Raises `NotInstalled`."""
    embedder.embed_documents(["loads the embedder"])
    vacuum(place)  # also what PostgreSQL comes with
    before = disk_bytes(place)
    system.open(place, embedder).close()
    gc.collect()  # files that a package closes when its objects end
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
    """The first messages one by one, as they come up in a conversation, the others in batches, as they are imported."""
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
    """Seconds that storing takes. Adds the ids that the store gives."""
    start = time.perf_counter()
    ids = store.add(conversation.name, messages)
    elapsed = time.perf_counter() - start
    names.update(zip(ids, (str(message.id) for message in messages), strict=True))
    return elapsed


def _ask(
    store: Store, conversations: Sequence[NamedConversation], messages: dict[str, str]
) -> tuple[list[float], list[float]]:
    """Milliseconds and share of the evidence of each question; one before them is not counted, since it may load
    something."""
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
    """The most memory that this process had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
