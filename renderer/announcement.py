"""Announcement of the service that runs on a SQLite file: a file beside it, with its address and a token.

Only the owner of the file can read it, so the token shows the service that a sender may read the database, and the
service shows a sender, before it is sent anything, that it knows the token: on each connection it is given a nonce, and
answers with a keyed digest of it. A service that was killed leaves its file behind, and then any program may listen at
its address. Everything that looks for a service does it here.

Imports almost nothing, because the client of hooks imports it in each process.
"""

import os
import time

from .private_files import OTHERS, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from http.client import HTTPConnection

#: After the path of the database.
SUFFIX = "-service"
#: Header of a request with the token.
TOKEN_HEADER = "Foxing-Service"
#: Header of a request with a nonce, and that of the response with the proof.
CHALLENGE_HEADER = "Foxing-Challenge"
PROOF_HEADER = "Foxing-Proof"
#: What is asked with a nonce: a path that needs no key and answers at once, however busy the service is.
_PATH = "/healthz"
_MOST_NONCE_CHARS = 128
#: Maximum size of the answer of an unknown program.
_MOST_BYTES = 1 << 16


class AnotherService(OSError):
    """Another program listens at the address of a service."""


class Announcement:
    """Address of a service, its token, and its process."""

    __slots__ = ("host", "pid", "port", "started", "token")

    def __init__(self, host: str, port: int, token: str, pid: int, started: str) -> None:
        self.host = host
        self.port = port
        self.token = token
        #: process of the service, and when it started as the system counts; empty where that is unknown
        self.pid = pid
        self.started = started

    @classmethod
    def of_this_process(cls, host: str, port: int, token: str) -> "Announcement":
        """Returns the announcement of a service in this process."""
        return cls(host, port, token, os.getpid(), _started(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> "Announcement":
        """Returns the announcement that a file holds: a JSON object of plain names and numbers. To load the parser of
        JSON would take the client of hooks as long as the rest. Raises `ValueError` or `KeyError`."""
        members = (member.split(":", 1) for member in text.strip().strip("{}").split(","))
        values = {name.strip(' "'): value.strip(' "') for name, value in members}
        if not values["token"]:
            raise ValueError("an announcement needs a token")
        return cls(values["host"], int(values["port"]), values["token"], int(values["pid"]), values["started"])

    @classmethod
    def of(cls, database: "str | os.PathLike[str]") -> "Announcement | None":
        """Returns the announcement of the service that runs on a database; None if none runs, or if not this account
        has started it."""
        try:
            with open(os.fspath(database) + SUFFIX, encoding="utf-8") as file:
                status = os.fstat(file.fileno())
                if os.name == "posix" and (status.st_uid != os.geteuid() or status.st_mode & OTHERS):
                    return None
                announcement = cls.parse(file.read(_MOST_BYTES))
        except (OSError, ValueError, KeyError):
            return None
        return announcement if announcement.runs() else None

    def write(self, database: "str | os.PathLike[str]") -> bool:
        """Writes the file beside a database, and returns whether it could."""
        text = ", ".join(f'"{name}": "{getattr(self, name)}"' for name in self.__slots__)
        try:
            write(os.fspath(database) + SUFFIX, f"{{{text}}}\n".encode())
        except OSError:
            return False
        return True

    def remove(self, database: "str | os.PathLike[str]") -> None:
        """Removes the file beside a database, unless it is that of a service that was started later."""
        path = os.fspath(database) + SUFFIX
        try:
            with open(path, encoding="utf-8") as file:
                own = self.parse(file.read(_MOST_BYTES)).token == self.token
            if own:
                os.unlink(path)
        except (OSError, ValueError, KeyError):
            return

    def runs(self) -> bool:
        """Returns whether the process still runs, and is of this account. On Windows only the proof shows it."""
        if os.name != "posix":
            return True
        try:
            if self.started:
                return _started(self.pid) == self.started and os.stat(f"/proc/{self.pid}").st_uid == os.geteuid()
            os.kill(self.pid, 0)
        except (OSError, OverflowError):
            return False
        return True

    @property
    def authority(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connect(self, deadline: float) -> "Socket":
        """Returns a connection to the service, which has proved on it that it is this one. `deadline`: on the monotonic
        clock. Raises `TimeoutError`, `AnotherService`, and `OSError` if nothing listens."""
        # `socket` loads enumerations and selectors, a quarter of the time of the client of hooks
        from _socket import AF_INET, AF_INET6, SOCK_STREAM, socket

        connection = socket(AF_INET6 if ":" in self.host else AF_INET, SOCK_STREAM)
        try:
            connection.settimeout(seconds_left(deadline))
            connection.connect((self.host, self.port))
            self._verify(connection, deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    def http_connection(self, verify_s: float, timeout_s: float) -> "HTTPConnection":
        """Returns an HTTP connection to the service, which has proved within `verify_s` seconds that it is this one. It
        is for one request, and does not connect again. `timeout_s`: of the request. Raises `OSError`."""
        from http.client import HTTPConnection
        from socket import socket

        verified = self.connect(time.monotonic() + verify_s)
        connection = HTTPConnection(self.host, self.port)
        connection.auto_open = 0
        connection.sock = socket(fileno=verified.detach())
        connection.sock.settimeout(timeout_s)
        return connection

    def _verify(self, connection: "Socket", deadline: float) -> None:
        from _operator import _compare_digest as equal  # without timing; `hmac` takes longer to load than the rest

        nonce = os.urandom(16).hex()
        head = f"GET {_PATH} HTTP/1.1\r\nHost: {self.authority}\r\n{CHALLENGE_HEADER}: {nonce}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        end = -1
        while end < 0 or len(received) < end:
            connection.settimeout(seconds_left(deadline))
            part = connection.recv(1 << 14)
            received += part
            if not part or len(received) > _MOST_BYTES:
                raise AnotherService(f"no service of Foxing answers at {self.authority}")
            if end < 0 and b"\r\n\r\n" in received:
                fields = fields_of(received.partition(b"\r\n\r\n")[0])
                end = received.index(b"\r\n\r\n") + 4 + _length(fields)
        if len(received) > end or not equal(fields.get(PROOF_HEADER.lower(), "").encode(), proof(self.token, nonce)):
            raise AnotherService(f"another program answers at {self.authority}")


def proof(token: str, nonce: str) -> bytes:
    """Returns the keyed digest, in hexadecimal digits, by which a service shows that it knows the token."""
    try:
        from _blake2 import blake2b  # `hashlib` loads OpenSSL, which takes as long as the client of hooks
    except ImportError:
        from hashlib import blake2b
    digest = blake2b(nonce.encode(), key=token.encode(), digest_size=32, person=b"foxing-service")
    return digest.hexdigest().encode()


def proof_for(token: str, nonce: str) -> str | None:
    """Returns what a service answers to a nonce; None to one that is too long, or not plain."""
    if not 0 < len(nonce) <= _MOST_NONCE_CHARS or not nonce.isascii():
        return None
    return proof(token, nonce).decode()


def fields_of(head: bytes) -> dict[str, str]:
    """Returns the headers of a response, by their names in lower case."""
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def seconds_left(deadline: float) -> float:
    """Returns the seconds until a deadline on the monotonic clock. Raises `TimeoutError` if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _length(fields: dict[str, str]) -> int:
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 6):
        raise AnotherService("a service of Foxing gives the length of its answer")
    return int(length)


def _started(pid: int) -> str:
    """Returns when a process started, in ticks since the system did; empty where that cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError, ValueError):
        return ""
