"""Connections that send nothing or half a request."""

import resource
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from .client import Outcome
from .processes import Service, checked, client

HALF = b"POST /v1/banks/stores/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SENT = (b"", HALF, HALF + b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"messages": [')
SPARE = 200  # file descriptors of this process beyond the connections
STORES = 50


@dataclass(frozen=True)
class Connections:
    """Results of a service with many open connections."""

    #: a third of them idle, a third with half a header, a third with half a body
    connections: int
    #: limit of file descriptors of the service
    descriptors: int
    #: stores sent, each on a new connection, and stores answered
    stores: int
    stored: int
    store_p50_ms: float
    store_max_ms: float
    errors: list[str]
    log_bytes: int


def measure_connections(folder: Path, connections: int = 2_000, descriptors: int = 1_024) -> Connections:
    """Opens the connections, then stores. Returns the results. Raises `ValueError` if this process may not open as many
    files."""
    _allow_descriptors(connections + SPARE)
    with Service(folder, descriptors=descriptors) as service, ExitStack() as stack:
        url = service.url()
        address = urlsplit(url)
        for number in range(connections):
            place = (address.hostname or "", address.port or 0)
            connection = stack.enter_context(socket.create_connection(place, timeout=60))
            connection.sendall(SENT[number % len(SENT)])
        outcome = _store(url)
        log_bytes = service.log_path.stat().st_size
    return Connections(
        connections=connections,
        descriptors=descriptors,
        stores=STORES,
        stored=len(outcome.times_ms),
        store_p50_ms=outcome.quantile(0.5),
        store_max_ms=outcome.quantile(1),
        errors=outcome.errors,
        log_bytes=log_bytes,
    )


def _allow_descriptors(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise ValueError(f"{number} file descriptors are needed; raise the hard limit of open files from {hard}")
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def _store(url: str) -> Outcome:
    outcome = Outcome([], [])
    for number in range(STORES):
        started = time.perf_counter()
        body = {"messages": [{"role": "user", "content": f"Message {number} of a served client"}]}
        try:
            with client(url, timeout_s=60) as connection:
                checked(connection.post("/v1/banks/stores/messages", json=body))
        except (httpx.HTTPError, RuntimeError) as error:
            outcome.errors.append(repr(error))
        else:
            outcome.times_ms.append((time.perf_counter() - started) * 1e3)
    return outcome
