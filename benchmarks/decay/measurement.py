"""Stores conversations in a memory, lets them age, asks about them, and scores what is left."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean

from benchmarks.command_line import Advance
from foxing.encoder.text_tokens import count_text_tokens

from .conversation import Conversation, Message, Passage, Question, Recalled
from .foxing_memory import FoxingMemory
from .labels import Label
from .memories import DatedMemory, fit
from .references import Order, kept_within
from .scoring import AnswerScore, Remains, answer_words, is_asked, remains_of, score_answer
from .sources import Source

#: Days after the last message at which questions are asked.
AGES = (1, 7, 30, 180, 365)
BUDGETS = (512, 2048)
#: Tokens of the exact text that the references are ranked on; more than any of them shows.
RANKED_TOKENS = 8192
#: Kinds of labels that are counted on their own. Those of `WEAK` are not told by their form.
RELATIVE_TIME, IDENTIFIER, NEGATION, RHETORICAL = "relative_time", "identifier", "negation", "rhetorical"
WEAK = ("ordinal", "term", "answer", "outcome")


@dataclass(frozen=True)
class DecayRow:
    """Figures of one memory on one source, at one age."""

    memory: str
    source: str
    #: Days since the last message.
    age_days: int
    #: Questions whose answer has words in their evidence.
    questions: int
    #: Budget in text tokens → share of the evidence messages of which a word is recalled; None where the memory names
    #: no messages, or nothing was asked.
    found: Mapping[str, float | None]
    #: Budget → share of the answer's words that are recalled in evidence messages, averaged over the questions.
    support: Mapping[str, float | None]
    #: Budget → share of the questions all of whose answer words are recalled.
    whole: Mapping[str, float | None]
    #: Budget → text tokens of an answer, averaged.
    recalled_tokens: Mapping[str, float | None]
    #: Kind of fact → how many are labelled, and the share that is left.
    facts: Mapping[str, tuple[int, float]]
    #: Kind of answer to a written question → how many were asked, and the share that is left, recalled or not.
    asked: Mapping[str, tuple[int, float]]
    #: Labelled negations whose word is left, and the share of these whose scope is left.
    negations: tuple[int, float | None]
    #: Words that are shown and were not said.
    invented: int
    #: Words that are shown, and the share that stands alone between gaps.
    words: int
    alone: float | None
    #: Characters of the messages, and bytes of what is held of them without indexes; None if that is not known.
    characters: int
    bytes: int | None
    #: Text tokens of what is left ÷ those of the messages.
    tokens_left: float
    #: Bytes of the vision tokens of full pages, where there are pages: mean and largest.
    page_bytes: tuple[float, int] | None = None

    def kept(self, *kinds: str) -> float | None:
        """Returns the share of the facts of some kinds that is left; None without any."""
        counted = [self.facts[kind] for kind in kinds if kind in self.facts]
        total = sum(number for number, _ in counted)
        return sum(number * kept for number, kept in counted) / total if total else None

    @property
    def labelled(self) -> int:
        """The number of facts in `all_facts`."""
        return sum(number for kind, (number, _) in self.facts.items() if kind not in WEAK)

    @property
    def all_facts(self) -> float | None:
        """The share of all facts that are told by their form."""
        return self.kept(*(kind for kind in self.facts if kind not in WEAK))


@dataclass(frozen=True)
class _Part:
    """Scores of a memory on one conversation, at one age."""

    #: Budget → score and text tokens of each answer.
    answers: Mapping[int, Sequence[tuple[AnswerScore, int]]]
    #: Message id → what is left of it.
    remains: Mapping[str, Remains]
    #: Text tokens of the messages, and of what is left of them.
    exact_tokens: int
    left_tokens: int
    bytes: int | None
    page_bytes: Sequence[int] = ()


class _Examiner:
    """Asks the questions about one conversation."""

    def __init__(self, conversation: Conversation, budgets: Sequence[int]) -> None:
        self._messages = conversation.messages
        self._budgets = budgets
        self._originals = {message.id: message.text for message in conversation.messages}
        self._exact_tokens = sum(map(count_text_tokens, self._originals.values()))
        self.questions = [question for question in conversation.questions if answer_words(question, self._originals)]

    def part(
        self,
        answer: Callable[[Question, int], Recalled],
        passages: Iterable[Passage],
        held: int | None,
        page_bytes: Sequence[int] = (),
    ) -> _Part:
        """Asks everything. `answer`: answers a question within a budget. `passages`, `held`: what is held, and in how
        many bytes."""
        by_message: dict[str | None, list[Passage]] = {}
        left_tokens = 0
        for passage in passages:
            by_message.setdefault(passage.message_id, []).append(passage)
            left_tokens += count_text_tokens(passage.text)
        return _Part(
            answers={budget: self._scores(answer, budget) for budget in self._budgets},
            remains={
                message.id: remains_of(message.text, by_message.get(message.id, [])) for message in self._messages
            },
            exact_tokens=self._exact_tokens,
            left_tokens=left_tokens,
            bytes=held,
            page_bytes=page_bytes,
        )

    def _scores(self, answer: Callable[[Question, int], Recalled], budget: int) -> list[tuple[AnswerScore, int]]:
        scores = []
        for question in self.questions:
            recalled = answer(question, budget)
            score = score_answer(question, self._originals, recalled.passages)
            scores.append((score, count_text_tokens(recalled.text)))
        return scores


def measure(
    name: str,
    opened: Callable[[], DatedMemory],
    sources: Sequence[Source],
    ages: Sequence[int] = AGES,
    budgets: Sequence[int] = BUDGETS,
    references: Mapping[str, Order] | None = None,
    progress: Advance | None = None,
) -> list[DecayRow]:
    """Measures a memory. Returns a row for each source and age, and for each of `references` at the bytes that the
    memory holds. Where no time has changed what it holds, it is not asked again."""
    rows: list[DecayRow] = []
    total = sum(len(source.conversations) for source in sources)
    done = 0
    for source in sources:
        parts: dict[tuple[str, int], list[_Part]] = {}
        for conversation in source.conversations:
            memory = opened()
            try:
                for key, part in _parts(name, memory, conversation, ages, budgets, references or {}):
                    parts.setdefault(key, []).append(part)
            finally:
                memory.close()
            done += 1
            if progress is not None:
                progress(done, total)
        rows += [_row(memory_name, source, age, found) for (memory_name, age), found in sorted(parts.items())]
    return rows


def _parts(
    name: str,
    memory: DatedMemory,
    conversation: Conversation,
    ages: Sequence[int],
    budgets: Sequence[int],
    references: Mapping[str, Order],
) -> Iterator[tuple[tuple[str, int], _Part]]:
    """Yields the parts of a conversation by memory and age."""
    bank, examiner = conversation.name, _Examiner(conversation, budgets)
    memory.store(bank, conversation.messages)
    beside = _References(conversation, examiner, references, memory)
    part: _Part | None = None
    for age in ages:
        if memory.pass_time(bank, conversation.messages[-1].created_at + timedelta(days=age)) or part is None:
            part = examiner.part(
                lambda question, budget: memory.recall(bank, question.text, budget),
                memory.export(bank),
                memory.bytes_held(bank),
                memory.page_bytes(bank) if isinstance(memory, FoxingMemory) else (),
            )
        yield (name, age), part
        for reference, other in beside.parts(part.bytes):
            yield (reference, age), other


class _References:
    """Other ways of forgetting, asked about the same conversation."""

    def __init__(
        self, conversation: Conversation, examiner: _Examiner, references: Mapping[str, Order], memory: DatedMemory
    ) -> None:
        """`memory`: holds the exact text still, and ranks it."""
        self._examiner = examiner
        messages = {message.id: message for message in conversation.messages}
        self._ordered = {name: order(conversation.messages) for name, order in references.items()}
        self._ranked: dict[str, Sequence[Message]] = {}
        for question in examiner.questions if references else ():
            passages = memory.recall(conversation.name, question.text, RANKED_TOKENS).passages
            keys = dict.fromkeys(passage.message_id for passage in passages)
            self._ranked[question.text] = [messages[key] for key in keys if key is not None]
        self._parts: dict[str, tuple[Mapping[str, str], _Part]] = {}

    def parts(self, held: int | None) -> Iterator[tuple[str, _Part]]:
        """Yields what each of them answers when it holds so many bytes."""
        for name, ordered in self._ordered.items() if held is not None else ():
            texts = kept_within(ordered, held or 0)
            if name not in self._parts or self._parts[name][0] != texts:
                self._parts[name] = texts, self._part(texts, held or 0)
            yield name, self._parts[name][1]

    def _part(self, texts: Mapping[str, str], held: int) -> _Part:
        def answer(question: Question, budget: int) -> Recalled:
            return fit([each for each in self._ranked[question.text] if each.id in texts], texts, budget)

        return self._examiner.part(answer, [Passage(text, key) for key, text in texts.items()], held)


def _row(memory: str, source: Source, age_days: int, parts: Sequence[_Part]) -> DecayRow:
    remains = {key: each for part in parts for key, each in part.remains.items()}
    facts, negations = _labels([label for label in source.labels if not is_asked(label)], remains)
    asked, _ = _labels([label for label in source.labels if is_asked(label)], remains)
    answers = {budget: [answer for part in parts for answer in part.answers[budget]] for budget in parts[0].answers}
    page_bytes = [size for part in parts for size in part.page_bytes]
    words = sum(remainder.words for remainder in remains.values())
    held = [part.bytes for part in parts if part.bytes is not None]
    return DecayRow(
        memory=memory,
        source=source.name,
        age_days=age_days,
        questions=max(map(len, answers.values()), default=0),
        found={str(budget): _mean([score.found for score, _ in each]) for budget, each in answers.items()},
        support={str(budget): _mean([score.support for score, _ in each]) for budget, each in answers.items()},
        whole={str(budget): _mean([float(score.whole) for score, _ in each]) for budget, each in answers.items()},
        recalled_tokens={str(budget): _mean([float(tokens) for _, tokens in each]) for budget, each in answers.items()},
        facts=_counted(facts),
        asked=_counted(asked),
        negations=(len(negations), sum(negations) / len(negations) if negations else None),
        invented=sum(len(remainder.invented) for remainder in remains.values()),
        words=words,
        alone=sum(remainder.alone for remainder in remains.values()) / words if words else None,
        characters=sum(len(remainder.original) for remainder in remains.values()),
        bytes=sum(held) if len(held) == len(parts) else None,
        tokens_left=sum(part.left_tokens for part in parts) / max(1, sum(part.exact_tokens for part in parts)),
        page_bytes=(fmean(page_bytes), max(page_bytes)) if page_bytes else None,
    )


def _labels(labels: Sequence[Label], remains: Mapping[str, Remains]) -> tuple[dict[str, list[bool]], list[bool]]:
    """Kind of fact → whether each is left, and for each negation that is left whether its scope is. The same place is
    counted once, though several groups may label it."""
    facts: dict[str, list[bool]] = {}
    negations: list[bool] = []
    for label in dict.fromkeys(labels):
        left = remains.get(label.message_id)
        if left is None or label.kind == RHETORICAL:
            continue
        holds = all(left.holds(span.start, span.end) for span in label.spans)
        if label.kind != NEGATION:
            facts.setdefault(label.kind, []).append(holds)
        elif holds:
            negations.append(all(left.holds(span.start, span.end) for span in label.scope))
    return facts, negations


def _counted(kept: Mapping[str, Sequence[bool]]) -> dict[str, tuple[int, float]]:
    return {kind: (len(each), sum(each) / len(each)) for kind, each in sorted(kept.items())}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
