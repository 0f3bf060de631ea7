"""Command line of the benchmark of updates; see --help."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.command_line import add_embedder_option, command, measuring, write_result
from foxing.memory import Memory, MemoryOptions

from .measurement import measure_updates
from .numbered import ask_numbered
from .sets import ask_pairs, rows_of

PAIRS = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the file is invalid."""
    parser = command(
        "updates",
        "Plant statements with changed values in LoCoMo and measure whether recall gives the newest first, "
        "the older first if the past is asked for, and links no look-alikes. The rules of recall were written on the "
        "split 'dev', which has other conversations, wordings and values than 'test'.",
        ("pairs", 1, PAIRS, "Maximum number of updates, and of look-alikes"),
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--locomo", type=Path, metavar="FILE", help="LoCoMo with its questions, as JSON or gzipped.")
    source.add_argument(
        "--sets",
        type=Path,
        metavar="FOLDER",
        help="Score written pairs in several languages instead: siblings.jsonl, which replace nothing, and "
        "updates.jsonl.",
    )
    source.add_argument(
        "--numbered",
        action="store_true",
        help="Score numbered statements of which the newer hold instead, made from word lists; the rules of recall "
        "were written without looking at the answers of those held out.",
    )
    add_embedder_option(parser)
    parser.add_argument("--split", choices=("dev", "test"), default="test", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    settings = MemoryOptions(embedder=options.embedder)
    with measuring("asking") as (folder, progress), Memory(folder / "bench.db", options=settings) as memory:
        if options.sets is not None:
            sets = list(rows_of(ask_pairs(memory, options.sets, progress), options.embedder))
            write_result(options, sets, "sets")
        elif options.numbered:
            write_result(options, list(ask_numbered(memory, options.embedder, progress=progress)), "numbered")
        else:
            row = measure_updates(memory, options.locomo, options.embedder, options.split, options.pairs, progress)
            write_result(options, row, "updates")


if __name__ == "__main__":
    main()
