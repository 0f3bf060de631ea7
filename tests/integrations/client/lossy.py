"""A server in front of a service, through which some responses never arrive."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class LossyServer:
    """Passes requests on and responses back; what it loses is set by tests."""

    url: str = ""
    #: Requests that it has passed on.
    requests: int = 0
    #: How many of the next responses are lost: the service has answered, and the connection closes instead.
    lose: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lost(self) -> bool:
        with self.lock:
            self.requests += 1
            self.lose -= 1
            return self.lose >= 0


@contextmanager
def lossy_server(service_url: str) -> Iterator[LossyServer]:
    """A running server in front of the service."""
    parts = urlsplit(service_url)
    listener = socket.create_server(("127.0.0.1", 0))
    server = LossyServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                thread = threading.Thread(target=pass_on, args=(client,))
                threads.append(thread)
                thread.start()

    def pass_on(client: socket.socket) -> None:
        """One request on a connection of its own."""
        with client, socket.create_connection((parts.hostname or "", parts.port or 80)) as service:
            service.sendall(_request(client).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            response = b"".join(iter(lambda: service.recv(1 << 16), b""))
            if not server.lost():
                client.sendall(response)

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def _request(client: socket.socket) -> bytes:
    """A whole request."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += client.recv(1 << 16)
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
    while len(body) < length:
        body += client.recv(1 << 16)
    return head + b"\r\n\r\n" + body
