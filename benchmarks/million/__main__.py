"""Measures recall in a bank of a million messages with embeddings, over HTTP, on SQLite and PostgreSQL.

python -m benchmarks.million --json
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median, quantiles

import httpx

from benchmarks.command_line import Advance, command, measuring, write_result
from benchmarks.load import texts
from benchmarks.load.banks import BANK, make_large_bank, open_database
from benchmarks.load.processes import Service, checked, client
from benchmarks.postgresql import PostgresServer

DATABASES = ("sqlite", "postgresql")
#: Pages are not read in advance, so that the first read of a page is cold.
ENVIRONMENT = {"FOXING_WARM_CACHE": "false", "FOXING_AGEING_ENABLED": "false"}


@dataclass(frozen=True)
class MillionRow:
    """Latencies in ms as measured by a client that asks each question twice; memory of the service in MiB."""

    database: str
    messages: int
    #: distinct messages; the rest are copies under other ids
    different: int
    pages: int
    #: first answer, which loads the index
    first_ms: float
    #: first time, with pages that are not cached
    cold_p50_ms: float
    cold_p95_ms: float
    #: second time
    warm_p50_ms: float
    warm_p95_ms: float
    memory_mib: float


def measure(
    folder: Path, database: str, sizes: tuple[int, int, float], questions: int, progress: Advance
) -> MillionRow:
    """Returns the latencies on one database. `sizes`: messages, distinct messages, and days that they span."""
    messages, different, days = sizes
    with _place(folder, database) as url:
        make_large_bank(folder, messages, different, days, database=url)
        with open_database(folder, url) as memory:
            bank = memory.bank(BANK)
        with Service(folder, environment=ENVIRONMENT, database=url) as service, client(service.url()) as requests:
            checked(requests.get("/readyz"))
            first = _recall_ms(requests, texts.query(Random("first")))
            random, times = Random("questions"), dict[str, list[float]](cold=[], warm=[])
            for number in range(questions):
                question = texts.query(random)
                for kind in times:
                    times[kind].append(_recall_ms(requests, question))
                progress(number + 1, questions)
            memory_mib = service.memory_mib()
    p50 = {kind: round(median(found), 1) for kind, found in times.items()}
    p95 = {kind: round(quantiles(found, n=20)[18], 1) for kind, found in times.items()}
    return MillionRow(
        database=database,
        messages=bank.messages,
        different=different,
        pages=bank.pages,
        first_ms=round(first, 1),
        cold_p50_ms=p50["cold"],
        cold_p95_ms=p95["cold"],
        warm_p50_ms=p50["warm"],
        warm_p95_ms=p95["warm"],
        memory_mib=memory_mib,
    )


@contextmanager
def _place(folder: Path, database: str) -> Iterator[str | None]:
    """The URL of a new database; None for the file in the folder."""
    if database == "sqlite":
        yield None
        return
    folder.chmod(0o755)  # if this process runs as root, the server runs as another user
    with PostgresServer(folder) as server:
        yield server.url


def _recall_ms(requests: httpx.Client, question: str) -> float:
    started = time.perf_counter()
    answer = checked(requests.post(f"/v1/banks/{BANK}/recall", json={"query": question}))
    elapsed_ms = (time.perf_counter() - started) * 1e3
    if not answer.json()["spans"]:
        raise RuntimeError(f"nothing was found for {question!r}")
    return elapsed_ms


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command(
        "million",
        __doc__.splitlines()[0],
        ("messages", 1, 1_000_000, "Messages in the bank"),
        ("different", 1, 25_000, "Distinct messages"),
        ("days", 1, 300, "Days that the messages span"),
        ("questions", 2, 100, "Questions"),
    )
    parser.add_argument("--only", choices=DATABASES, action="append", help="Only this database; can be repeated.")
    options = parser.parse_args(arguments)
    rows = []
    for database in options.only or DATABASES:
        with measuring(database) as (folder, progress):
            sizes = (options.messages, options.different, float(options.days))
            rows.append(measure(folder, database, sizes, options.questions, progress))
    write_result(options, rows, "million")


if __name__ == "__main__":
    main()
