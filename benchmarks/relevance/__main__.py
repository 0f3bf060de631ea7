"""Command line of the benchmark of relevance; see --help."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_json_option, progress_bar, show_fields, write_json
from benchmarks.evidence import OPEN
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import DEFAULT_EMBEDDER
from foxing.renderer import FoxingError

from .measurement import measure_relevance


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the file is invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.relevance",
        description="Measure the relevance of recall on LoCoMo: whether it tells a question of the conversation from "
        "one of another conversation, what the default floor costs, and how well it is calibrated.",
    )
    parser.add_argument(
        "--locomo", type=Path, required=True, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped."
    )
    parser.add_argument(
        "--embedder", default=DEFAULT_EMBEDDER, metavar="NAME", help="Embedder, or 'none' (default: %(default)s)."
    )
    parser.add_argument(
        "--tier",
        choices=(OPEN, "small", "tiny", "micro"),
        default=OPEN,
        help="Tier of the conversations; 'open' leaves them unsealed (default: %(default)s).",
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db", options=MemoryOptions(embedder=options.embedder)) as memory,
        progress_bar("asking") as progress,
    ):
        try:
            row = measure_relevance(memory, options.locomo, options.embedder, options.tier, progress)
        except FoxingError as error:
            sys.exit(f"error: {error}")
    if options.as_json:
        write_json({"relevance": asdict(row)})
        return
    show_fields({name: value for name, value in asdict(row).items() if name != "bins"})
    for each in row.bins:
        print(f"relevance {each.relevance:.3f}: {each.evidence:.3f} of {each.spans:,} spans are evidence")


if __name__ == "__main__":
    main()
