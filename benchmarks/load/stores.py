"""Clients that store as fast as the service responds, with one message per request or several."""

import time
from dataclasses import dataclass
from pathlib import Path

from foxing.memory.storage.database import database_url

from .banks import BANK
from .client import Clients, Outcome, Task
from .processes import Service, checked, client, server_processor_s

START_S = 2.0  # start-up time of the client process
IDLE_WITHIN_S = 30.0
WITHOUT_EMBEDDINGS = {"FOXING_EMBEDDER": "none"}


@dataclass(frozen=True)
class Stores:
    """Latencies in ms as measured by clients."""

    database: str
    clients: int
    messages_per_request: int
    seconds: float
    #: requests
    stores: int
    messages_per_s: float
    store_p50_ms: float
    store_p99_ms: float
    store_max_ms: float
    #: messages that are in the bank in the end and were not before
    stored: int
    #: CPU time per message: of the service, of all PostgreSQL processes, and of the client process
    service_ms_per_message: float
    database_ms_per_message: float | None
    clients_ms_per_message: float
    errors: list[str]


def measure_stores(
    folder: Path, seconds: float, clients: int = 16, database: str | None = None, messages: int = 1
) -> Stores:
    """Serves a new database, or the one at the URL `database`, without embeddings. All clients store into one bank,
    `messages` messages per request. Returns latencies and CPU times."""
    with Service(folder, environment=WITHOUT_EMBEDDINGS, database=database) as service:
        url = service.url()
        with client(url) as connection:  # creates the bank, as warm-up
            checked(connection.put(f"/v1/banks/{BANK}/policy", json={}))
            service.wait_until_idle(IDLE_WITHIN_S)  # the codec is loaded after the start
            before = checked(connection.get(f"/v1/banks/{BANK}")).json()["messages"]
            begin_at = time.time() + START_S
            task = Task(url, "store", BANK, clients, seconds, pause_s=0, begin_at=begin_at, messages=messages)
            group = Clients(task)
            try:
                time.sleep(max(0.0, begin_at - time.time()))
                used = _used(service, database)
                outcome = group.outcome()
                used = [
                    None if since is None or now is None else now - since
                    for since, now in zip(used, _used(service, database), strict=True)
                ]
            finally:
                group.stop()
            held = checked(connection.get(f"/v1/banks/{BANK}")).json()["messages"]
    return _stores(task, database, outcome, held - before, used)


def _used(service: Service, database: str | None) -> list[float | None]:
    """CPU seconds of the service and of the database."""
    return [service.processor_s(), None if database is None else server_processor_s(database)]


def _stores(task: Task, database: str | None, outcome: Outcome, stored: int, used: list[float | None]) -> Stores:
    number = max(1, len(outcome.times_ms) * task.messages)
    service, server, clients = (
        None if seconds is None else round(seconds / number * 1e3, 3) for seconds in (*used, outcome.processor_s)
    )
    return Stores(
        database="sqlite" if database is None else database_url(database).get_backend_name(),
        clients=task.clients,
        messages_per_request=task.messages,
        seconds=task.seconds,
        stores=len(outcome.times_ms),
        messages_per_s=round(len(outcome.times_ms) * task.messages / task.seconds, 1),
        store_p50_ms=outcome.quantile(0.5),
        store_p99_ms=outcome.quantile(0.99),
        store_max_ms=outcome.quantile(1),
        stored=stored,
        service_ms_per_message=service or 0.0,
        database_ms_per_message=server,
        clients_ms_per_message=clients or 0.0,
        errors=outcome.errors,
    )
