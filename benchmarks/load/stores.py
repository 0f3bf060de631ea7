"""Clients that store one message a request, as fast as they are answered."""

import time
from dataclasses import dataclass
from pathlib import Path

from .banks import BANK
from .client import Clients, Task
from .processes import Service, checked, client

START_S = 2.0  # until the process of the clients has started
WITHOUT_EMBEDDINGS = {"FOXING_EMBEDDER": "none"}


@dataclass(frozen=True)
class Stores:
    """Times in ms as clients see them."""

    database: str
    clients: int
    seconds: float
    stores: int
    stores_per_s: float
    store_p50_ms: float
    store_p99_ms: float
    store_max_ms: float
    #: of the answers, those whose message is in the bank in the end
    stored: int
    errors: list[str]


def measure_stores(folder: Path, seconds: float, clients: int = 16, database: str | None = None) -> Stores:
    """Serves a new database, or that of the URL `database`, without embeddings; all clients store into one bank."""
    with Service(folder, environment=WITHOUT_EMBEDDINGS, database=database) as service:
        url = service.url()
        with client(url) as connection:  # creates the bank, and loads what the first store needs
            checked(connection.put(f"/v1/banks/{BANK}/policy", json={}))
            before = checked(connection.get(f"/v1/banks/{BANK}")).json()["messages"]
            group = Clients(Task(url, "store", BANK, clients, seconds, pause_s=0, begin_at=time.time() + START_S))
            try:
                outcome = group.outcome()
            finally:
                group.stop()
            held = checked(connection.get(f"/v1/banks/{BANK}")).json()["messages"]
    return Stores(
        database="sqlite" if database is None else database.partition("://")[0],
        clients=clients,
        seconds=seconds,
        stores=len(outcome.times_ms),
        stores_per_s=round(len(outcome.times_ms) / seconds, 1),
        store_p50_ms=outcome.quantile(0.5),
        store_p99_ms=outcome.quantile(0.99),
        store_max_ms=outcome.quantile(1),
        stored=held - before,
        errors=outcome.errors,
    )
