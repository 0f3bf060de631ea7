"""Index configuration of a store: which texts of its items queries search, and their embeddings."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    IndexConfig,
    Op,
    PutOp,
    SearchOp,
    ensure_embeddings,
    get_text_at_path,
)

from foxing.memory import InvalidInput

#: A configuration as other stores of LangGraph take it, paths of values, or False to search nothing by default.
Index: TypeAlias = IndexConfig | Sequence[str] | Literal[False] | None
#: Text → its embedding.
Embedded: TypeAlias = Mapping[str, Sequence[float]]

#: The path of the whole value.
WHOLE = "$"


@dataclass(frozen=True)
class Vectors:
    """Embeddings of the texts of a batch, by the embedder of a configuration."""

    texts: Embedded = field(default_factory=dict)
    queries: Embedded = field(default_factory=dict)


class StoreIndex:
    """Which texts of an item queries search, and who embeds them: the `embed` of a configuration, or the memory."""

    def __init__(self, index: Index) -> None:
        """Raises `InvalidInput` for an invalid configuration."""
        config: Mapping[str, object] = {}
        paths: object = index
        if isinstance(index, Mapping):
            config = cast(Mapping[str, object], index)
            paths = config.get("fields") or config.get("text_fields")  # the latter is what SqliteStore calls it
        embed = config.get("embed")
        #: The embedder of the configuration; None for that of the memory.
        self.embeddings: Embeddings | None = None if embed is None else ensure_embeddings(embed)  # type: ignore[arg-type]
        self._dimensions = config.get("dims")
        #: Paths that queries search by default; None for all strings.
        self._paths = _checked_paths(paths)
        if self._paths is None and self.embeddings is not None:
            self._paths = (WHOLE,)

    def texts(self, op: PutOp) -> list[str] | None:
        """Returns the texts of an item to search; None for all strings of its value."""
        paths = self._paths if op.index is None else _checked_paths(op.index)
        if paths is None or op.value is None:
            return None
        return [text for path in paths for text in get_text_at_path(op.value, path)]

    def embed(self, ops: Sequence[Op]) -> Vectors:
        """Returns the embeddings of the texts and queries of operations. Raises the errors of the embedder."""
        if self.embeddings is None:
            return Vectors()
        texts, queries = self._of_batch(ops)
        vectors = self.embeddings.embed_documents(texts) if texts else []
        query_vectors = [self.embeddings.embed_query(query) for query in queries]
        return self._checked(texts, vectors, queries, query_vectors)

    async def aembed(self, ops: Sequence[Op]) -> Vectors:
        """Returns the embeddings of `embed`, without blocking the event loop."""
        if self.embeddings is None:
            return Vectors()
        texts, queries = self._of_batch(ops)
        vectors = await self.embeddings.aembed_documents(texts) if texts else []
        query_vectors = await asyncio.gather(*map(self.embeddings.aembed_query, queries))
        return self._checked(texts, vectors, queries, query_vectors)

    def _of_batch(self, ops: Sequence[Op]) -> tuple[list[str], list[str]]:
        texts = (text for op in ops if isinstance(op, PutOp) for text in self.texts(op) or ())
        queries = (op.query for op in ops if isinstance(op, SearchOp) and op.query and op.query.strip())
        return list(dict.fromkeys(texts)), list(dict.fromkeys(queries))

    def _checked(
        self,
        texts: Sequence[str],
        vectors: Sequence[Sequence[float]],
        queries: Sequence[str],
        query_vectors: Sequence[Sequence[float]],
    ) -> Vectors:
        if len(texts) != len(vectors):
            raise InvalidInput(f"the embedder of the store returned {len(vectors)} vectors for {len(texts)} texts")
        for vector in (*vectors, *query_vectors):
            if self._dimensions is not None and len(vector) != self._dimensions:
                raise InvalidInput(
                    f"the embedder of the store returned a vector of {len(vector)} dimensions; its configuration says "
                    f"dims={self._dimensions}"
                )
        return Vectors(
            {text: _numbers(vector) for text, vector in zip(texts, vectors, strict=True)},
            {query: _numbers(vector) for query, vector in zip(queries, query_vectors, strict=True)},
        )


def _numbers(vector: Iterable[float]) -> list[float]:
    """Returns a vector, which may be an array, as numbers of JSON."""
    return [float(number) for number in vector]


def _checked_paths(paths: object) -> tuple[str, ...] | None:
    if paths is None:
        return None
    if paths is False:
        return ()
    if isinstance(paths, str) or not isinstance(paths, Sequence) or not all(isinstance(path, str) for path in paths):
        raise InvalidInput(f"index must be a list of paths, such as ['text'], or False; not {paths!r}")
    return tuple(paths)
