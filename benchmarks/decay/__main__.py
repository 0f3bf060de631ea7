"""Measures what a memory still answers after a year; see --help.

python -m benchmarks.decay --json
python -m benchmarks.decay --tier micro
python -m benchmarks.decay --memory langgraph --memory mypackage.memory:MyMemory
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.command_line import at_least, command, progress_bar, show_rows, write_json
from foxing.renderer import FoxingError

from .foxing_memory import FoxingAtTier, FoxingMemory
from .labels import DataDifferError
from .measurement import AGES, BUDGETS, RELATIVE_TIME, DecayRow, measure
from .memories import DatedMemory, open_named
from .packages import open_langgraph, open_mem0
from .references import REFERENCES
from .sources import AGENTS, DEMO, LOCOMO_NAME, labelled_sources, read_sources

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FOXING = "foxing"
TIERS = ("small", "tiny", "micro")
#: Budgets of a run at one tier.
TIER_BUDGETS = (256, 512, 2048)
SOURCES = (LOCOMO_NAME, DEMO, AGENTS)
#: Name → opens an empty memory.
MEMORIES: Mapping[str, Callable[[], DatedMemory]] = {
    FOXING: FoxingMemory,
    "langgraph": open_langgraph,
    "mem0": open_mem0,
}


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "decay",
        "Store dated conversations in a memory, let up to a year pass, ask about them, and score what is "
        "recalled and what is left. Foxing stands beside three ways of forgetting that hold the same bytes.",
    )
    parser.add_argument(
        "--memory",
        action="append",
        metavar="NAME",
        help=f"Memory to measure: {', '.join(MEMORIES)}, or MODULE:NAME of a class; can be repeated "
        f"(default: {FOXING}, with the other ways of forgetting).",
    )
    parser.add_argument("--tier", choices=TIERS, help="Measure Foxing with every page at this tier instead.")
    parser.add_argument(
        "--source",
        action="append",
        metavar="NAME",
        help=f"Text to measure: {', '.join(SOURCES)}, or a file of FOLDER/eval without suffix; can be repeated "
        "(default: these three; with --tier: every labelled text).",
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="FOLDER", help="FOLDER/eval holds the texts (default: %(default)s)."
    )
    parser.add_argument("--age", type=at_least(1), action="append", metavar="DAYS", help="Age; can be repeated.")
    parser.add_argument("--budget", type=at_least(1), action="append", metavar="TOKENS", help="Budget, likewise.")
    parser.add_argument(
        "--questions", type=at_least(1), metavar="N", help="Maximum number of questions per conversation."
    )
    parser.add_argument(
        "--conversations", type=at_least(1), metavar="N", help="Maximum number of conversations of LoCoMo."
    )
    parser.add_argument("--no-references", action="store_true", help="Leave out the other ways of forgetting.")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if a text, a label or a memory is missing."""
    options = _parser().parse_args(arguments)
    try:
        names = options.source or (labelled_sources(options.data) if options.tier else SOURCES)
        sources = read_sources(names, options.data, options.questions, options.conversations)
        with progress_bar("measuring") as progress:
            if options.tier:
                opened: Callable[[], DatedMemory] = partial(FoxingAtTier, options.tier)
                budgets = options.budget or TIER_BUDGETS
                rows = measure(f"{FOXING} at {options.tier}", opened, sources, (1,), budgets, progress=progress)
            else:
                rows = []
                for name in options.memory or [FOXING]:
                    opened = MEMORIES[name] if name in MEMORIES else open_named(name)
                    beside = REFERENCES if name == FOXING and not options.no_references else None
                    ages, budgets = sorted(options.age or AGES), options.budget or BUDGETS
                    rows += measure(name, opened, sources, ages, budgets, beside, progress)
    except (FoxingError, DataDifferError) as error:
        sys.exit(f"error: {error}")
    except NotInstalled as error:
        sys.exit(f"error: not installed ({error}); pip install 'foxing[bench,store-baselines]'")
    if options.as_json:
        write_json({"decay": [asdict(row) for row in rows]})
    else:
        show_rows([_flat(row) for row in rows])


def _flat(row: DecayRow) -> dict[str, object]:
    """The figures of a row that fit in a table."""
    answers = {
        f"{name} {budget}": value
        for name, by_budget in (("found", row.found), ("support", row.support), ("whole", row.whole))
        for budget, value in by_budget.items()
    }
    return {
        "memory": row.memory,
        "source": row.source,
        "age days": row.age_days,
        "questions": row.questions,
        **answers,
        "facts": row.all_facts,
        "relative times": row.kept(RELATIVE_TIME),
        "identifiers": row.kept("identifier"),
        "negations scoped": row.negations[1],
        "invented": row.invented,
        "alone": row.alone,
        "tokens left": row.tokens_left,
        "bytes": row.bytes,
        "page bytes": row.page_bytes and f"{row.page_bytes[0]:,.0f} ({row.page_bytes[1]:,})",
    }


if __name__ == "__main__":
    main()
