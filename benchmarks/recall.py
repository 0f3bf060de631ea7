"""Measures recall: latency of finding one fact in a large bank, and how much evidence is found, and at which rank, on
LoCoMo.

python -m benchmarks.recall --json
python -m benchmarks.recall --locomo locomo_dev.json.gz --tier tiny --json
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from foxing.memory import InvalidInput, Memory, MemoryOptions
from foxing.memory.index.embedder import DEFAULT_EMBEDDER, NONE, Embedder
from foxing.memory.index.embedders import open_embedder
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.policy import Policy, PolicyStep
from foxing.renderer import FoxingError

from .command_line import Advance, add_json_option, at_least, progress_bar, show_fields, show_rows, write_json
from .evidence import CATEGORIES, OPEN, measure_evidence, store_all
from .locomo import read_locomo
from .rankings import measure_stored

LOCOMO_SOURCE = "https://github.com/snap-research/locomo"

START = datetime(2024, 1, 1, tzinfo=UTC)
BETWEEN_MESSAGES = timedelta(minutes=7)
MESSAGES_PER_THREAD = 200
MESSAGES_PER_STORE = 2000
QUESTIONS = 40
SMALL_ONLY = Policy(steps=(PolicyStep(after=timedelta(days=1), tier="small"),), age_from="message")

_SUBJECTS = (
    "The courier|My neighbour|The night shift|Our tester|A customer|The vendor|Somebody from sales|The old server"
)
_VERBS = "asked about|moved|repaired|lost|ordered|painted|measured|forgot|returned|described"
_OBJECTS = "the blue ladder|two pallets of tiles|the spare key|a broken sensor|the March report|the red van"
_ENDINGS = (
    "before lunch|without a word|for the third time|as agreed|in the rain|on the second floor|although it was late"
)


@dataclass(frozen=True)
class RecallSpeed:
    """Latency of recalling one fact from a large bank."""

    messages: int
    pages: int
    questions: int
    #: Share of the questions whose message is the first span.
    found_first: float
    #: Milliseconds if the page is not decoded yet.
    cold_p50_ms: float
    cold_p95_ms: float
    #: Milliseconds of the same recall repeated.
    warm_p50_ms: float


@dataclass(frozen=True)
class Fact:
    """A message with a code word and a number that occur in no other."""

    message: NewMessage
    code_word: str

    @property
    def question(self) -> str:
        """Question for the number."""
        return f"what was the count with the code word {self.code_word}?"


def _facts(messages: int) -> Iterator[Fact]:
    """Yields messages with one fact each; the same on every run."""
    generator = random.Random(11)
    syllables = [a + b for a in "bdklmnr" for b in "aeiou"]
    parts = [part.split("|") for part in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)]
    for number in range(messages):
        words = [generator.choice(part) for part in parts]
        code = "".join(generator.choices(syllables, k=5))
        message = NewMessage(
            id=str(number),
            role="assistant" if number % 2 else "user",
            thread=f"day {number // MESSAGES_PER_THREAD}",
            content=f"{' '.join(words)}; the code word was {code} and the count {generator.randrange(10_000)}.",
            created_at=START + number * BETWEEN_MESSAGES,
        )
        yield Fact(message, code)


def measure_recall_speed(memory: Memory, messages: int, progress: Advance | None = None) -> RecallSpeed:
    """Stores `messages` messages in one bank, ages all of them to `small`, and asks for facts among them. Returns the
    latencies."""
    bank = "bench"
    facts = list(_facts(messages))
    for start in range(0, messages, MESSAGES_PER_STORE):
        memory.store(bank, [fact.message for fact in facts[start : start + MESSAGES_PER_STORE]])
        if progress is not None:
            progress(min(messages, start + MESSAGES_PER_STORE), messages)
    memory.set_policy(bank, SMALL_ONLY)
    memory.seal(bank, progress=progress)
    memory.age(bank, now=START + messages * BETWEEN_MESSAGES + timedelta(days=40), progress=progress)
    memory.recall(bank, "is anybody there", limit=1)  # loads code and weights, but not the pages asked for
    asked = random.Random(5).sample(facts, min(QUESTIONS, messages))
    cold_ms, warm_ms, first = [], [], 0
    for fact in asked:
        found, elapsed_ms = _timed_recall(memory, bank, fact)
        cold_ms.append(elapsed_ms)
        first += found
        warm_ms.append(_timed_recall(memory, bank, fact)[1])
    return RecallSpeed(
        messages=messages,
        pages=memory.bank(bank).pages,
        questions=len(asked),
        found_first=first / len(asked),
        cold_p50_ms=median(cold_ms),
        cold_p95_ms=sorted(cold_ms)[int(0.95 * (len(cold_ms) - 1))],
        warm_p50_ms=median(warm_ms),
    )


def _timed_recall(memory: Memory, bank: str, fact: Fact) -> tuple[bool, float]:
    """Returns True if the first span is the message of the fact, and the latency in ms."""
    start = time.perf_counter()
    spans = memory.recall(bank, fact.question, limit=5).spans
    elapsed_ms = (time.perf_counter() - start) * 1e3
    return bool(spans) and spans[0].message_id == fact.message.id, elapsed_ms


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recall",
        description="Measure the latency of recalling a fact from a large bank, or recall on LoCoMo: the "
        "evidence within 2,048 text tokens beside BM25 over the stemmed full text, and the rank of the evidence, by "
        "message and by session, beside BM25 and the same embeddings alone. Nothing is answered or judged. LoCoMo "
        "is not part of Foxing; download it from where its authors publish it.",
    )
    parser.add_argument(
        "--locomo", type=Path, metavar="FILE", help=f"LoCoMo with its questions, as JSON or gzipped ({LOCOMO_SOURCE})."
    )
    parser.add_argument(
        "--tier",
        choices=(OPEN, "small", "tiny", "micro"),
        default="small",
        help="Tier of the conversations; 'open' leaves them unsealed (default: %(default)s).",
    )
    parser.add_argument(
        "--embedder",
        default=DEFAULT_EMBEDDER,
        metavar="NAME",
        help="Embedder, or 'none' (default: %(default)s).",
    )
    parser.add_argument(
        "--messages",
        type=at_least(10),
        default=50_000,
        metavar="N",
        help="Messages in the large bank (default: %(default)s).",
    )
    add_json_option(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a dataset is invalid."""
    options = _parser().parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db", options=MemoryOptions(embedder=options.embedder)) as memory,
        progress_bar("measuring") as progress,
    ):
        try:
            result = _measure(memory, options, progress)
        except FoxingError as error:
            sys.exit(f"error: {error}")
    if options.as_json:
        write_json(result)
    else:
        _show(result)


def _measure(memory: Memory, options: argparse.Namespace, progress: Advance) -> dict[str, Any]:
    embedder = None if options.embedder == NONE else open_embedder(options.embedder)
    if options.locomo is not None:
        return _measure_locomo(memory, options, embedder, progress)
    return asdict(measure_recall_speed(memory, options.messages, progress))


def _measure_locomo(
    memory: Memory, options: argparse.Namespace, embedder: Embedder | None, progress: Advance
) -> dict[str, Any]:
    try:
        conversations = read_locomo(options.locomo)
    except InvalidInput as error:
        raise InvalidInput(f"{error}; LoCoMo is published at {LOCOMO_SOURCE}") from error
    banks = store_all(memory, conversations, options.tier, progress)
    evidence = measure_evidence(memory, banks, conversations, options.tier, CATEGORIES)
    rankings = measure_stored(memory, banks, conversations, CATEGORIES, embedder)
    return {"dataset": "LoCoMo", **asdict(evidence), "rankings": [asdict(row) for row in rankings]}


def _show(result: Mapping[str, Any]) -> None:
    show_fields(_flat(result))
    if "rankings" in result:
        show_rows(result["rankings"])


def _flat(result: Mapping[str, Any]) -> dict[str, object]:
    """Fields of a result, with one for each category."""
    fields = {name: value for name, value in result.items() if name not in ("categories", "rankings")}
    return fields | {name: category["evidence"] for name, category in result.get("categories", {}).items()}


if __name__ == "__main__":
    main()
