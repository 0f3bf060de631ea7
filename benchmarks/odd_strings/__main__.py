"""Counts silent differences of odd strings at every tier: text that is shown, but wrong, and neither flagged nor a gap.

python -m benchmarks.odd_strings                       # 20,000 strings
python -m benchmarks.odd_strings --strings 2000 --examples 5

Each string is a message among ordinary ones. The messages are sealed at `large` and read there while their exact text
is kept, then at every lower tier after it is dropped: all messages by export, some by id and by recall, and every page.
The count so far is written to stderr after every thousand strings. Exits with status 1 if there is a silent difference.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_rows, write_json
from foxing.memory import Memory, MemoryOptions

from .measurement import START, Shown, measure
from .strings import KINDS, odd_strings

#: Strings per memory.
AT_ONCE = 1000


def main() -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.odd_strings", description=__doc__)
    parser.add_argument(
        "--strings", type=at_least(len(KINDS)), default=20_000, help="number of strings (default: %(default)s)"
    )
    parser.add_argument("--seed", type=at_least(0), default=1, help="random seed (default: %(default)s)")
    parser.add_argument(
        "--examples",
        type=at_least(0),
        default=0,
        help="silent differences to print per thousand strings and way of reading",
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    strings = list(odd_strings(arguments.strings, arguments.seed))
    shown: dict[str, Shown] = defaultdict(Shown)
    options = MemoryOptions(embedder="none")
    with progress_bar("odd strings") as advance:
        for first in range(0, len(strings), AT_ONCE):
            with (
                tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
                Memory(Path(folder) / "bench.db", clock=lambda: START, options=options) as memory,
            ):
                for name, found in measure(memory, strings[first : first + AT_ONCE]).items():
                    for said, read in found.examples[: arguments.examples]:
                        sys.stderr.write(f"{name}: {said!a} → {read!a}\n")
                    shown[name].add(found)
            done = min(len(strings), first + AT_ONCE)
            silent = sum(found.silent.total() for found in shown.values())
            sys.stderr.write(f"{done} strings: {silent} silent differences\n")
            advance(done, len(strings))
    rows = [
        {
            "shown": name,
            "messages": found.strings,
            "with_gaps": found.faded,
            "flagged": found.flagged,
            "silent": found.silent.total(),
            "kinds": ", ".join(f"{kind} {count}" for kind, count in found.silent.most_common()),
        }
        for name, found in shown.items()
    ]
    if arguments.as_json:
        write_json({"rows": rows})
    else:
        show_rows(rows)
    return int(any(found.silent for found in shown.values()))


if __name__ == "__main__":
    sys.exit(main())
