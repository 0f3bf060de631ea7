"""`BaseRetriever` over the messages of a bank."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self, TypedDict, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import CallSequence, ask, run, run_async
from foxing.integrations.frameworks.closing import AsyncClosing, Closing
from foxing.memory import MAX_QUERY_CHARS, RELEVANCE_FLOOR, RecalledMessage, RecallResult, TextQueryFields
from foxing.memory.values.metadata import Scalar


class RetrieverFields(TypedDict, total=False):
    """Fields of a `FoxingRetriever` as keyword arguments."""

    k: int
    thread: str | None
    since: datetime | str | None
    until: datetime | str | None
    message_metadata: Mapping[str, Scalar] | None
    neighbours: int
    max_tokens: int | None
    min_relevance: float | None


class FoxingRetriever(Closing, AsyncClosing, BaseRetriever):
    """A retriever that returns the messages that match a query as documents, best first.

        retriever = FoxingRetriever.connect("http://127.0.0.1:8765", bank="agent-7", k=5)
        documents = retriever.invoke("when do we ship Titan?")

    The content of a document is the message as remembered now. Its metadata has the speaker, time, tier, confidence and
    kept share of the message. Raises `FoxingError`.
    """

    #: Connection to the bank, for other calls.
    connection: Connection = Field(exclude=True, repr=False)
    #: Maximum number of documents, 1 to 500; `invoke(query, k=…)` overrides it.
    k: int = Field(default=4, ge=1, le=500)
    #: Return only messages of this thread.
    thread: str | None = None
    #: Start of the time window: a timezone-aware time, an RFC 3339 string, or words such as “3 weeks ago”.
    since: datetime | str | None = None
    #: End of the time window, in the same formats.
    until: datetime | str | None = None
    #: Return only messages whose metadata has these values.
    message_metadata: Mapping[str, Scalar] | None = None
    #: Number of messages before and after each match to return with it, 0 to 5.
    neighbours: int = Field(default=0, ge=0, le=5)
    #: Maximum number of text tokens of all documents.
    max_tokens: int | None = Field(default=None, ge=1)
    #: Minimum relevance of the most relevant match, 0 to 1; below it, no document is returned.
    min_relevance: float | None = Field(default=RELEVANCE_FLOOR, ge=0, le=1)

    @classmethod
    def connect(
        cls, target: Target, bank: str, *, api_key: str | None = None, **fields: Unpack[RetrieverFields]
    ) -> Self:
        """Returns a retriever for a bank of `target`: the URL of a service, the URL or path of a database, or a
        `Memory`. Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank, and
        pydantic's `ValidationError` for invalid fields."""
        return cls(connection=connect(target, bank, api_key=api_key), **fields)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return run(self.connection, self._documents(query, k))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await run_async(self.connection, self._documents(query, k))

    def _documents(self, query: str, k: int | None) -> CallSequence[list[Document]]:
        if not query.strip():
            return []
        text = query[-MAX_QUERY_CHARS:]
        fields: TextQueryFields = {
            "limit": self.k if k is None else k,
            "thread": self.thread,
            "since": self.since,
            "until": self.until,
            "metadata": self.message_metadata,
            "neighbours": self.neighbours,
            "max_tokens": self.max_tokens,
            "min_relevance": self.min_relevance,
        }
        answer: RecallResult = yield from ask(lambda memory: memory.recall(self.connection.bank, text, **fields))
        return list(map(_document, answer.spans))


def _document(message: RecalledMessage) -> Document:
    return Document(
        id=message.message_id,
        page_content=message.text,
        metadata={
            "message_id": message.message_id,
            "thread": message.thread,
            "role": message.role,
            "name": message.name,
            "trust": message.trust,
            "suspicious": message.suspicious,
            "created_at": message.created_at.isoformat(),
            "metadata": message.metadata,
            "score": message.score,
            "relevance": message.relevance,
            "tier": message.tier,
            "source": message.source,
            "confidence": message.confidence,
            "kept": message.kept,
            "page_ids": list(message.page_ids),
            "matched_faded": message.matched_faded,
            "superseded_by": message.superseded_by,
            "superseded_at": None if message.superseded_at is None else message.superseded_at.isoformat(),
            "neighbour_of": message.neighbour_of,
        },
    )
