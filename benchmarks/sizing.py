"""Measures the CPU time of each step of the service, and computes from it what a load needs.

python -m benchmarks.sizing --pages 40 --json

CPU time is measured, which other programs on the machine change less than durations.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.bank import age_to
from benchmarks.command_line import command, measuring, write_result
from benchmarks.load import texts
from benchmarks.load.banks import BANK, open_database, store_messages
from benchmarks.load.client import Task
from benchmarks.load.processes import Service, checked, client
from benchmarks.load.scaling import IDLE_WITHIN_S, measured
from foxing.memory import Memory

CALLERS = 25
#: About as many messages of 200 characters as a full page holds.
MESSAGES_PER_PAGE = 59
TIERS = ("small", "tiny", "micro")
#: Days that a message spends at each tier in the first three years, by the default policy.
DAYS_AT = {"base": 7, "small": 23, "tiny": 335, "micro": 730}
LOADS = (100_000, 10_000_000, 1_000_000_000)  # messages a day

DAY_S = 86_400
PEAK = 3.0  # load for which the service is sized, beside the mean
BUSY = 0.6  # share of a core that is used
MESSAGES_PER_RECALL = 5
COPIES = 3
HOURS_A_MONTH = 730
CORE_HOUR = 0.04  # dollars
GB_MONTH = 0.10  # dollars
#: CPU time of PostgreSQL for a store, from the log of experiments.
POSTGRESQL_STORE_MS = 0.36


@dataclass(frozen=True)
class StepCost:
    """CPU time of a step in ms, for each page or call."""

    step: str
    cpu_ms: float
    #: How many a CPU second does.
    per_cpu_s: float
    number: int


@dataclass(frozen=True)
class TierBytes:
    """Bytes of the database for each message, all of whose pages are at a tier, with index and embeddings."""

    tier: str
    bytes_per_message: float


@dataclass(frozen=True)
class CallRate:
    """A load on a service of one process, its clients in another process of the same machine."""

    call: str
    callers: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Costs:
    """Costs of each step with the default codec and embedder, on SQLite."""

    processor: str
    cores: int
    #: load of the machine over the last minute, before and after; 0 if it was idle
    load: tuple[float, float]
    messages: int
    messages_per_page: float
    steps: list[StepCost]
    tiers: list[TierBytes]
    calls: list[CallRate]
    errors: list[str]


def measure_costs(folder: Path, pages: int, seconds: float) -> Costs:
    """Seals about `pages` full pages and ages them tier by tier; then serves a bank of as many messages, with `CALLERS`
    that recall, and store, for `seconds` each."""
    before = _load()
    messages = pages * MESSAGES_PER_PAGE
    steps: list[StepCost] = []
    tiers: list[TierBytes] = []
    with open_database(folder) as memory:
        _warm_up(memory)
        store_messages(memory, messages, timedelta(days=6), timedelta(minutes=1))
        sealed = _cpu_s(lambda: memory.seal(BANK))
        number = memory.bank(BANK).pages
        steps.append(_step("seal a page", sealed, number))
        tiers.append(TierBytes("base", memory.bank(BANK).bytes.total / messages))
        for tier in TIERS:
            aged = _cpu_s(partial(age_to, memory, BANK, tier))
            steps.append(_step(f"age a page to `{tier}`", aged, number))
            tiers.append(TierBytes(tier, memory.bank(BANK).bytes.total / messages))
    calls, errors = _calls(folder, seconds)
    return Costs(
        processor=processor_name(),
        cores=os.cpu_count() or 1,
        load=(before, _load()),
        messages=messages,
        messages_per_page=messages / number,
        steps=steps,
        tiers=tiers,
        calls=calls,
        errors=errors,
    )


def _warm_up(memory: Memory) -> None:
    """Loads codec and embedder, in a bank of its own."""
    memory.store("warm", [{"role": "user", "content": texts.message(Random(1))}])
    memory.seal("warm")
    memory.recall("warm", "warm")
    memory.erase_bank("warm")


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _step(step: str, cpu_s: float, number: int) -> StepCost:
    return StepCost(step, round(cpu_s / number * 1e3, 1), round(number / cpu_s, 2), number)


def _calls(folder: Path, seconds: float) -> tuple[list[CallRate], list[str]]:
    rates: list[CallRate] = []
    errors: list[str] = []
    with Service(folder, environment={"FOXING_AGEING_ENABLED": "false"}) as service:
        url = service.url()
        with client(url) as connection:
            for _ in range(4):
                checked(connection.post(f"/v1/banks/{BANK}/recall", json={"query": texts.query(Random())}))
            for number in range(CALLERS):
                checked(connection.put(f"/v1/banks/stores-{number}/policy", json={}))
        service.wait_until_idle(IDLE_WITHIN_S)
        tasks = {
            "recall": Task(url, "recall", BANK, CALLERS, seconds, pause_s=0),
            "store": Task(url, "store", "stores", CALLERS, seconds, pause_s=0, banks=CALLERS),
        }
        for call, task in tasks.items():
            load = measured(service, task)
            outcome = load.outcome
            errors += outcome.errors[:3]
            rates.append(
                CallRate(
                    call,
                    CALLERS,
                    round(load.number / seconds, 1),
                    outcome.quantile(0.5),
                    outcome.quantile(0.99),
                    load.cpu_ms,
                )
            )
        service.terminate()
    return rates, errors


def processor_name() -> str:
    """Returns the name of the processor, or else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def sizing(costs: dict[str, Any], loads: Iterable[int] = LOADS) -> list[dict[str, Any]]:
    """Returns what each load needs, in messages a day, at the measured costs (`asdict(Costs)`)."""
    cpu_s = {row["step"]: row["cpu_ms"] / 1e3 for row in costs["steps"]}
    call_s = {row["call"]: row["cpu_ms"] / 1e3 for row in costs["calls"]}
    size = {row["tier"]: row["bytes_per_message"] for row in costs["tiers"]}
    byte_days = sum(size[tier] * days for tier, days in DAYS_AT.items())
    rows = []
    for messages in loads:
        per_s = messages / DAY_S
        pages = per_s / costs["messages_per_page"]
        stores = per_s * PEAK * call_s["store"] / BUSY
        recalls = per_s / MESSAGES_PER_RECALL * PEAK * call_s["recall"] / BUSY
        database = per_s * PEAK * POSTGRESQL_STORE_MS / 1e3 / BUSY
        workers = pages * sum(cpu_s.values()) / BUSY
        terabytes = messages * byte_days * COPIES / 1e12
        dollars = (stores + recalls + database + workers) * CORE_HOUR * HOURS_A_MONTH + terabytes * 1e3 * GB_MONTH
        rows.append(
            {
                "messages": messages,
                "store_cores": stores,
                "recall_cores": recalls,
                "database_cores": database,
                "worker_cores": workers,
                "terabytes": terabytes,
                "dollars": dollars,
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = command(
        "sizing",
        "Measure the CPU time of sealing, ageing, storing and recalling on a new SQLite database: the inputs of "
        "docs/explanation/scale.md.",
        ("pages", 1, 40, "Full pages"),
        ("seconds", 1, 20, "Duration of each load in seconds"),
    ).parse_args(arguments)
    with measuring("sizing") as (folder, _):
        costs = measure_costs(folder, options.pages, options.seconds)
    write_result(options, costs)
    if not options.as_json:
        for row in sizing(asdict(costs)):
            print(row)


if __name__ == "__main__":
    main()
