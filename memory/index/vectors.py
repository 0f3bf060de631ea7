"""Semantic search over the embeddings of messages, stored as codes in the database.

A search scans all codes of a bank in memory by Hamming distance, and scores the nearest with the full vector of the
question. An LRU cache holds the codes of recently searched banks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import pi, sqrt
from threading import Lock

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from sqlalchemy import Connection

from foxing.memory.errors import EmbedderError
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import embeddings, messages, schedule
from foxing.memory.telemetry import operation
from foxing.memory.text.passages import MAX_PASSAGES, document_key, message_of

from .background import Background, background_of
from .codes import MAX_BITS, Codes, as_rows, code_bytes, nearest, similarities, to_codes
from .embedder import Embeddings
from .embedder_source import EmbedderSource
from .scores import Keys, Scores

VECTOR_CACHE_BYTES = 256 << 20
EMPTY = b""  # the code of a message without text


@dataclass(frozen=True)
class QueryEmbedding:
    """The embedding of a question."""

    #: float32[dimensions]; None without an embedder
    vector: Embeddings | None = None
    #: name of the embedder
    embedder: str = ""
    #: background of the embedder, if it states one
    background: Background | None = None
    #: why there is no vector, if the embedder failed
    note: str | None = None


@dataclass(frozen=True)
class _BankCodes:
    """The codes of a bank by one embedder, at one version."""

    embedder_id: int
    version: int
    #: int64[n], document keys of the passages, ascending
    documents: Keys
    #: the code of each passage
    codes: Codes
    dimensions: int
    #: background of the embedder, if it states one
    prior: Background | None

    @cached_property
    def background(self) -> Background | None:
        """Background of the bank, see `background_of`."""
        return background_of(self.codes, self.dimensions, self.prior)

    @property
    def size(self) -> int:
        return max(1, self.documents.nbytes + self.codes.nbytes)


class MessageVectors:
    """Semantic search over the messages of all banks. Safe to share between threads."""

    def __init__(self, source: EmbedderSource, cache_bytes: int = VECTOR_CACHE_BYTES) -> None:
        self.source = source
        self._cache: LRUCache[int, _BankCodes] = LRUCache(cache_bytes, getsizeof=lambda cached: cached.size)
        self._lock = Lock()

    def encode_now(self, texts: Sequence[Sequence[str]], *, in_background: bool = False) -> "MessageCodes | None":
        """Returns the codes of messages that are about to be stored, each given by its passages. Returns None if the
        scheduler embeds them later, because the embedder is slow or fails, or if there is no embedder.
        `in_background`: whether nobody waits for the storing, so that it need not be later because of that."""
        if not self.source.enabled or not texts:
            return None
        try:
            if self.source.slow_itself if in_background else self.source.slow:
                return None
            return self.encode(texts)
        except EmbedderError:
            return None

    @property
    def immediate(self) -> bool:
        """True if messages are embedded when they are stored."""
        try:
            return self.source.enabled and not self.source.slow
        except EmbedderError:
            return False

    def encode(
        self, texts: Sequence[Sequence[str]], pictures: Mapping[tuple[int, int], Sequence[bytes]] | None = None
    ) -> "MessageCodes":
        """Returns the codes of messages, each given by its passages. `pictures`: number of a message in `texts` and of
        its passage → images in the passage, files of JPEG. Raises `EmbedderError`."""
        passages = [text for message in texts for text in message]
        has_text = np.array([bool(text.strip()) for text in passages], dtype=bool)
        with operation("embed", messages=len(texts)):
            vectors = self.source.documents([text for text in passages if text.strip()])
        if pictures:
            starts = np.concatenate([[0], np.cumsum([len(message) for message in texts])])
            places = {int(starts[message]) + passage: images for (message, passage), images in pictures.items()}
            vectors = self._with_pictures(vectors, np.flatnonzero(has_text), places)
        rows = np.zeros((len(passages), code_bytes(vectors.shape[1])), dtype=np.uint8)
        if has_text.any():
            rows[has_text] = to_codes(vectors)
        ends = np.cumsum([len(message) for message in texts])[:-1]
        parts = zip(np.split(rows, ends), np.split(has_text, ends), strict=True)
        codes = [part.tobytes() if of_part.any() else EMPTY for part, of_part in parts]
        return MessageCodes(self.source.load().name, vectors.shape[1], codes)

    def _with_pictures(
        self, vectors: Embeddings, places: npt.NDArray[np.intp], pictures: Mapping[int, Sequence[bytes]]
    ) -> Embeddings:
        """Returns the vectors of passages that are not empty, each with the mean of its text and its images. `places`:
        number of the passage of each vector; `pictures`: number of a passage → its images."""
        pairs = [(row, image) for row, place in enumerate(places.tolist()) for image in pictures.get(place, ())]
        if not pairs:
            return vectors
        picture_vectors = self.source.images([image for _, image in pairs])
        total = vectors.copy()
        np.add.at(total, [row for row, _ in pairs], picture_vectors)
        lengths = np.linalg.norm(total, axis=1, keepdims=True)
        return np.where(lengths == 0, vectors, total / np.where(lengths == 0, 1, lengths))

    def add(self, connection: Connection, bank_id: int, ids: Sequence[int], codes: "MessageCodes | None") -> None:
        """Stores the codes of new messages. With None, schedules embedding if there is an embedder."""
        if codes is not None:
            embedder = embeddings.embedder_id(connection, codes.embedder, codes.dimensions)
            embeddings.add(connection, bank_id, embedder, codes.by_id(ids))
        elif self.source.enabled:
            schedule.bring_forward(connection, bank_id, "embed")

    def replace(self, connection: Connection, bank_id: int, ids: Sequence[int], codes: "MessageCodes | None") -> None:
        """Replaces the codes of messages whose text has changed. With None, deletes them and schedules embedding."""
        if codes is not None:
            embedder = embeddings.embedder_id(connection, codes.embedder, codes.dimensions)
            embeddings.replace(connection, bank_id, embedder, codes.by_id(ids))
            embeddings.pack(connection, bank_id, at_least=embeddings.SEGMENT)
            return
        embeddings.remove(connection, bank_id, ids)
        if ids and self.source.enabled:
            schedule.bring_forward(connection, bank_id, "embed")

    def question(self, text: str) -> QueryEmbedding:
        """Returns the embedding of a question. Never raises: the result has no vector if there is no embedder or it
        fails, in the latter case with a note."""
        if not self.source.enabled or not text.strip():
            return QueryEmbedding()
        try:
            vector = self.source.question(text)
            embedder = self.source.load()
            return QueryEmbedding(vector, embedder.name, getattr(embedder, "background", None))
        except EmbedderError as error:
            return QueryEmbedding(note=f"lexical search only: {error}")

    def note(self, connection: Connection, bank_id: int, question: QueryEmbedding) -> str | None:
        """Returns why a question is answered by lexical search only, or None if it is not or there is no embedder."""
        if question.vector is None:
            return question.note
        kind = question.embedder, len(question.vector)
        if embeddings.has_codes(connection, bank_id, *kind) or not embeddings.has_any(connection, bank_id):
            return None
        return (
            f"lexical search only: no message of this bank was embedded by {question.embedder} with "
            f"{len(question.vector)} dimensions; run foxing reindex"
        )

    def search(self, connection: Connection, bank_id: int, question: QueryEmbedding) -> "CodeSearch | None":
        """Returns the codes of a bank with the question, or None if either is missing."""
        if question.vector is None:
            return None
        embedder, version = embeddings.version(connection, bank_id, question.embedder, len(question.vector))
        if embedder is None:
            return None
        with self._lock:
            cached = self._cache.get(bank_id)
        if cached is None or (cached.embedder_id, cached.version) != (embedder, version):
            no_codes = np.zeros((0, code_bytes(len(question.vector))), dtype=np.uint8)
            none = np.zeros(0, dtype=np.int64)
            cached = _BankCodes(embedder, version, none, no_codes, len(question.vector), question.background)
        stored = _with_new(connection, bank_id, cached)
        if stored is not cached:
            with self._lock:
                if stored.size <= self._cache.maxsize:
                    self._cache[bank_id] = stored
        if not len(stored.documents):
            return None
        return CodeSearch(bank_id, question.vector, stored.documents, stored.codes, stored.background)


@dataclass(frozen=True)
class CodeSearch:
    """A search of the codes of a bank for one question."""

    bank_id: int
    #: float32[dimensions]
    question: Embeddings
    #: int64[n], document keys of the passages, ascending
    documents: Keys
    #: the code of each passage
    codes: Codes
    #: background of the bank; None if it has too few passages
    background: Background | None

    def closeness(self, similarity: Scores) -> Scores | None:
        """Returns how much closer than the background passages are to the question, in standard deviations; None
        without a background. `similarity`: from `scores`."""
        if self.background is None:
            return None
        cosines = similarity.values / sqrt(2 / pi)  # of Gaussian vectors, see `similarities`
        return Scores(similarity.documents, self.background.closeness(cosines))

    def nearest(self, connection: Connection, within: MessageFilter, newest: int | None, limit: int) -> Keys:
        """Returns the document keys of up to `limit` passages nearest to the question, unsorted. `newest`: the highest
        message id that counts, None for all."""
        documents = self.documents
        codes = self.codes
        if newest is not None:
            visible = int(np.searchsorted(documents, document_key(newest, MAX_PASSAGES - 1), side="right"))
            documents = documents[:visible]
            codes = codes[:visible]
        if not within.admits_all:
            allowed = sorted(messages.ids_within(connection, self.bank_id, within))
            is_allowed = np.isin(message_of(documents), allowed)
            documents = documents[is_allowed]
            codes = np.ascontiguousarray(codes[is_allowed])
        return documents[nearest(codes, self.question, limit)]

    def cosines(self, documents: Keys) -> npt.NDArray[np.float64]:
        """Returns float64[m, m], the approximate cosines between passages; NaN where one has no code. `documents`:
        int64[m]."""
        places = np.searchsorted(self.documents, documents)
        places[places == len(self.documents)] = 0
        unknown = self.documents[places] != documents
        words = np.ascontiguousarray(self.codes[places]).view(np.uint64)
        differing = np.bitwise_count(words[:, None] ^ words).sum(axis=2, dtype=np.int64)
        cosines = np.cos(pi * differing / min(len(self.question), MAX_BITS))  # of Gaussian vectors
        cosines[unknown] = cosines[:, unknown] = np.nan
        return np.asarray(cosines, dtype=np.float64)

    def scores(self, documents: Keys) -> Scores:
        """Returns the similarity to the question of those of `documents` that have a code. `documents`: int64[m],
        ascending."""
        places = np.searchsorted(self.documents, documents)
        places[places == len(self.documents)] = 0
        is_present = self.documents[places] == documents
        values = similarities(np.ascontiguousarray(self.codes[places[is_present]]), self.question)
        return Scores(documents[is_present], values.astype(np.float64))


@dataclass(frozen=True)
class MessageCodes:
    """Codes of messages by one embedder."""

    #: name of the embedder
    embedder: str
    dimensions: int
    #: for each message, the concatenated codes of its passages
    codes: Sequence[bytes]

    def by_id(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Returns message id → code. `ids`: the message ids, in the order of the codes."""
        return dict(zip(ids, self.codes, strict=True))


def joined(codes: Sequence[MessageCodes | None]) -> MessageCodes | None:
    """Returns the codes of several messages as one value, or None if any is missing."""
    parts = [code for code in codes if code is not None]
    if not parts or len(parts) < len(codes):
        return None
    return MessageCodes(parts[0].embedder, parts[0].dimensions, [one for code in parts for one in code.codes])


def spoken(text: str, speaker: str | None) -> str:
    """Returns the text that is embedded for a message: its text, prefixed with the speaker if known."""
    return f"{speaker}: {text}" if speaker and text.strip() else text


def _with_new(connection: Connection, bank_id: int, cached: _BankCodes) -> _BankCodes:
    """Returns `cached` extended by the messages stored since, or itself if there are none. Writers of a bank are
    serialized, so message ids ascend in commit order."""
    newest = message_of(int(cached.documents[-1])) if len(cached.documents) else 0
    width = cached.codes.shape[1]
    stored = embeddings.codes_after(connection, bank_id, cached.embedder_id, newest)
    fresh = [row for row in stored if len(row.code) % width == 0]
    if not fresh:
        return cached
    codes = as_rows([row.code for row in fresh], width)
    passages = np.array([len(row.code) // width for row in fresh], dtype=np.int64)
    first = np.cumsum(passages) - passages
    ids = np.repeat(np.array([row.message_id for row in fresh], dtype=np.int64), passages)
    documents = document_key(ids, np.arange(len(ids), dtype=np.int64) - np.repeat(first, passages))
    has_text = codes.any(axis=1)  # the code of a passage without text is zero
    return replace(
        cached,
        documents=np.concatenate([cached.documents, documents[has_text]]),
        codes=np.concatenate([cached.codes, codes[has_text]]),
    )
