"""Command line of the benchmark of relevance; see --help."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.command_line import add_embedder_option, command, measuring, write_result
from benchmarks.evidence import OPEN
from foxing.memory import Memory, MemoryOptions

from .measurement import measure_relevance


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the file is invalid."""
    parser = command(
        "relevance",
        "Measure the relevance of recall on LoCoMo: whether it tells a question of the conversation from "
        "one of another conversation, what the default floor costs, and how well it is calibrated.",
    )
    parser.add_argument(
        "--locomo", type=Path, required=True, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped."
    )
    parser.add_argument(
        "--tier",
        choices=(OPEN, "small", "tiny", "micro"),
        default=OPEN,
        help="Tier of the conversations; 'open' leaves them unsealed (default: %(default)s).",
    )
    add_embedder_option(parser)
    options = parser.parse_args(arguments)
    settings = MemoryOptions(embedder=options.embedder)
    with measuring("asking") as (folder, progress), Memory(folder / "bench.db", options=settings) as memory:
        row = measure_relevance(memory, options.locomo, options.embedder, options.tier, progress)
    write_result(options, row, "relevance")


if __name__ == "__main__":
    main()
