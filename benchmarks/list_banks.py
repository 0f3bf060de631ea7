"""Measures how long the client takes to list many banks.

python -m benchmarks.list_banks --banks 1000 --json
"""

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.integrations.client import Client
from foxing.memory import Memory, MemoryOptions

from .command_line import add_json_option, at_least, show_fields, write_json

MESSAGES = 3  # per bank


@dataclass(frozen=True)
class ListedBanks:
    """Durations in seconds of listing all banks with their statistics, with the client and the service in one process,
    on SQLite."""

    banks: int
    lists: int
    p50_s: float
    max_s: float
    #: Processor time of a list, of client and service.
    cpu_s: float


def measure_lists(path: Path, number: int, lists: int) -> ListedBanks:
    """Creates a database with `number` banks at `path`, and lists them `lists` times through the client."""
    settings = load_settings({"ageing_enabled": False})
    with Memory(path, options=MemoryOptions(embedder="none")) as memory:
        for bank in range(number):
            said = [{"role": "user", "content": f"Note {note} of bank {bank}."} for note in range(MESSAGES)]
            memory.store(f"bank-{bank:06}", said)
        with BackgroundServer(create_app(settings, memory)) as server, Client(server.url) as client:
            durations, cpu = list[float](), list[float]()
            for _ in range(lists + 1):
                began, used = time.perf_counter(), time.process_time()
                found = sum(1 for _ in client.all_banks())
                durations.append(time.perf_counter() - began)
                cpu.append(time.process_time() - used)
                if found != number:
                    raise RuntimeError(f"{found} banks are listed, not {number}")
    durations, cpu = durations[1:], cpu[1:]  # the first call prepares statements
    return ListedBanks(number, lists, round(median(durations), 3), round(max(durations), 3), round(median(cpu), 3))


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banks", type=at_least(1), default=1_000)
    parser.add_argument("--lists", type=at_least(1), default=5)
    add_json_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure_lists(Path(folder) / "foxing.db", options.banks, options.lists)
    show = write_json if options.as_json else show_fields
    show(asdict(result))


if __name__ == "__main__":
    main()
