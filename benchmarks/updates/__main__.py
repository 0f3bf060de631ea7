"""Command line of the benchmark of updates; see --help."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_fields, show_rows, write_json
from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import DEFAULT_EMBEDDER
from foxing.renderer import FoxingError

from .measurement import measure_updates
from .numbered import ask_numbered
from .sets import ask_pairs, rows_of

PAIRS = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the file is invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.updates",
        description="Plant statements with changed values in LoCoMo and measure whether recall gives the newest first, "
        "the older first if the past is asked for, and links no look-alikes. The rules of recall were written on the "
        "split 'dev', which has other conversations, wordings and values than 'test'.",
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
    parser.add_argument(
        "--embedder", default=DEFAULT_EMBEDDER, metavar="NAME", help="Embedder, or 'none' (default: %(default)s)."
    )
    parser.add_argument("--split", choices=("dev", "test"), default="test", help="(default: %(default)s)")
    parser.add_argument(
        "--pairs",
        type=at_least(1),
        default=PAIRS,
        metavar="N",
        help="Maximum number of updates, and of look-alikes (default: %(default)s).",
    )
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db", options=MemoryOptions(embedder=options.embedder)) as memory,
        progress_bar("asking") as progress,
    ):
        try:
            if options.sets is not None:
                rows: list[Any] = list(rows_of(ask_pairs(memory, options.sets, progress), options.embedder))
            elif options.numbered:
                rows = list(ask_numbered(memory, options.embedder, progress=progress))
            else:
                row = measure_updates(memory, options.locomo, options.embedder, options.split, options.pairs, progress)
        except FoxingError as error:
            sys.exit(f"error: {error}")
    if options.locomo is None:
        documents = [asdict(row) for row in rows]
        if options.as_json:
            write_json({"numbered" if options.numbered else "sets": documents})
        else:
            show_rows(documents)
    elif options.as_json:
        write_json({"updates": asdict(row)})
    else:
        show_fields(asdict(row))


if __name__ == "__main__":
    main()
