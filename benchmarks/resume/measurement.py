"""Share of the interrupted tasks that can be resumed from what a memory gives when the customer returns.

A task is done if every argument of every call that must still be made stands verbatim in that text.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean, median
from typing import Any

import zstandard

from benchmarks.baselines.packages import open_rankings
from benchmarks.baselines.system import StemmedBm25
from benchmarks.command_line import Advance
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import MemoryOptions
from foxing.memory.index.embedder import NONE
from foxing.memory.index.embedders import open_embedder

from .conversations import ENDS_AT, Bank, Conversation, Interrupted
from .phrases import Half
from .shop import Call
from .systems import (
    BANK,
    Bm25Thread,
    FirstMessageThread,
    FoxingBank,
    FoxingThread,
    NewestOfThread,
    PlainRecall,
    RankedMessages,
    RightThread,
    System,
)

AGES = (1, 30, 365)
BUDGETS = (2048, 4096)
PACKAGES = ("langgraph", "mem0")
#: Systems that give the newest text of one thread.
BM25_MESSAGE = "bm25 finds a message, newest of its thread"
BM25_THREAD = "bm25 finds the thread, its newest text"
FOXING_THREAD = "foxing finds the thread, its newest text"
SAME_BYTES = "the same from newest text in the same bytes"
RIGHT_THREAD = "the right thread, its newest text"


@dataclass(frozen=True)
class ResumeRow:
    """Tasks that one system resumes at one age. Shares and medians are of returns, by budget in text tokens."""

    half: str
    #: Other conversations for each asked one.
    pad: int
    system: str
    #: Days since the last message; None for a system that does not change with time.
    age_days: int | None
    banks: int
    tasks: int
    returns: int
    #: Share of the returns whose task is done.
    done: Mapping[str, float]
    #: Likewise with name and postcode, and without.
    done_named: Mapping[str, float]
    done_plain: Mapping[str, float]
    #: Median of the text tokens.
    tokens: Mapping[str, float]


@dataclass(frozen=True)
class BytesRow:
    """Bytes of all banks at one age, beside those of the whole text in zstd -19, a stream for each bank."""

    half: str
    pad: int
    age_days: int
    messages: int
    text: int
    zstd: int
    #: Vision tokens, kept text and keepsakes: what the pages hold.
    held: int
    #: All of the bank, with index and metadata.
    total: int
    #: Pages by tier.
    tiers: Mapping[str, int]


@dataclass(frozen=True)
class Resumed:
    """Rows, and systems that were not measured: name → reason."""

    rows: Sequence[ResumeRow]
    bytes: Sequence[BytesRow]
    left_out: Mapping[str, str]


@dataclass
class _Answers:
    """Answers of one system at one age, by budget."""

    #: (whether the customer gives name and postcode, whether the task is done) of each return.
    done: dict[int, list[tuple[bool, bool]]] = field(default_factory=lambda: {budget: [] for budget in BUDGETS})
    tokens: dict[int, list[int]] = field(default_factory=lambda: {budget: [] for budget in BUDGETS})


@dataclass
class _Sizes:
    """Sizes of all banks at one age."""

    figures: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)


class Measurement:
    """Measures banks one after another, alone or padded."""

    def __init__(self, half: Half, embedder: str, ages: Sequence[int] = AGES, *, others: bool = True) -> None:
        """`others`: whether to measure the other systems as well."""
        self._half: Half = half
        self._ages = sorted(ages)
        self._options = MemoryOptions(embedder=embedder, recall_weights=False)
        self._embedder = None if embedder == NONE else open_embedder(embedder)
        self._others = others
        self._left_out: dict[str, str] = {}
        self._answers: dict[tuple[int, str, int | None], _Answers] = {}
        self._sizes: dict[tuple[int, int], _Sizes] = {}
        self._tasks: Counter[int] = Counter()
        self._banks: Counter[int] = Counter()

    def measure(self, bank: Bank, pad: int, progress: Advance | None = None) -> None:
        """Measures a bank, with its other conversations if `pad`, their number for each task, is not 0."""
        self._banks[pad] += 1
        self._tasks[pad] += len(bank.tasks)
        conversations = [*(task.conversation for task in bank.tasks), *(bank.others if pad else ())]
        conversations.sort(key=lambda each: each.thread)  # not by whether it is asked for
        foxing = FoxingBank(self._options)
        try:
            foxing.store_conversations(conversations)
            if self._others:
                for system in self._fixed(conversations):
                    self._ask(system, bank, pad, None)
            for number, age in enumerate(self._ages):
                foxing.pass_time(BANK, ENDS_AT + timedelta(days=age))
                self._add_sizes(foxing, conversations, pad, age)
                for system in self._ageing(foxing, conversations):
                    self._ask(system, bank, pad, age)
                if progress is not None:
                    progress(number + 1, len(self._ages))
        finally:
            foxing.close()

    def result(self) -> Resumed:
        """Returns the rows of all banks measured."""
        rows = [self._row(*key, answers) for key, answers in self._answers.items()]
        sizes = [
            BytesRow(half=self._half, pad=pad, age_days=age, **each.figures, tiers=dict(each.tiers))
            for (pad, age), each in self._sizes.items()
        ]
        return Resumed(rows, sizes, self._left_out)

    def _fixed(self, conversations: Sequence[Conversation]) -> Iterator[System]:
        """Systems that hold the full text at every age."""
        rankings = open_rankings(self._embedder, PACKAGES)
        self._left_out.update(rankings.left_out)
        for ranking in rankings.systems:
            yield RankedMessages(ranking, conversations)
        yield NewestOfThread(BM25_MESSAGE, FirstMessageThread(StemmedBm25(), conversations), conversations)
        yield NewestOfThread(BM25_THREAD, Bm25Thread(conversations), conversations)
        yield NewestOfThread(RIGHT_THREAD, RightThread(), conversations)

    def _ageing(self, foxing: FoxingBank, conversations: Sequence[Conversation]) -> Iterator[System]:
        yield PlainRecall(foxing)
        if self._others:
            yield NewestOfThread(FOXING_THREAD, FoxingThread(foxing), conversations)
            newest = NewestOfThread(SAME_BYTES, Bm25Thread(conversations), conversations)
            newest.hold_bytes(foxing.bytes_held(BANK))
            yield newest

    def _ask(self, system: System, bank: Bank, pad: int, age: int | None) -> None:
        answers = self._answers.setdefault((pad, system.name, age), _Answers())
        for task in bank.tasks:
            for opening in task.returns:
                for budget in BUDGETS:
                    text = system.recall(opening.text, task.conversation.thread, budget)
                    missing = missing_arguments(task.pending, text)
                    answers.done[budget].append((opening.named, not missing))
                    answers.tokens[budget].append(count_text_tokens(text))

    def _add_sizes(self, foxing: FoxingBank, conversations: Sequence[Conversation], pad: int, age: int) -> None:
        sizes = self._sizes.setdefault((pad, age), _Sizes())
        texts = [message.text for conversation in conversations for message in conversation.messages]
        whole = "\n".join(texts).encode()
        sizes.figures.update(
            messages=len(texts),
            text=len(whole),
            zstd=len(zstandard.ZstdCompressor(level=19).compress(whole)),
            held=foxing.bytes_held(BANK),
            total=foxing.memory.bank(BANK).bytes.total,
        )
        sizes.tiers.update(foxing.tiers())

    def _row(self, pad: int, system: str, age: int | None, answers: _Answers) -> ResumeRow:
        return ResumeRow(
            half=self._half,
            pad=pad,
            system=system,
            age_days=age,
            banks=self._banks[pad],
            tasks=self._tasks[pad],
            returns=len(answers.done[BUDGETS[0]]),
            done=_shares(answers, (True, False)),
            done_named=_shares(answers, (True,)),
            done_plain=_shares(answers, (False,)),
            tokens={str(budget): median(counted) for budget, counted in answers.tokens.items()},
        )


def _shares(answers: _Answers, kinds: Collection[bool]) -> dict[str, float]:
    """Share done by budget, of the returns with name and postcode, without, or both."""
    return {
        str(budget): fmean(done for named, done in returns if named in kinds)
        for budget, returns in answers.done.items()
    }


def missing_arguments(calls: Sequence[Call], text: str) -> list[str]:
    """Returns the names of the arguments of which a value does not stand in `text`, each as often as calls miss it."""
    return [
        name
        for call in calls
        for name, value in call.arguments.items()
        if not all(_stands_in(text, each) for each in _values(value))
    ]


def _values(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def _stands_in(text: str, value: str) -> bool:
    """True if the value stands in the text, not as a part of a longer word or number."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def possible(tasks: Sequence[Interrupted]) -> float:
    """Returns the share of the tasks that the full text of their conversation allows to be resumed."""
    return fmean(
        not missing_arguments(task.pending, "\n".join(message.text for message in task.conversation.messages))
        for task in tasks
    )
