"""Command line of the benchmark of hooks; see --help."""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_fields, write_json
from benchmarks.load.banks import BANK, database_path, make_large_bank

from .measurement import (
    BusyRow,
    FactsRow,
    KillsRow,
    PromptRow,
    measure_busy,
    measure_facts,
    measure_kills,
    measure_prompts,
)
from .sessions import SPLITS

DIFFERENT = 2500  # messages of the large bank that are not copies
DAYS = 6


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hooks",
        description="Measure the hooks of coding agents: facts of earlier sessions that a prompt is given, the time "
        "that a prompt waits for its hook, whether it is answered on a busy machine, and what is lost when hooks and "
        "services are killed.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    facts = commands.add_parser("facts", help="Ask for facts of invented sessions, and for what they do not have.")
    facts.add_argument("--split", choices=SPLITS, default="held_out", help="(default: %(default)s)")
    prompts = commands.add_parser("prompts", help="Time the hook at a prompt, the start of its process included.")
    prompts.add_argument("--messages", type=at_least(1), default=50_000, metavar="N", help="(default: %(default)s)")
    prompts.add_argument(
        "--database", type=Path, metavar="FILE", help=f"A database with a bank '{BANK}', which is copied."
    )
    prompts.add_argument("--prompts", type=at_least(1), default=200, metavar="N", help="(default: %(default)s)")
    prompts.add_argument(
        "--warm",
        type=float,
        default=300.0,
        metavar="S",
        help="Most seconds for the service to warm up (default: %(default)s).",
    )
    busy = commands.add_parser("busy", help="Ask beside busy processes, and while a history is imported and sealed.")
    busy.add_argument("--prompts", type=at_least(1), default=15, metavar="N", help="(default: %(default)s)")
    busy.add_argument(
        "--processes", type=at_least(0), nargs="*", default=[0, 10, 20], metavar="N", help="(default: %(default)s)"
    )
    busy.add_argument("--imported", type=at_least(1), default=2_000, metavar="N", help="(default: %(default)s)")
    kills = commands.add_parser("kills", help="Store turns while hooks and services are killed.")
    kills.add_argument("--turns", type=at_least(2), default=500, metavar="N", help="(default: %(default)s)")
    kills.add_argument(
        "--hooks", type=float, default=0.1, metavar="SHARE", help="Share of hooks (default: %(default)s)."
    )
    kills.add_argument("--services", type=int, default=20, metavar="N", help="Services killed (default: %(default)s).")
    for command in (facts, prompts, busy, kills):
        add_json_option(command)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as name, progress_bar(options.command) as progress:
        folder = Path(name)
        row: FactsRow | PromptRow | BusyRow | KillsRow
        if options.command == "facts":
            row = measure_facts(folder, options.split, progress)
        elif options.command == "prompts":
            if options.database is None:
                make_large_bank(folder, options.messages, min(DIFFERENT, options.messages), DAYS)
            else:
                shutil.copyfile(options.database, database_path(folder))
            row = measure_prompts(database_path(folder), BANK, options.prompts, options.warm, progress)
        elif options.command == "busy":
            row = measure_busy(folder, options.prompts, options.processes, options.imported, progress)
        else:
            row = measure_kills(folder, options.turns, options.hooks, options.services, progress)
    if options.as_json:
        write_json({options.command: asdict(row)})
    else:
        show_fields(asdict(row))


if __name__ == "__main__":
    main()
