"""Measures the service under load: `foxing serve` in a process of its own, on a new SQLite database.

python -m benchmarks.load --json
python -m benchmarks.load --only mixed --seconds 30 --messages 10000
python -m benchmarks.load --only stores --database postgresql://foxing@localhost/bench
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.command_line import (
    Advance,
    add_json_option,
    at_least,
    progress_bar,
    show_fields,
    show_rows,
    write_json,
)

from .kills import measure_kills
from .mixed import measure_mixed
from .postgresql import PostgresServer
from .stalls import measure_stalls
from .stop import measure_stop
from .stores import measure_stores

#: Runs in a new folder and returns a dataclass of results.
Measurement = Callable[[Path, argparse.Namespace, Advance], Any]

MEASUREMENTS: Mapping[str, Measurement] = {
    "mixed": lambda folder, options, _: measure_mixed(
        folder, options.messages, options.seconds, options.clients, options.days
    ),
    "stores": lambda folder, options, _: measure_stores(
        folder, options.store_seconds, options.store_clients, options.database
    ),
    "batches": lambda folder, options, _: measure_stores(
        folder, options.store_seconds, options.store_clients, options.database, options.batch
    ),
    "stalls": lambda folder, options, _: measure_stalls(folder, options.request),
    "stop": lambda folder, options, _: measure_stop(folder, options.pages),
    "kills": lambda folder, options, progress: _kills(folder, options, progress),
}


def _kills(folder: Path, options: argparse.Namespace, progress: Advance) -> Any:
    if not options.postgresql:
        return measure_kills(folder, options.rounds, progress)
    folder.chmod(0o755)  # if this process runs as root, the server runs as another user
    with PostgresServer(folder) as server:
        return measure_kills(folder, options.rounds, progress, server=server)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description="Measure the service under load, on a new SQLite database: latency of storing and recalling "
        "(mixed, stores, batches), stalls caused by one request (stalls), shutdown and kill -9 (stop, kills).",
    )
    parser.add_argument(
        "--only", choices=tuple(MEASUREMENTS), action="append", help="Run only this measurement; can be repeated."
    )
    integers = (
        ("messages", 50_000, "mixed: messages in the bank"),
        ("clients", 25, "mixed: storing clients; as many recall"),
        ("days", 6, "mixed: age of the oldest message in days"),
        ("seconds", 120, "mixed: duration in seconds"),
        ("store-clients", 16, "stores, batches: clients"),
        ("store-seconds", 20, "stores, batches: duration in seconds"),
        ("batch", 30, "batches: messages per request"),
        ("pages", 1_600, "stop: due pages"),
        ("rounds", 200, "kills: rounds, in each of which a service and a worker are killed"),
    )
    for name, default, text in integers:
        parser.add_argument(f"--{name}", type=at_least(1), default=default, metavar="N", help=f"{text} (%(default)s).")
    parser.add_argument(
        "--database", metavar="URL", help="stores, batches: PostgreSQL database to use instead of SQLite."
    )
    parser.add_argument("--request", action="append", default=[], metavar="NAME", help="stalls: only this request.")
    parser.add_argument("--postgresql", action="store_true", help="kills: use PostgreSQL, and kill its server too.")
    add_json_option(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = _parser().parse_args(arguments)
    results: dict[str, dict[str, Any]] = {}
    for name in options.only or MEASUREMENTS:
        with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, progress_bar(name) as progress:
            results[name] = asdict(MEASUREMENTS[name](Path(folder), options, progress))
    if options.as_json:
        write_json(results)
    for name, result in {} if options.as_json else results.items():
        print(f"\n{name}")
        rows = {field: value for field, value in result.items() if _is_table(value)}
        show_fields({field: value for field, value in result.items() if field not in rows})
        for table in rows.values():
            show_rows(table)


def _is_table(value: Any) -> bool:
    """True for a list of result rows."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


if __name__ == "__main__":
    main()
