"""Measures the latency of context in a large bank, by reader, before and after its pages are cached.

Most messages are copies, so that the bank is made within minutes.

python -m benchmarks.context.speed --json
python -m benchmarks.context.speed --messages 5000 --reader claude --budget 4000
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_rows, write_json
from benchmarks.load import texts
from benchmarks.load.banks import BANK, make_large_bank, open_database
from foxing.memory import ContextRequest, Memory
from foxing.renderer import FoxingError

MESSAGES, DIFFERENT, DAYS = 50_000, 5_000, 60.0
READERS = ("text", "claude", "gemini-3", "deepseek-ocr")
BUDGET, QUESTIONS, SEED = 8000, 20, 5


@dataclass(frozen=True)
class SpeedRow:
    """Latency of context in ms."""

    reader: str
    budget: int
    messages: int
    questions: int
    #: the first call for each question
    first_p50_ms: float
    first_p95_ms: float
    #: the second call, with the same pages
    cached_p50_ms: float
    cached_p95_ms: float
    images: float


def measure(memory: Memory, options: argparse.Namespace, progress: Advance) -> Iterator[SpeedRow]:
    """Yields a row for each reader. `options`: parsed arguments. Raises `FoxingError`."""
    messages, random = memory.bank(BANK).messages, Random(SEED)
    questions = [texts.query(random) for _ in range(options.questions)]
    warming = ContextRequest(reader="text", budget=options.budget, query="is anybody there?")
    memory.context(BANK, warming)  # loads code and weights
    for number, reader in enumerate(options.readers):
        progress(number, len(options.readers))
        first, cached, images = [], [], 0
        for question in questions:
            request = ContextRequest(reader=reader, budget=options.budget, query=question, form="blocks")
            first.append(_timed(memory, request)[0])
            elapsed_ms, shown = _timed(memory, request)
            cached.append(elapsed_ms)
            images += shown
        yield SpeedRow(
            reader,
            options.budget,
            messages,
            len(questions),
            median(first),
            _p95(first),
            median(cached),
            _p95(cached),
            images / len(questions),
        )


def _timed(memory: Memory, request: ContextRequest) -> tuple[float, int]:
    """Latency in ms, and number of images."""
    start = time.perf_counter()
    answer = memory.context(BANK, request)
    return (time.perf_counter() - start) * 1e3, sum(block["type"] == "image" for block in answer.content)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.context.speed", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--messages", type=at_least(100), default=MESSAGES, help="Messages in the bank (default: %(default)s)."
    )
    parser.add_argument(
        "--different", type=at_least(100), default=DIFFERENT, help="Distinct messages (default: %(default)s)."
    )
    parser.add_argument("--reader", action="append", dest="readers", help="Reader; can be repeated (default: four).")
    parser.add_argument("--budget", type=at_least(100), default=BUDGET, help="Billed tokens (default: %(default)s).")
    parser.add_argument("--questions", type=at_least(1), default=QUESTIONS, help="Questions (default: %(default)s).")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    options.readers = options.readers or list(READERS)
    try:
        with tempfile.TemporaryDirectory(prefix="foxing-context-") as name, progress_bar("speed") as progress:
            folder = Path(name)
            make_large_bank(folder, options.messages, min(options.messages, options.different), DAYS)
            with open_database(folder) as memory:
                rows = list(measure(memory, options, progress))
    except FoxingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shown = [asdict(row) for row in rows]
    if options.as_json:
        write_json({"speed": shown})
    else:
        show_rows(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
