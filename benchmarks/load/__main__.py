"""Measures the service under load: `foxing serve` in a process of its own, on a new SQLite database.

python -m benchmarks.load --json
python -m benchmarks.load --only mixed --seconds 30 --messages 10000
python -m benchmarks.load --only stores --database postgresql://foxing@localhost/bench
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.command_line import Advance, command, measuring, show, write_json
from benchmarks.postgresql import PostgresServer

from .kills import measure_kills
from .mixed import measure_mixed
from .process_kills import measure_process_kills
from .scaling import measure_scaling
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
    "processes": lambda folder, options, progress: _on_database(
        folder,
        options,
        lambda place: measure_scaling(folder, options.processes, options.pairs, options.pair_seconds, place, progress),
    ),
    "process-kills": lambda folder, options, progress: _on_database(
        folder,
        options,
        lambda place: measure_process_kills(folder, options.rounds, options.processes, place, progress),
    ),
    "kills": lambda folder, options, progress: _kills(folder, options, progress),
}


def _kills(folder: Path, options: argparse.Namespace, progress: Advance) -> Any:
    if not options.postgresql:
        return measure_kills(folder, options.rounds, progress)
    folder.chmod(0o755)  # if this process runs as root, the server runs as another user
    with PostgresServer(folder) as server:
        return measure_kills(folder, options.rounds, progress, server=server)


def _on_database(folder: Path, options: argparse.Namespace, measure: Callable[[str | None], Any]) -> Any:
    if not options.postgresql:
        return measure(options.database)
    folder.chmod(0o755)  # if this process runs as root, the server runs as another user
    with PostgresServer(folder) as server:
        return measure(server.url)


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "load",
        "Measure the service under load, on a new SQLite database: latency of storing and recalling "
        "(mixed, stores, batches), stalls caused by one request (stalls), shutdown and kill -9 (stop, kills), and "
        "several processes beside one (processes, process-kills).",
        ("messages", 1, 50_000, "mixed: messages in the bank"),
        ("clients", 1, 25, "mixed: storing clients; as many recall"),
        ("days", 1, 6, "mixed: age of the oldest message in days"),
        ("seconds", 1, 120, "mixed: duration in seconds"),
        ("store-clients", 1, 16, "stores, batches: clients"),
        ("store-seconds", 1, 20, "stores, batches: duration in seconds"),
        ("batch", 1, 30, "batches: messages per request"),
        ("pages", 1, 1_600, "stop: due pages"),
        ("rounds", 1, 200, "kills, process-kills: rounds, in each of which a service is killed"),
        ("processes", 2, 2, "processes, process-kills: processes of the service"),
        ("pairs", 1, 3, "processes: pairs of runs"),
        ("pair-seconds", 1, 10, "processes: duration of a load in seconds"),
    )
    parser.add_argument(
        "--only", choices=tuple(MEASUREMENTS), action="append", help="Run only this measurement; can be repeated."
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="stores, batches, processes, process-kills: PostgreSQL database to use instead of SQLite.",
    )
    parser.add_argument("--request", action="append", default=[], metavar="NAME", help="stalls: only this request.")
    parser.add_argument(
        "--postgresql",
        action="store_true",
        help="kills, processes, process-kills: use PostgreSQL; kills: and kill its server too.",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = _parser().parse_args(arguments)
    results: dict[str, dict[str, Any]] = {}
    for name in options.only or MEASUREMENTS:
        with measuring(name) as (folder, progress):
            results[name] = asdict(MEASUREMENTS[name](folder, options, progress))
    if options.as_json:
        write_json(results)
    for name, result in {} if options.as_json else results.items():
        print(f"\n{name}")
        show(result)


if __name__ == "__main__":
    main()
