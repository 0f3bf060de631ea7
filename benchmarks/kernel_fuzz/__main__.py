"""Feeds damaged streams to the native codec's kernel and checks that it stays within its memory.

python -m benchmarks.kernel_fuzz                                  # ten minutes
python -m benchmarks.kernel_fuzz --seconds 60 --seed 7

The kernel is compiled with `-fsanitize=address,undefined`. The inputs are streams of real pages with flipped bits and
overwritten runs, truncated, extended and spliced, and decoded as fewer or more cells than they hold. Streams that the
kernel accepts are encoded again and compared.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, show_fields, write_json

from .fuzz import SanitizerMissing, SanitizerReport, build, run, write_corpus


def main() -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel_fuzz", description=__doc__)
    parser.add_argument("--seconds", type=at_least(1), default=600, help="duration in seconds (default: %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=1, help="random seed (default: %(default)s)")
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        try:
            harness = build(Path(folder))
            write_corpus(corpus)
            survived = run(harness, corpus, seed=arguments.seed, seconds=arguments.seconds)
        except (SanitizerMissing, SanitizerReport) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    if arguments.as_json:
        write_json(survived._asdict())
    else:
        show_fields(survived._asdict())
    return 0


if __name__ == "__main__":
    sys.exit(main())
