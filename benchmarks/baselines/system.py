"""Interface of the compared systems, and those that need no other package."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.bm25 import Bm25, take_within
from benchmarks.evidence import BUDGET_TOKENS, message_cost
from foxing.memory.index.embedder import Embedder
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage

EMBEDDINGS = "embeddings"  # name of the embedder alone
LIMIT = 200  # messages requested from a system; more never fit the budget


class Ranking:
    """A system that returns whole messages: as many as fit the budget, in its order."""

    name: str

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._costs: dict[str, int] = {}

    def store(self, messages: Sequence[NewMessage]) -> None:
        """Replaces the stored conversation and indexes it."""
        self._texts = {str(message.id): message.text for message in messages}
        self._costs = {str(message.id): message_cost(message) for message in messages}
        self.index(messages)

    def answer(self, question: str) -> Mapping[str, str]:
        """Returns message id → text of the best messages that fit the budget."""
        taken = take_within(BUDGET_TOKENS, self.ranked(question), self._costs)
        return {key: self._texts[key] for key in taken}

    def index(self, messages: Sequence[NewMessage]) -> None:
        """Indexes the messages of a conversation, which replaces the index before."""
        raise NotImplementedError

    def ranked(self, question: str) -> Sequence[str]:
        """Returns the ids of messages, best first."""
        raise NotImplementedError


class StemmedBm25(Ranking):
    """BM25 over the stemmed full text, speakers' names included."""

    name = "bm25"

    def index(self, messages: Sequence[NewMessage]) -> None:
        """Indexes the stemmed terms of each message and its speaker."""
        self._index = Bm25({str(message.id): terms(f"{message.name or ''} {message.text}") for message in messages})

    def ranked(self, question: str) -> Sequence[str]:
        """Returns the ids of messages with a term of the question, best first."""
        return list(self._index.rank(query_terms(question)))


class Embeddings(Ranking):
    """Exhaustive search over full embeddings in float32."""

    name = EMBEDDINGS

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder

    def index(self, messages: Sequence[NewMessage]) -> None:
        """Embeds the messages."""
        self._ids = [str(message.id) for message in messages]
        self._vectors = self._embedder.embed_documents([with_speaker(message) for message in messages])

    def ranked(self, question: str) -> Sequence[str]:
        """Returns the ids of the `LIMIT` nearest messages, nearest first."""
        nearness = self._vectors @ self._embedder.embed_queries([question])[0]
        return [self._ids[number] for number in np.argsort(-nearness, kind="stable")[:LIMIT].tolist()]


def with_speaker(message: NewMessage) -> str:
    """Returns the text of a message with its speaker, as all systems but Foxing receive it."""
    return f"{message.name or message.role}: {message.text}"
