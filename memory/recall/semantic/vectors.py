"""The embeddings of messages: made, kept as codes in the database, and searched.

Codes of a bank are searched in memory, all of them: first by the bits in which they differ from those of the question,
and the nearest again by the numbers of the question. A cache holds the codes of the banks asked last.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from sqlalchemy import Connection

from foxing.memory.errors import EmbedderError
from foxing.memory.recall.embedding import Embeddings
from foxing.memory.storage.repositories import embeddings, messages, schedule
from foxing.memory.storage.repositories.messages import MessageFilter

from .codes import Codes, as_rows, code_bytes, distances, nearness, to_codes
from .source import EmbedderSource

VECTOR_CACHE_BYTES = 64 << 20
EMPTY = b""  # the code of a message of which nothing is left to embed


@dataclass(frozen=True)
class Question:
    """What is asked for by meaning."""

    #: float32[dimensions]; None without an embedder
    vector: Embeddings | None = None
    #: name of the embedder
    embedder: str = ""
    #: why there is no vector although there should be one
    note: str | None = None


@dataclass(frozen=True)
class _BankCodes:
    """The codes of a bank that one embedder made, at one version."""

    embedder_id: int
    version: int
    #: int64[n], ids of the messages, ascending
    ids: npt.NDArray[np.int64]
    codes: Codes

    @property
    def size(self) -> int:
        return max(1, self.ids.nbytes + self.codes.nbytes)


class MessageVectors:
    """Semantic search over the messages of all banks. Safe to share between threads."""

    def __init__(self, source: EmbedderSource, cache_bytes: int = VECTOR_CACHE_BYTES) -> None:
        self.source = source
        self._cache: LRUCache[int, _BankCodes] = LRUCache(cache_bytes, getsizeof=lambda held: held.size)
        self._lock = Lock()

    def encode_now(self, texts: Sequence[str]) -> "MessageCodes | None":
        """The codes of messages that are about to be stored, one for each text, or None if they are made later: by the
        clock where the embedder is slow or fails, never without one."""
        if not self.source.enabled or not texts:
            return None
        try:
            if self.source.slow:
                return None
            return self.encode(texts)
        except EmbedderError:
            return None

    def encode(self, texts: Sequence[str]) -> "MessageCodes":
        """The codes of texts. Raises `EmbedderError`."""
        said = [text for text in texts if text.strip()]
        vectors = self.source.documents(said)
        packed = iter(to_codes(vectors)) if said else iter(())
        codes = [next(packed).tobytes() if text.strip() else EMPTY for text in texts]
        return MessageCodes(self.source.load().name, vectors.shape[1], codes)

    def add(self, connection: Connection, bank_id: int, ids: Sequence[int], codes: "MessageCodes | None") -> None:
        """Adds the codes of new messages, or has the clock make them."""
        if codes is not None:
            embedder = embeddings.embedder_id(connection, codes.embedder, codes.dimensions)
            embeddings.add(connection, bank_id, embedder, codes.by_id(ids))
        elif self.source.enabled:
            schedule.bring_forward(connection, bank_id, "embed")

    def replace(self, connection: Connection, bank_id: int, ids: Sequence[int], codes: "MessageCodes | None") -> None:
        """Replaces the codes of messages whose text has changed; with None they go, and the clock makes new ones."""
        if codes is not None:
            embedder = embeddings.embedder_id(connection, codes.embedder, codes.dimensions)
            embeddings.replace(connection, bank_id, embedder, codes.by_id(ids))
            return
        embeddings.remove(connection, bank_id, ids)
        if ids and self.source.enabled:
            schedule.bring_forward(connection, bank_id, "embed")

    def question(self, text: str) -> Question:
        """`text` to be asked for. Never raises: without an embedder, or if it fails, the question has no vector."""
        if not self.source.enabled or not text.strip():
            return Question()
        try:
            vector = self.source.question(text)
            return Question(vector, self.source.load().name)
        except EmbedderError as error:
            return Question(note=f"found by words alone: {error}")

    def note(self, connection: Connection, bank_id: int, question: Question) -> str | None:
        """Why a question is answered by words alone; None if it is not, or if that is what was chosen."""
        if question.vector is None:
            return question.note
        if self._codes(connection, bank_id, question) is not None or not embeddings.has_any(connection, bank_id):
            return None
        return (
            f"found by words alone: no message of this bank was embedded by {question.embedder} with "
            f"{len(question.vector)} numbers; run foxing reindex"
        )

    def nearest(
        self, connection: Connection, bank_id: int, question: Question, within: "SearchScope", limit: int
    ) -> list[int]:
        """Ids of up to `limit` messages that are nearest to the question, not in order."""
        held = self._codes(connection, bank_id, question)
        if held is None or question.vector is None:
            return []
        ids, codes = held.ids, held.codes
        kept = np.ones(len(ids), dtype=bool)
        if within.newest is not None:
            kept &= ids <= within.newest
        if within.filter.conditions():
            kept &= np.isin(ids, np.array(messages.ids_within(connection, bank_id, within.filter), dtype=np.int64))
        if not kept.all():
            ids, codes = ids[kept], np.ascontiguousarray(codes[kept])
        if len(ids) > limit:
            near = np.argpartition(distances(codes, question.vector), limit)[:limit]
            ids = ids[near]
        return [int(i) for i in ids]

    def scores(
        self, connection: Connection, bank_id: int, question: Question, ids: Collection[int]
    ) -> dict[int, float]:
        """Message id → how near it is to the question, for those that have a code."""
        held = self._codes(connection, bank_id, question)
        if held is None or question.vector is None or not ids:
            return {}
        wanted = np.array(sorted(ids), dtype=np.int64)
        places = np.searchsorted(held.ids, wanted)
        places[places == len(held.ids)] = 0
        known = held.ids[places] == wanted
        near = nearness(np.ascontiguousarray(held.codes[places[known]]), question.vector)
        return {int(i): float(value) for i, value in zip(wanted[known], near, strict=True)}

    def _codes(self, connection: Connection, bank_id: int, question: Question) -> _BankCodes | None:
        """The codes of a bank that the question can be compared with; None if it has none."""
        if question.vector is None:
            return None
        embedder = embeddings.find_embedder(connection, question.embedder, len(question.vector))
        if embedder is None:
            return None
        version = embeddings.version(connection, bank_id)
        with self._lock:
            held = self._cache.get(bank_id)
        width = code_bytes(len(question.vector))
        if held is None or (held.embedder_id, held.version) != (embedder, version):
            nothing = np.zeros(0, dtype=np.int64)
            held = _BankCodes(embedder, version, nothing, np.zeros((0, width), dtype=np.uint8))
        read = _with_new(connection, bank_id, held)
        if read is not held:
            with self._lock:
                if read.size <= self._cache.maxsize:
                    self._cache[bank_id] = read
        return read if len(read.ids) else None


@dataclass(frozen=True)
class MessageCodes:
    """Codes of messages, as one embedder made them."""

    embedder: str
    dimensions: int
    codes: Sequence[bytes]

    def by_id(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Message id → code, for messages in the order of the codes."""
        return dict(zip(ids, self.codes, strict=True))


def joined(codes: Sequence[MessageCodes | None]) -> MessageCodes | None:
    """The codes of several messages as one value; None if any is missing."""
    made = [code for code in codes if code is not None]
    if not made or len(made) < len(codes):
        return None
    return MessageCodes(made[0].embedder, made[0].dimensions, [one for code in made for one in code.codes])


def spoken(text: str, speaker: str | None) -> str:
    """What is embedded of a message: its text, and who said it."""
    return f"{speaker}: {text}" if speaker and text.strip() else text


@dataclass(frozen=True)
class SearchScope:
    """Which messages may be found."""

    filter: MessageFilter
    #: highest message id, None for all
    newest: int | None = None


def _with_new(connection: Connection, bank_id: int, held: _BankCodes) -> _BankCodes:
    """`held` with the messages that were stored since; itself if there are none. Writers of a bank wait for each other,
    so that what is committed later has a higher id."""
    newest = int(held.ids[-1]) if len(held.ids) else 0
    width = held.codes.shape[1]
    stored = embeddings.codes_after(connection, bank_id, held.embedder_id, newest)
    fresh = [row for row in stored if len(row.code) == width]
    if not fresh:
        return held
    ids = np.array([row.message_id for row in fresh], dtype=np.int64)
    codes = as_rows([row.code for row in fresh], width)
    return replace(held, ids=np.concatenate([held.ids, ids]), codes=np.concatenate([held.codes, codes]))
