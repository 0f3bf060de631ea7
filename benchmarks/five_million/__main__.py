"""Measures five million tokens in one bank under the default policy: vision tokens, bytes, time, and recall by age.

python -m benchmarks.five_million --folder FOLDER --json
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_fields, show_rows, write_json
from benchmarks.disk_usage.parts import file_parts
from foxing.memory import Memory
from foxing.memory.options import MemoryOptions
from foxing.renderer import FoxingError

from .corpus import SPAN, START, Corpus, Fact, read_corpus

BANK = "talk"
TICK = timedelta(days=3)  # simulated time between runs of the due jobs
AT_ONCE = 500  # messages per store call
BUDGET = 512  # text tokens per answer
#: Age ranges in which the default policy uses one tier; upper bounds in days.
AGES = {"up to 7 days": 7, "up to 30 days": 30, "up to a year": 365, "older": 10_000}


@dataclass(frozen=True)
class Scale:
    """Size of the bank at the end, and the time taken."""

    text_tokens: int
    #: Text tokens of one copy of the texts, which are stored again under later times until there are enough.
    distinct_text_tokens: int
    messages: int
    characters: int
    vision_tokens: int
    pages: Mapping[str, int]
    #: Bytes of the vacuumed file by part; `total` includes embeddings.
    bytes: Mapping[str, int]
    bytes_without_embeddings: int
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class AskedRow:
    """Recall of the facts of one age range, within `BUDGET` text tokens."""

    age: str
    facts: int
    #: Share of the facts whose message is returned.
    found: float
    #: Share of the facts whose answer word is in the returned text.
    answered: float
    cold_p50_ms: float
    cold_p95_ms: float
    warm_p50_ms: float


def measure(path: Path, corpus: Corpus, embedder: str, progress: Advance) -> tuple[Scale, list[AskedRow]]:
    """Stores the corpus at its times while due jobs run, then asks for the facts. Returns the size of the bank, and a
    row for each age range with facts."""
    now = START
    options = MemoryOptions(embedder=embedder)
    seconds = dict.fromkeys(("store", "seal", "age", "purge", "embed"), 0.0)
    with Memory(path, options=options, clock=lambda: now) as memory:
        done = 0
        while now < START + SPAN:
            now = min(now + TICK, START + SPAN)
            due = done
            while due < len(corpus.messages) and corpus.messages[due]["created_at"] <= now:
                due += 1
            _store(memory, corpus.messages[done:due], seconds)
            _tick(memory, now, seconds)
            done = due
            progress(done, len(corpus.messages))
        info = memory.bank(BANK)
    parts = asdict(file_parts(path))
    scale = Scale(
        text_tokens=corpus.text_tokens,
        distinct_text_tokens=corpus.distinct_tokens,
        messages=info.messages,
        characters=corpus.characters,
        vision_tokens=sum(tier.vision_tokens for tier in info.tiers.values()),
        pages={name: tier.pages for name, tier in info.tiers.items()},
        bytes=parts,
        bytes_without_embeddings=parts["total"] - parts["embeddings"] - parts["trash"],
        seconds={name: round(value, 1) for name, value in seconds.items()},
    )
    return scale, [_ask(path, options, name, facts, now) for name, facts in _by_age(corpus.facts, now).items() if facts]


def _store(memory: Memory, messages: Sequence[Mapping[str, Any]], seconds: dict[str, float]) -> None:
    started = perf_counter()
    for start in range(0, len(messages), AT_ONCE):
        memory.store(BANK, messages[start : start + AT_ONCE])
    seconds["store"] += perf_counter() - started


def _tick(memory: Memory, now: datetime, seconds: dict[str, float]) -> None:
    """Runs all due jobs and adds their times to `seconds`, by kind. Raises `RuntimeError` if a job fails."""
    memory.jobs.fill(now)
    while True:
        started = perf_counter()
        result = memory.jobs.work(now)
        if result is None:
            return
        if result.error is not None or result.unreadable:
            raise RuntimeError(f"a job failed: {result}")
        seconds[result.kind] += perf_counter() - started


def _by_age(facts: Sequence[Fact], now: datetime) -> dict[str, list[Fact]]:
    result: dict[str, list[Fact]] = {name: [] for name in AGES}
    for fact in facts:
        age = (now - fact.said_at) / timedelta(days=1)
        result[next(name for name, days in AGES.items() if age <= days)].append(fact)
    return result


def _ask(path: Path, options: MemoryOptions, age: str, facts: Sequence[Fact], now: datetime) -> AskedRow:
    """Asks for each fact twice, cold and warm, in a newly opened memory that has loaded only the index."""
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    found = answered = 0
    with Memory(path, options=options, clock=lambda: now) as memory:
        memory.recall(BANK, "anything at all", limit=1)
        for fact in facts:
            for kind in times:
                started = perf_counter()
                spans = memory.recall(BANK, fact.question, limit=20, max_tokens=BUDGET).spans
                times[kind].append((perf_counter() - started) * 1e3)
            given = [span.text for span in spans if span.message_id == fact.id]
            found += bool(given)
            answered += any(fact.answer in text for text in given)
    cold, warm = times["cold"], times["warm"]
    p95 = quantiles(cold, n=20)[18] if len(cold) > 1 else cold[0]
    shares = (round(found / len(facts), 3), round(answered / len(facts), 3))
    return AskedRow(age, len(facts), *shares, round(median(cold), 1), round(p95, 1), round(median(warm), 1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a file is invalid."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.five_million", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="Folder of conversations: LoCoMo, BEAM, JSON Lines.")
    parser.add_argument("--tokens", type=at_least(1), default=5_000_000, help="Text tokens (default: %(default)s).")
    parser.add_argument("--facts", type=at_least(4), default=80, help="Facts to ask for, at most 100 (default: 80).")
    parser.add_argument("--embedder", default="none", help="Embedder, as in the settings (default: none).")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    try:
        corpus = read_corpus(options.folder, options.tokens, options.facts)
        with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, progress_bar("storing") as progress:
            scale, asked = measure(Path(folder) / "five-million.db", corpus, options.embedder, progress)
    except FoxingError as error:
        sys.exit(f"error: {error}")
    rows = [asdict(row) for row in asked]
    if options.as_json:
        write_json({"scale": asdict(scale), "asked": rows})
    else:
        show_fields(asdict(scale))
        show_rows(rows)


if __name__ == "__main__":
    main()
