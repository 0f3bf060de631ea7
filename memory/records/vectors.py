"""Embeddings of records: one vector for each passage of a record's text, or those that the caller gives."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from sqlalchemy import Connection

from foxing.memory.errors import EmbedderError
from foxing.memory.index.embedder_source import EmbedderSource
from foxing.memory.storage.repositories import embeddings
from foxing.memory.text.passages import split_passages
from foxing.memory.values.records import PutRecord, RecordWrite

#: Name under which vectors of callers are stored. They are compared with vectors of callers only.
GIVEN = "given by the caller"

#: float32[n, dimensions], rows of length 1, or of length 0 for a vector of zeros.
Vectors = npt.NDArray[np.float32]


class RecordVectors(NamedTuple):
    """The vectors of a record, as they are stored."""

    #: name of the embedder
    embedder: str
    dimensions: int
    #: float16[n, dimensions], row by row; empty for a record without text
    packed: bytes

    def embedder_id(self, connection: Connection) -> int:
        """Returns the id of the embedder, inserting it if it is new."""
        return embeddings.embedder_id(connection, self.embedder, self.dimensions)


class QueryVector(NamedTuple):
    """The vector of a query, and the embedder whose vectors it is compared with."""

    embedder: str
    #: float32[dimensions]
    vector: npt.NDArray[np.float32]

    def embedder_id(self, connection: Connection) -> int | None:
        """Returns the id of the embedder; None if it has embedded nothing."""
        return embeddings.find_embedder(connection, self.embedder, len(self.vector))

    def similarity(self, packed: bytes) -> float | None:
        """Returns the highest cosine similarity to the vectors of a record, -1 to 1; None if it has none."""
        if not packed:
            return None
        stored = np.frombuffer(packed, dtype=np.float16).reshape(-1, len(self.vector))
        return float((stored.astype(np.float32) @ self.vector).max())


def given_question(vector: Sequence[float]) -> QueryVector:
    """Returns a question whose vector the caller gives."""
    return QueryVector(GIVEN, _unit([vector])[0])


class RecordEmbedder:
    """Embeds the texts of records with the embedder of a memory."""

    def __init__(self, source: EmbedderSource) -> None:
        self._source = source

    def of_writes(self, writes: Sequence[RecordWrite]) -> dict[int, RecordVectors]:
        """Returns index of the write → vectors of the record that it stores. A record is left out, to be embedded by
        the scheduler, if the embedder is slow or fails, or if there is none."""
        puts = {number: write for number, write in enumerate(writes) if isinstance(write, PutRecord)}
        vectors = {number: _given(put.vectors) for number, put in puts.items() if put.vectors}
        texts = {number: searchable(put.value, put.text) for number, put in puts.items() if not vectors.get(number)}
        if texts and self._source.enabled:
            try:
                if not getattr(self._source.load(), "slow", False):
                    vectors |= dict(zip(texts, self.embed(list(texts.values())), strict=True))
            except EmbedderError:
                pass
        return vectors

    def embed(self, texts: Sequence[str]) -> list[RecordVectors]:
        """Returns the vectors of texts. Raises `EmbedderError`."""
        passages = [[text[start:stop] for start, stop in split_passages(text)] for text in texts]
        passages = [[passage for passage in of_text if passage.strip()] for of_text in passages]
        flat = [passage for of_text in passages for passage in of_text]
        embedder = self._source.load()
        vectors = self._source.documents(flat) if flat else np.zeros((0, embedder.dimensions), dtype=np.float32)
        ends = np.cumsum([len(of_text) for of_text in passages])[:-1]
        dimensions = vectors.shape[1] or embedder.dimensions
        return [RecordVectors(embedder.name, dimensions, _packed(part)) for part in np.split(vectors, ends)]


def searchable(value: JsonValue, text: str | None) -> str:
    """Returns the text of a record that searches cover: `text`, or all strings of its value."""
    return "\n".join(_strings(value)) if text is None else text


def searchable_json(value: str, text: str | None) -> str:
    """Returns the text that searches cover of a record whose value is JSON."""
    return searchable(json.loads(value) if text is None else None, text)


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from _strings(child)


def _given(vectors: Sequence[Sequence[float]]) -> RecordVectors:
    return RecordVectors(GIVEN, len(vectors[0]), _packed(_unit(vectors)))


def _unit(vectors: Sequence[Sequence[float]]) -> Vectors:
    rows = np.array(vectors, dtype=np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows /= np.where(largest > 0, largest, 1.0)  # squares of large numbers overflow
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _packed(vectors: Vectors) -> bytes:
    return vectors.astype(np.float16).tobytes()
