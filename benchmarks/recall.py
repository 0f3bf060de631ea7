"""Measuring recall: a fact in a large bank, and LoCoMo's questions beside BM25 over the full text."""

import gzip
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.importers.locomo import locomo_messages
from foxing.memory.memory import Memory
from foxing.memory.models import Value
from foxing.memory.policy import Policy, Step

Progress = Callable[[str, int, int], None]

BUDGET_TOKENS = 2048  # text tokens of all spans of an answer
START = datetime(2024, 1, 1, tzinfo=UTC)
QUESTIONS = 40
OPEN = "open"
SMALL_ONLY = Policy(steps=(Step(after=timedelta(days=1), tier="small"),))

_SUBJECTS = (
    "The courier|My neighbour|The night shift|Our tester|A customer|The vendor|Somebody from sales|The old server"
)
_VERBS = "asked about|moved|repaired|lost|ordered|painted|measured|forgot|returned|described"
_OBJECTS = "the blue ladder|two pallets of tiles|the spare key|a broken sensor|the March report|the red van"
_ENDINGS = (
    "before lunch|without a word|for the third time|as agreed|in the rain|on the second floor|although it was late"
)


class RecallSpeed(Value):
    """How long recalls of one fact take in a large bank. Milliseconds; cold: nothing of the pages is decoded before."""

    messages: int
    pages: int
    questions: int
    found_first: float
    cold_p50_ms: float
    cold_p95_ms: float
    warm_p50_ms: float


class EvidenceRecall(Value):
    """Share of LoCoMo's evidence messages recalled within `BUDGET_TOKENS`, everything held at `tier`."""

    tier: str
    conversations: int
    questions: int
    remembered: float
    full_text_bm25: float
    ratio: float


def _facts(messages: int) -> Iterator[dict[str, Any]]:
    """Small talk with a fact in each message that no other has: a code word and a number."""
    generator = random.Random(11)
    syllables = [a + b for a in "bdklmnr" for b in "aeiou"]
    parts = [part.split("|") for part in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)]
    for number in range(messages):
        words = [generator.choice(part) for part in parts]
        code = "".join(generator.choices(syllables, k=5))
        yield {
            "id": str(number),
            "role": "assistant" if number % 2 else "user",
            "thread": f"day {number // 200}",
            "content": f"{' '.join(words)}; the code word was {code} and the count {generator.randrange(10_000)}.",
            "created_at": START + timedelta(minutes=7 * number),
        }


def bench_recall_speed(memory: Memory, messages: int, progress: Progress | None = None) -> RecallSpeed:
    """Fills a bank with `messages` messages, ages all of it to `small`, and asks for facts out of it."""
    bank = "bench"
    everything = list(_facts(messages))
    for start in range(0, messages, 2000):
        memory.store(bank, everything[start : start + 2000])
        if progress is not None:
            progress("store", min(messages, start + 2000), messages)
    memory.set_policy(bank, SMALL_ONLY)
    memory.seal(bank, progress=(lambda d, t: progress("seal", d, t)) if progress else None)
    late = START + timedelta(minutes=7 * messages, days=40)
    memory.age(bank, now=late, progress=(lambda d, t: progress("age", d, t)) if progress else None)
    asked = random.Random(5).sample(everything, min(QUESTIONS, messages))
    codes = [str(message["content"]).split(" word was ")[1].split()[0] for message in asked]
    questions = [f"what was the count with the code word {code}?" for code in codes]
    memory.recall(bank, "is anybody there", limit=1)  # loads code and weights, not the pages that are asked for
    cold, warm, first = [], [], 0
    for wanted, question in zip(asked, questions, strict=True):
        begun = time.perf_counter()
        spans = memory.recall(bank, question, limit=5).spans
        cold.append((time.perf_counter() - begun) * 1e3)
        first += bool(spans) and spans[0].message_id == wanted["id"]
        begun = time.perf_counter()
        memory.recall(bank, question, limit=5)
        warm.append((time.perf_counter() - begun) * 1e3)
    return RecallSpeed(
        messages=messages,
        pages=memory.bank(bank).pages,
        questions=len(questions),
        found_first=first / len(questions),
        cold_p50_ms=median(cold),
        cold_p95_ms=sorted(cold)[int(0.95 * (len(cold) - 1))],
        warm_p50_ms=median(warm),
    )


def bench_locomo(memory: Memory, file: Path, tier: str, progress: Progress | None = None) -> EvidenceRecall:
    """Imports LoCoMo, one bank a conversation, ages it to `tier` without its text, and asks its questions.

    Per question the messages recalled within the budget are compared with its evidence; the mean over questions. Beside
    it the same with a plain BM25 (lower-case words, k1 1.2, b 0.75) over the full text. `tier` is small, tiny or micro,
    or "open" for messages that are not sealed. Raises `InvalidInput` for another file.
    """
    policy = Policy.parse({"steps": [{"after": "PT1S", "tier": tier}]}) if tier != OPEN else None
    ours: list[float] = []
    theirs: list[float] = []
    samples = _read_locomo(file)
    for number, sample in enumerate(samples):
        bank = f"locomo-{number}"
        said = [message for message, _ in locomo_messages(sample, UTC)]
        memory.store(bank, said)
        if policy is not None:
            memory.set_policy(bank, policy)
            memory.seal(bank)
            memory.age(bank)
        prefix = f"{sample['sample_id']}/"
        baseline = PlainBm25({str(m.id): f"{m.name} {m.content}" for m in said}, {str(m.id): m.content for m in said})
        for question in sample["qa"]:
            evidence = {prefix + turn for turn in _evidence(question)} & baseline.ids
            if not evidence:
                continue
            words = str(question["question"])
            spans = memory.recall(bank, words, limit=500, max_tokens=BUDGET_TOKENS).spans
            ours.append(len(evidence & {span.message_id for span in spans}) / len(evidence))
            theirs.append(len(evidence & baseline.within(words, BUDGET_TOKENS)) / len(evidence))
        if progress is not None:
            progress("ask", number + 1, len(samples))
    remembered, full = sum(ours) / len(ours), sum(theirs) / len(theirs)
    return EvidenceRecall(
        tier=tier,
        conversations=len(samples),
        questions=len(ours),
        remembered=remembered,
        full_text_bm25=full,
        ratio=remembered / full,
    )


def _evidence(question: dict[str, Any]) -> set[str]:
    """Turns that the question names, such as D3:7; some lines hold several."""
    return {turn for line in question.get("evidence", []) for turn in re.split(r"[;,\s]+", str(line)) if turn}


class PlainBm25:
    """The baseline: BM25 over lower-case words of the full text, speakers' names included."""

    K1, B = 1.2, 0.75

    def __init__(self, documents: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """`documents`: id → what is searched; `texts`: id → what counts against the budget."""
        self.ids = set(documents)
        self._cost = {key: count_text_tokens(text) for key, text in texts.items()}
        words = {key: Counter(self._words(text)) for key, text in documents.items()}
        self._lengths = {key: counts.total() for key, counts in words.items()}
        self._mean = sum(self._lengths.values()) / max(1, len(words))
        self._postings: dict[str, list[tuple[str, int]]] = {}
        for key, counts in words.items():
            for word, count in counts.items():
                self._postings.setdefault(word, []).append((key, count))

    @staticmethod
    def _words(text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())

    def within(self, query: str, budget: int) -> set[str]:
        """The best messages, in their order, until the next one would go over `budget` text tokens."""
        scores: Counter[str] = Counter()
        for word in set(self._words(query)):
            found = self._postings.get(word, [])
            weight = log(1 + (len(self.ids) - len(found) + 0.5) / (len(found) + 0.5))
            for key, count in found:
                held_back = self.K1 * (1 - self.B + self.B * self._lengths[key] / self._mean)
                scores[key] += weight * count * (self.K1 + 1) / (count + held_back)  # type: ignore[assignment]
        taken: set[str] = set()
        for key, _ in scores.most_common():
            if self._cost[key] > budget:
                break
            budget -= self._cost[key]
            taken.add(key)
        return taken


def _read_locomo(file: Path) -> list[dict[str, Any]]:
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8") as stream:
            samples: list[dict[str, Any]] = json.load(stream)
        _ = [(sample["sample_id"], sample["qa"], sample["conversation"]) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{file.name} is no LoCoMo file with questions ({error})") from error
    return samples
