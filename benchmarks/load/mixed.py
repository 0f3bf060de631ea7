"""Clients that store and clients that recall, concurrently."""

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from . import texts
from .banks import BANK, make_large_bank
from .client import Clients, Outcome, Task
from .processes import Service, checked, client

DIFFERENT = 2_500  # distinct messages in the bank; more only take longer to encode
START_LIMIT_S = 120.0
START_S = 3.0  # start-up time of the client processes


@dataclass(frozen=True)
class Mixed:
    """Latencies in ms as measured by clients; memory of the service in MiB."""

    #: messages in the bank at the beginning
    messages: int
    #: storing clients; as many recall
    clients: int
    seconds: float
    #: time from the start of the service until its newest pages are cached
    start_s: float
    stores: int
    store_p50_ms: float
    store_p99_ms: float
    store_max_ms: float
    recalls: int
    recall_p50_ms: float
    recall_p99_ms: float
    health_p50_ms: float
    health_p99_ms: float
    errors: list[str]
    #: after warm-up, halfway, and at the end
    memory_mib: tuple[float, float, float]


def measure_mixed(folder: Path, messages: int, seconds: float, clients: int = 25, days: float = 6) -> Mixed:
    """Serves a bank of `messages` sealed messages from the last `days` days, after the service has cached its newest
    pages. Clients store into the same bank, and the scheduler seals their messages as they fill pages. Returns
    latencies and memory."""
    make_large_bank(folder, messages, min(messages, DIFFERENT), days)
    with Service(folder) as service:
        url = service.url()
        start_s = _wait_until_warm(service, url)
        begin_mib = service.memory_mib()
        (stores, recalls, healths), half_mib = _load(service, url, clients, seconds)
        end_mib = service.memory_mib()
    return Mixed(
        messages=messages,
        clients=clients,
        seconds=seconds,
        start_s=start_s,
        stores=len(stores.times_ms),
        store_p50_ms=stores.quantile(0.5),
        store_p99_ms=stores.quantile(0.99),
        store_max_ms=stores.quantile(1),
        recalls=len(recalls.times_ms),
        recall_p50_ms=recalls.quantile(0.5),
        recall_p99_ms=recalls.quantile(0.99),
        health_p50_ms=healths.quantile(0.5),
        health_p99_ms=healths.quantile(0.99),
        errors=[error for outcome in (stores, recalls, healths) for error in outcome.errors],
        memory_mib=(begin_mib, half_mib, end_mib),
    )


def _wait_until_warm(service: Service, url: str) -> float:
    """Waits until index, codec and newest pages are loaded; returns the seconds taken."""
    with client(url) as requests:
        checked(requests.post(f"/v1/banks/{BANK}/recall", json={"query": texts.query(Random())}))
        checked(requests.get("/readyz"))  # loads the codec
        return round(service.wait_until_idle(START_LIMIT_S), 1)


def _load(service: Service, url: str, clients: int, seconds: float) -> tuple[list[Outcome], float]:
    """Outcomes of storing clients, recalling clients and one client of the health check, and memory halfway."""
    begin_at = time.time() + START_S
    groups = [
        Clients(Task(url, "store", BANK, clients, seconds, begin_at=begin_at)),
        Clients(Task(url, "recall", BANK, clients, seconds, begin_at=begin_at)),
        Clients(Task(url, "health", BANK, 1, seconds, begin_at=begin_at)),
    ]
    try:
        time.sleep(START_S + seconds / 2)
        half_mib = service.memory_mib()
        return [group.outcome() for group in groups], half_mib
    finally:
        for group in groups:
            group.stop()
