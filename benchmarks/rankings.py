"""Rank of the evidence: recall and NDCG of the first messages and sessions, without an answering model or a judge.

A session ranks where its best message does. For BM25 and embeddings, sessions are also ranked as whole documents, which
is what most publications do.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log2
from statistics import fmean
from typing import Any, Literal

from foxing.memory import Memory
from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .baselines.system import LIMIT, Embeddings, Ranking, StemmedBm25
from .locomo import Conversation, Question

Unit = Literal["message", "session"]
#: Numbers of results that count as found.
DEPTHS = (5, 10)
ALL = "all"
OURS = "foxing"

#: Returns ids of messages or sessions, best first.
Rank = Callable[[Question], Sequence[str]]


@dataclass(frozen=True)
class RankedRecall:
    """Rank of the evidence by one system, averaged over the questions of one category."""

    #: category of the questions, or `ALL`
    category: str
    questions: int
    unit: Unit
    system: str
    #: share of the evidence among the first 5 and 10
    recall_5: float
    recall_10: float
    #: share of the questions with some of their evidence among them
    recall_any_5: float
    recall_any_10: float
    #: share of the questions with all of their evidence among them
    recall_all_5: float
    recall_all_10: float
    ndcg_5: float
    ndcg_10: float


@dataclass(frozen=True)
class _Ranked:
    """Ranking of one system for one question."""

    category: str
    unit: Unit
    system: str
    #: evidence as ids of the unit
    evidence: Collection[str]
    #: ids of the unit, best first
    ranking: Sequence[str]


def measure_stored(
    memory: Memory,
    banks: Sequence[str],
    conversations: Sequence[Conversation],
    categories: Mapping[Any, str],
    embedder: Embedder | None,
) -> list[RankedRecall]:
    """Asks the questions of conversations that are stored in `banks`. `categories`: category → its name; other
    questions are not asked. `embedder`: of the baseline; None for BM25 alone."""
    asked: list[_Ranked] = []
    for bank, conversation in zip(banks, conversations, strict=True):
        asked += _ask(memory, bank, conversation, categories, embedder)
    return _rows(asked)


def recall_share(evidence: Collection[str], ranking: Sequence[str], depth: int) -> float:
    """Returns the share of `evidence` among the first `depth` of `ranking`."""
    return len(set(evidence) & set(ranking[:depth])) / len(evidence)


def ndcg(evidence: Collection[str], ranking: Sequence[str], depth: int) -> float:
    """Returns the normalized discounted cumulative gain with binary relevance, as LongMemEval computes it: rank 1
    counts fully, and rank r ≥ 2 is divided by log₂ r."""
    gained = sum(_gain(rank) for rank, key in enumerate(ranking[:depth], 1) if key in evidence)
    return gained / sum(_gain(rank) for rank in range(1, min(depth, len(evidence)) + 1))


def _gain(rank: int) -> float:
    return 1 / log2(max(rank, 2))


def _ask(
    memory: Memory,
    bank: str,
    conversation: Conversation,
    categories: Mapping[Any, str],
    embedder: Embedder | None,
) -> Iterator[_Ranked]:
    asked = [question for question in conversation.questions if question.category in categories]
    if not asked:
        return
    systems = dict(_systems(memory, bank, conversation, embedder))
    of_session = conversation.sessions
    for question in asked:
        name, sessions = categories[question.category], {of_session[key] for key in question.evidence}
        for (system, unit), rank in systems.items():
            ranking = list(rank(question))
            if unit == "message":
                yield _Ranked(name, "message", system, question.evidence, ranking)
                ranking = list(dict.fromkeys(of_session[key] for key in ranking))
            yield _Ranked(name, "session", system, sessions, ranking)


def _systems(
    memory: Memory, bank: str, conversation: Conversation, embedder: Embedder | None
) -> Iterator[tuple[tuple[str, Unit], Rank]]:
    """Yields (name, unit that is ranked) and the ranking of each system."""
    yield (OURS, "message"), partial(_recalled, memory, bank)
    documents = _session_documents(conversation)
    opened: dict[str, Callable[[], Ranking]] = {"bm25": StemmedBm25}
    if embedder is not None:
        opened["embeddings"] = partial(Embeddings, embedder)
    for name, system in opened.items():
        yield (name, "message"), _ranking(system(), conversation.messages)
        yield (f"{name}, whole sessions", "session"), _ranking(system(), documents)


def _ranking(system: Ranking, messages: Sequence[NewMessage]) -> Rank:
    system.store(messages)
    return lambda question: system.ranked(question.text)[:LIMIT]


def _recalled(memory: Memory, bank: str, question: Question) -> Sequence[str]:
    """Returns the ids of the recalled messages; of a long message, the best passage counts."""
    spans = memory.recall(bank, question.text, limit=LIMIT, now=question.asked_at).spans
    return list(dict.fromkeys(span.message_id for span in spans))


def _session_documents(conversation: Conversation) -> list[NewMessage]:
    """Returns each session as one message."""
    lines: dict[str, list[str]] = {}
    for message in conversation.messages:
        text = f"{message.name}: {message.text}" if message.name else message.text
        lines.setdefault(conversation.sessions[str(message.id)], []).append(text)
    return [NewMessage(id=session, role="user", content="\n".join(texts)) for session, texts in lines.items()]


def _rows(asked: Sequence[_Ranked]) -> list[RankedRecall]:
    """Returns the averages by category, unit and system, all questions first."""
    groups: dict[tuple[str, Unit, str], list[_Ranked]] = {}
    for category in (ALL, *dict.fromkeys(each.category for each in asked)):
        for each in asked:
            if category in (ALL, each.category):
                groups.setdefault((category, each.unit, each.system), []).append(each)
    return [_row(*key, group) for key, group in groups.items()]


def _row(category: str, unit: Unit, system: str, group: Sequence[_Ranked]) -> RankedRecall:
    shares = [[recall_share(each.evidence, each.ranking, depth) for each in group] for depth in DEPTHS]
    gains = [fmean(ndcg(each.evidence, each.ranking, depth) for each in group) for depth in DEPTHS]
    return RankedRecall(
        category,
        len(group),
        unit,
        system,
        *(fmean(share) for share in shares),
        *(fmean(each > 0 for each in share) for share in shares),
        *(fmean(each == 1 for each in share) for share in shares),
        *gains,
    )
