"""Recalls and stores of a service of several processes, beside those of one process."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.command_line import Advance
from foxing.memory.storage.database import database_url

from . import texts
from .banks import BANK, make_large_bank
from .client import Clients, Outcome, Task
from .processes import Service, checked, client

START_S = 2.0  # start-up time of the client process
IDLE_WITHIN_S = 30.0
MESSAGES = 600  # in the bank that is searched
DAYS = 6.0
CALLERS = {"recalls": 50, "stores_one_bank": 16, "stores_fifty_banks": 50}
BANKS = 50
#: Without ageing and embeddings, which would go on while the next load is measured.
STORING = {"FOXING_EMBEDDER": "none", "FOXING_AGEING_ENABLED": "false"}
RECALLING = {"FOXING_AGEING_ENABLED": "false", "FOXING_RECALL_WEIGHTS": "false"}


@dataclass(frozen=True)
class LoadPair:
    """A load on one process and on several, in one pair of runs."""

    load: str
    callers: int
    #: requests a second, of one process and of several
    one: float
    several: float
    ratio: float
    one_p99_ms: float
    several_p99_ms: float
    #: CPU time of the service for each request, in ms, which other programs on the machine change less
    one_cpu_ms: float
    several_cpu_ms: float


@dataclass(frozen=True)
class Scaling:
    """Loads on a service of one process and of several, each in alternating order."""

    database: str
    processes: int
    seconds: float
    #: medians of the ratios of all pairs
    recalls: float
    stores_one_bank: float
    stores_fifty_banks: float
    #: memory of all processes after the recalls, shared memory counted once, in MiB
    one_mib: float
    several_mib: float
    pairs: list[LoadPair]
    errors: list[str]


def measure_scaling(
    folder: Path,
    processes: int,
    pairs: int,
    seconds: float,
    database: str | None = None,
    advance: Advance | None = None,
) -> Scaling:
    """Measures each load on one process and on `processes`, `pairs` times, for `seconds` each, on a new database or at
    the URL `database`."""
    make_large_bank(folder, MESSAGES, MESSAGES, DAYS, database=database)
    rows: list[LoadPair] = []
    errors: list[str] = []
    memory: dict[int, list[float]] = {1: [], processes: []}
    for number in range(pairs):
        outcomes: dict[int, dict[str, Measured]] = {}
        for count in (1, processes) if number % 2 == 0 else (processes, 1):
            outcomes[count], mib = _run(folder, count, seconds, database)
            memory[count].append(mib)
        for load, callers in CALLERS.items():
            one, several = (outcomes[count][load] for count in (1, processes))
            errors += one.outcome.errors[:3] + several.outcome.errors[:3]
            rows.append(_pair(load, callers, one, several, seconds))
        if advance is not None:
            advance(number + 1, pairs)
    ratios = {load: median(row.ratio for row in rows if row.load == load) for load in CALLERS}
    return Scaling(
        database="sqlite" if database is None else database_url(database).get_backend_name(),
        processes=processes,
        seconds=seconds,
        **ratios,
        one_mib=median(memory[1]),
        several_mib=median(memory[processes]),
        pairs=rows,
        errors=errors,
    )


@dataclass(frozen=True)
class Measured:
    """Outcome of a load, and CPU seconds of the service."""

    outcome: Outcome
    cpu_s: float

    @property
    def number(self) -> int:
        """Number of successful requests."""
        return len(self.outcome.times_ms)

    @property
    def cpu_ms(self) -> float:
        """CPU time of the service for each request, in ms."""
        return round(self.cpu_s / max(1, self.number) * 1e3, 2)


def _pair(load: str, callers: int, one: Measured, several: Measured, seconds: float) -> LoadPair:
    rates = [measured.number / seconds for measured in (one, several)]
    return LoadPair(
        load=load,
        callers=callers,
        one=round(rates[0], 1),
        several=round(rates[1], 1),
        ratio=round(rates[1] / rates[0], 3) if rates[0] else 0.0,
        one_p99_ms=one.outcome.quantile(0.99),
        several_p99_ms=several.outcome.quantile(0.99),
        one_cpu_ms=one.cpu_ms,
        several_cpu_ms=several.cpu_ms,
    )


def _run(folder: Path, processes: int, seconds: float, database: str | None) -> tuple[dict[str, Measured], float]:
    """Outcomes of all loads on a service of so many processes, and its memory in MiB."""
    outcomes: dict[str, Measured] = {}
    with _service(folder, processes, RECALLING, database) as service:
        url = service.url()
        with client(url) as connection:
            for _ in range(4 * processes):  # whichever process answers
                connection.post(f"/v1/banks/{BANK}/recall", json={"query": texts.query(Random())})
                checked(connection.get("/readyz", headers={"Connection": "close"}))
        service.wait_until_idle(IDLE_WITHIN_S)
        recalls = Task(url, "recall", BANK, CALLERS["recalls"], seconds, pause_s=0)
        outcomes["recalls"] = measured(service, recalls)
        mib = service.tree_mib()
        service.terminate()
    with _service(folder, processes, STORING, database) as service:
        url = service.url()
        with client(url) as connection:
            for number in range(BANKS):
                checked(connection.put(f"/v1/banks/stores-{number}/policy", json={}))
            checked(connection.put("/v1/banks/stores/policy", json={}))
        service.wait_until_idle(IDLE_WITHIN_S)
        one_bank = Task(url, "store", "stores", CALLERS["stores_one_bank"], seconds, pause_s=0)
        outcomes["stores_one_bank"] = measured(service, one_bank)
        fifty = Task(url, "store", "stores", CALLERS["stores_fifty_banks"], seconds, pause_s=0, banks=BANKS)
        outcomes["stores_fifty_banks"] = measured(service, fifty)
        service.terminate()
    return outcomes, mib


def _service(folder: Path, processes: int, environment: Mapping[str, str], database: str | None) -> Service:
    return Service(folder, environment=environment, database=database, processes=processes)


def measured(service: Service, task: Task) -> Measured:
    """Runs clients against a service and returns their outcome."""
    begin_at = time.time() + START_S
    group = Clients(replace(task, begin_at=begin_at))
    try:
        time.sleep(max(0.0, begin_at - time.time()))
        before = service.tree_processor_s()
        outcome = group.outcome()
        return Measured(outcome, service.tree_processor_s() - before)
    finally:
        group.stop()
