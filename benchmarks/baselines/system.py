"""Interface of the compared systems, and those that need no other package."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from benchmarks.bm25 import Bm25, take_within
from benchmarks.evidence import BUDGET_TOKENS, OPEN, message_cost, span_texts
from foxing.memory import Memory
from foxing.memory.index.embedder import Embedder
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.policy import Policy

EMBEDDINGS = "embeddings"  # name of the embedder alone
LIMIT = 200  # messages requested from a system; more never fit the budget


class System(Protocol):
    """Stores one conversation at a time, and answers questions about it within the budget."""

    name: str

    def store(self, messages: Sequence[NewMessage]) -> None:
        """Replaces the stored conversation."""

    def answer(self, question: str) -> Mapping[str, str]:
        """Returns message id → text found, within `BUDGET_TOKENS` with speaker and time."""


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


class Foxing:
    """Foxing with all pages at one tier and without kept text."""

    def __init__(self, memory: Memory, tier: str) -> None:
        self.name = "foxing"
        self._memory = memory
        self._tier = tier
        self._bank = ""
        self._stored = 0

    def store(self, messages: Sequence[NewMessage]) -> None:
        """Stores a conversation in a new bank and ages it to the tier."""
        self._stored += 1
        self._bank = f"bench-{self._stored}"
        self._memory.store(self._bank, messages)
        if self._tier != OPEN:
            steps = [{"after": "PT1S", "tier": self._tier}]
            self._memory.set_policy(self._bank, Policy.parse({"steps": steps, "age_from": "message"}))
            self._memory.seal(self._bank)
            self._memory.age(self._bank)

    def answer(self, question: str) -> Mapping[str, str]:
        """Returns message id → text of the recalled spans."""
        return span_texts(self._memory.recall(self._bank, question, limit=500, max_tokens=BUDGET_TOKENS).spans)


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
