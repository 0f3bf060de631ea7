"""Feeds damaged streams to the native codec's kernel and checks that it stays within its memory.

python -m benchmarks.kernel_fuzz                                  # ten minutes
python -m benchmarks.kernel_fuzz --seconds 60 --seed 7

The kernel is compiled with `-fsanitize=address,undefined`. The inputs are streams of real pages with flipped bits and
overwritten runs, truncated, extended and spliced, and decoded as fewer or more cells than they hold. Streams that the
kernel accepts are encoded again and compared.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.command_line import command, show_fields, write_json

from .fuzz import SanitizerMissing, SanitizerReport, build, run, write_corpus


def main() -> int:
    """Runs the command. Returns the exit status."""
    options = command(
        "kernel_fuzz", __doc__, ("seconds", 1, 600, "Duration in seconds"), ("seed", 0, 1, "Random seed")
    ).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        try:
            harness = build(Path(folder))
            write_corpus(corpus)
            survived = run(harness, corpus, seed=options.seed, seconds=options.seconds)
        except (SanitizerMissing, SanitizerReport) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    (write_json if options.as_json else show_fields)(survived._asdict())
    return 0


if __name__ == "__main__":
    sys.exit(main())
