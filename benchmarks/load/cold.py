"""Recalls that decode all pages, while one client stores."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .banks import make_cold_banks
from .client import Outcome, Task, run_client
from .processes import Service, checked, client

PAUSE_S = 0.02  # between two requests of the storing client


@dataclass(frozen=True)
class Cold:
    """Latencies in ms as measured by clients."""

    recalls: int
    #: messages read by each recall, none of them cached or kept as text
    messages: int
    recall_p50_ms: float
    recall_max_ms: float
    #: stores during the recalls
    stores: int
    store_p50_ms: float
    store_p99_ms: float
    store_max_ms: float
    errors: list[str]


def measure_cold(folder: Path, recalls: int = 16, messages: int = 500) -> Cold:
    """Recalls all `messages` messages of `recalls` banks concurrently. Returns the latencies. Raises `RuntimeError` if
    a recall reads fewer messages."""
    banks = make_cold_banks(folder, recalls, messages)
    with Service(folder) as service, ThreadPoolExecutor(recalls + 1) as pool:
        url = service.url()
        with client(url) as first:  # creates the bank and connects
            checked(first.get("/readyz"))
            checked(first.post("/v1/banks/stores/messages", json={"messages": [{"role": "user", "content": "first"}]}))
        done = threading.Event()
        stores = pool.submit(run_client, Task(url, "store", "stores", 1, 600, PAUSE_S), 0, done)
        try:
            times_ms = list(pool.map(lambda bank: _recall_ms(url, bank, messages), banks))
        finally:
            done.set()
        outcome = stores.result()
    recalled = Outcome(times_ms, [])
    return Cold(
        recalls=recalls,
        messages=messages,
        recall_p50_ms=recalled.quantile(0.5),
        recall_max_ms=recalled.quantile(1),
        stores=len(outcome.times_ms),
        store_p50_ms=outcome.quantile(0.5),
        store_p99_ms=outcome.quantile(0.99),
        store_max_ms=outcome.quantile(1),
        errors=outcome.errors,
    )


def _recall_ms(url: str, bank: str, messages: int) -> float:
    started = time.perf_counter()
    with client(url, timeout_s=600) as connection:
        spans = checked(connection.post(f"/v1/banks/{bank}/recall", json={"limit": messages})).json()["spans"]
    elapsed_ms = (time.perf_counter() - started) * 1e3
    if len(spans) != messages or any(span["source"] != "decoded" for span in spans):
        raise RuntimeError(f"recalled {len(spans)} messages instead of {messages} decoded ones")
    return elapsed_ms
