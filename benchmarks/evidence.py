"""Evidence recall within a budget of tokens, for Foxing and for BM25.

An evidence message counts as found if the returned text holds at least `ENOUGH` of those words of the gold answer that
occur in the message; if none occur, all words of the message must be returned. Speaker and time count towards the
budget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import Memory
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage, RecalledMessage
from foxing.memory.values.policy import Policy

from .bm25 import Bm25, plain_words, take_within
from .command_line import Advance
from .locomo import Conversation, Question

BUDGET_TOKENS = 2048  # text tokens of all spans of an answer, speaker and time included
ENOUGH = 0.7
#: Stands for a tier where messages are not sealed.
OPEN = "open"
#: LoCoMo's categories except the fifth, adversarial, whose questions have no answer.
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_COMMON = frozenset(
    "a|an|the|of|to|in|on|at|and|or|is|was|it|he|she|they|i|you|for|with|as|his|her".split("|")  # noqa: SIM905
)


@dataclass(frozen=True)
class CategoryRecall:
    """Evidence recall on the questions of one category."""

    questions: int
    evidence: float
    bm25_evidence: float


@dataclass(frozen=True)
class EvidenceRecall:
    """Evidence recall within `BUDGET_TOKENS`, averaged over the questions."""

    #: Tier of all pages, or `OPEN`.
    tier: str
    conversations: int
    questions: int
    #: Evidence recall of Foxing.
    evidence: float
    #: Evidence recall of BM25 over the stemmed full text.
    bm25_evidence: float
    #: `evidence` ÷ `bm25_evidence`.
    ratio: float
    #: Share of the questions whose first span is evidence.
    found_first: float = 0.0
    categories: Mapping[str, CategoryRecall] = field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """Result of one question."""

    category: str
    evidence: float
    bm25_evidence: float
    first: bool


def store_all(
    memory: Memory, conversations: Sequence[Conversation], tier: str, progress: Advance | None = None
) -> list[str]:
    """Stores each conversation in a bank of its own and ages it to `tier`. Returns the names of the banks."""
    banks = [f"conversation-{number}" for number in range(len(conversations))]
    for number, (bank, conversation) in enumerate(zip(banks, conversations, strict=True)):
        store_at(memory, bank, conversation, tier)
        if progress is not None:
            progress(number + 1, len(conversations))
    return banks


def measure_evidence(
    memory: Memory,
    banks: Sequence[str],
    conversations: Sequence[Conversation],
    tier: str,
    categories: Mapping[Any, str],
) -> EvidenceRecall:
    """Asks the questions of conversations that are stored in `banks`. `categories`: category → its name; other
    questions are not asked."""
    asked: list[_Asked] = []
    for bank, conversation in zip(banks, conversations, strict=True):
        asked += _ask(memory, bank, conversation, categories)
    by_name = {name: [each for each in asked if each.category == name] for name in categories.values()}
    ours, theirs = _means(asked)
    return EvidenceRecall(
        tier=tier,
        conversations=len(conversations),
        questions=len(asked),
        evidence=ours,
        bm25_evidence=theirs,
        ratio=ours / theirs if theirs else 0.0,
        found_first=fmean(each.first for each in asked) if asked else 0.0,
        categories={name: CategoryRecall(len(group), *_means(group)) for name, group in by_name.items() if group},
    )


def store_at(memory: Memory, bank: str, conversation: Conversation, tier: str) -> None:
    """Stores a conversation and ages it to `tier` without keeping its text; with `OPEN` it is not sealed."""
    memory.store(bank, conversation.messages)
    if tier != OPEN:
        memory.set_policy(bank, Policy.parse({"steps": [{"after": "PT1S", "tier": tier}], "age_from": "message"}))
        memory.seal(bank)
        memory.age(bank)


def found_share(question: Question, originals: Mapping[str, str], answer: Mapping[str, str]) -> float:
    """Returns the evidence recall of one answer. `originals`, `answer`: message id → text."""
    return fmean(_is_found(question, originals[key], answer.get(key)) for key in question.evidence)


def _is_found(question: Question, original: str, given: str | None) -> bool:
    if given is None:
        return False
    said = set(plain_words(original))
    wanted = (set(plain_words(question.answer)) - _COMMON) & said
    held = set(plain_words(given))
    return len(wanted & held) >= ENOUGH * len(wanted) if wanted else said <= held


def _ask(memory: Memory, bank: str, conversation: Conversation, categories: Mapping[Any, str]) -> list[_Asked]:
    originals = {str(message.id): message.text for message in conversation.messages}
    full_text = _FullTextSearch(conversation.messages)
    result = []
    for question in conversation.questions:
        if question.category not in categories:
            continue
        spans = memory.recall(bank, question.text, limit=500, max_tokens=BUDGET_TOKENS).spans
        taken = full_text.within_budget(question)
        result.append(
            _Asked(
                categories[question.category],
                found_share(question, originals, span_texts(spans)),
                found_share(question, originals, {key: originals[key] for key in taken}),
                bool(spans) and spans[0].message_id in question.evidence,
            )
        )
    return result


def span_texts(spans: Sequence[RecalledMessage]) -> dict[str, str]:
    """Returns message id → text of its spans, joined."""
    texts: dict[str, str] = {}
    for span in spans:
        texts[span.message_id] = f"{texts.get(span.message_id, '')} {span.text}"
    return texts


def _means(asked: Sequence[_Asked]) -> tuple[float, float]:
    if not asked:
        return 0.0, 0.0
    return fmean(each.evidence for each in asked), fmean(each.bm25_evidence for each in asked)


class _FullTextSearch:
    """BM25 over the stemmed full text of a conversation, speakers' names included."""

    def __init__(self, messages: Sequence[NewMessage]) -> None:
        self._index = Bm25({str(message.id): terms(f"{message.name or ''} {message.text}") for message in messages})
        self._cost = {str(message.id): message_cost(message) for message in messages}

    def within_budget(self, question: Question) -> set[str]:
        return take_within(BUDGET_TOKENS, self._index.rank(query_terms(question.text)), self._cost)


def message_cost(message: NewMessage) -> int:
    """Returns the text tokens of a message, speaker and time included."""
    who_and_when = f"{message.name or message.role} {message.created_at:%Y-%m-%d %H:%M}: " if message.created_at else ""
    return count_text_tokens(who_and_when) + count_text_tokens(message.text)
