"""Relevance on LoCoMo: each question is asked in its own bank and in those of the other conversations."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command_line import Advance
from benchmarks.evidence import BUDGET_TOKENS, CATEGORIES, OPEN, found_share, span_texts, store_at
from benchmarks.locomo import Conversation, Question, read_locomo
from foxing.memory import Memory
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import RELEVANCE_FLOOR

#: Spans of an answer whose relevance is compared with the evidence: the default of recall.
SPANS = 20
BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Spans whose relevance is within a tenth."""

    spans: int
    #: Mean relevance.
    relevance: float
    #: Share that is evidence.
    evidence: float


@dataclass(frozen=True)
class RelevanceRow:
    """Relevance on LoCoMo, with one embedder."""

    embedder: str
    tier: str
    conversations: int
    questions: int
    #: Probability that the best span of a question is more relevant in its own bank than in another.
    auc: float
    #: Likewise for questions without the names of the speakers.
    auc_without_names: float
    floor: float
    #: Share of the questions that lose evidence at the floor, within `BUDGET_TOKENS`.
    losing_evidence: float
    #: Share of the questions in other banks that get nothing at the floor.
    empty_elsewhere: float
    #: Expected calibration error of the first `SPANS` spans of questions in their own bank.
    calibration_error: float
    #: Likewise of the most relevant span alone.
    calibration_error_of_best: float
    #: Bins of the first `SPANS` spans; empty ones are left out.
    bins: Sequence[ReliabilityBin]


@dataclass(frozen=True)
class _Asked:
    """A question in one bank."""

    own: bool
    #: Relevance of its first `SPANS` spans, best match first.
    relevance: Sequence[float]
    #: Whether each of them is evidence.
    evidence: Sequence[bool]
    #: Evidence recall within `BUDGET_TOKENS`, without a floor and with it; 0 in other banks.
    found: float = 0.0
    found_at_floor: float = 0.0

    @property
    def best(self) -> float:
        return max(self.relevance, default=0.0)


def measure_relevance(
    memory: Memory, file: Path, embedder: str, tier: str = OPEN, progress: Advance | None = None
) -> RelevanceRow:
    """Stores LoCoMo with one bank per conversation and asks every question in every bank. `embedder`: its name, for the
    row. Raises `InvalidInput` for a file that is not LoCoMo."""
    conversations = read_locomo(file)
    for number, conversation in enumerate(conversations):
        store_at(memory, _bank(number), conversation, tier)
    asked: list[_Asked] = []
    unnamed: list[_Asked] = []
    for number, conversation in enumerate(conversations):
        for question in _questions(conversation):
            asked += _ask(memory, conversations, number, question)
            unnamed += _elsewhere(memory, conversations, number, without_names(question.text, conversation))
        if progress is not None:
            progress(number + 1, len(conversations))
    own = [each for each in asked if each.own]
    others = [each for each in asked if not each.own]
    relevance = np.array([value for each in own for value in each.relevance])
    evidence = np.array([value for each in own for value in each.evidence], dtype=bool)
    best = [int(np.argmax(each.relevance)) for each in own if each.relevance]
    shown = [each for each in own if each.relevance]
    bins = reliability(relevance, evidence)
    of_best = reliability(
        np.array([each.best for each in shown]),
        np.array([each.evidence[place] for each, place in zip(shown, best, strict=True)], dtype=bool),
    )
    return RelevanceRow(
        embedder=embedder,
        tier=tier,
        conversations=len(conversations),
        questions=len(own),
        auc=area_under_curve([each.best for each in own], [other.best for other in others]),
        auc_without_names=area_under_curve(
            [each.best for each in unnamed if each.own], [each.best for each in unnamed if not each.own]
        ),
        floor=RELEVANCE_FLOOR,
        losing_evidence=_share([each.found_at_floor < each.found for each in own]),
        empty_elsewhere=_share([other.best < RELEVANCE_FLOOR for other in others]),
        calibration_error=calibration_error(bins),
        calibration_error_of_best=calibration_error(of_best),
        bins=bins,
    )


def without_names(question: str, conversation: Conversation) -> str:
    """Returns a question without the names of the speakers."""
    names = sorted({message.name for message in conversation.messages if message.name}, key=len, reverse=True)
    return re.sub(rf"\b(?:{'|'.join(map(re.escape, names))})\b(?:['’]s)?", "", question) if names else question


def area_under_curve(own: Sequence[float], others: Sequence[float]) -> float:
    """Returns the probability that a value of `own` is higher than one of `others`; ties count one half."""
    if not own or not others:
        return 0.0
    values = np.concatenate([own, others])
    _, place, number = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(number) - (number - 1) / 2
    above = float(ranks[place][: len(own)].sum()) - len(own) * (len(own) + 1) / 2
    return above / len(own) / len(others)


def reliability(relevance: np.ndarray, evidence: np.ndarray) -> list[ReliabilityBin]:
    """Returns the bins of float64[n] and bool[n]."""
    places = np.minimum((relevance * BINS).astype(np.int64), BINS - 1)
    found = [(places == number) for number in range(BINS)]
    return [
        ReliabilityBin(int(held.sum()), float(relevance[held].mean()), float(evidence[held].mean()))
        for held in found
        if held.any()
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Returns the expected calibration error: the mean difference of relevance and evidence, weighted by spans."""
    total = sum(each.spans for each in bins)
    return sum(each.spans * abs(each.relevance - each.evidence) for each in bins) / total if total else 0.0


def _questions(conversation: Conversation) -> Iterator[Question]:
    return (question for question in conversation.questions if question.category in CATEGORIES)


def _ask(memory: Memory, conversations: Sequence[Conversation], number: int, question: Question) -> Iterator[_Asked]:
    originals = {str(message.id): message.text for message in conversations[number].messages}
    for asked in _elsewhere(memory, conversations, number, question.text, question):
        if not asked.own:
            yield asked
            continue
        found = []
        for floor in (None, RELEVANCE_FLOOR):
            answer = memory.recall(
                _bank(number), question.text, limit=MAX_LIMIT, max_tokens=BUDGET_TOKENS, min_relevance=floor
            )
            found.append(found_share(question, originals, span_texts(answer.spans)))
        yield _Asked(True, asked.relevance, asked.evidence, found=found[0], found_at_floor=found[1])


def _elsewhere(
    memory: Memory,
    conversations: Sequence[Conversation],
    number: int,
    text: str,
    question: Question | None = None,
) -> Iterator[_Asked]:
    """Yields a question in every bank. `number`: its own bank; `question`: has its evidence."""
    for other in range(len(conversations)):
        spans = memory.recall(_bank(other), text, limit=SPANS).spans
        evidence = question.evidence if question is not None and other == number else frozenset()
        yield _Asked(other == number, _relevances(spans), [span.message_id in evidence for span in spans])


def _relevances(spans: Sequence[RecalledMessage]) -> list[float]:
    return [span.relevance or 0.0 for span in spans]


def _bank(number: int) -> str:
    return f"locomo-{number}"


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
