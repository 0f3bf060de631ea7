"""The service that runs on a SQLite database, as commands find it.

A service writes a file beside the database, with its address and a random token. A command that reads sends its request
there, which saves loading the memory. The token shows the service that the sender may read that file, as it may the
database, and in a header of the response it shows the sender that this is not another service on the same port.

Imports little, because commands import it first.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Self

SUFFIX = "-service"  # of the file, after the name of the database
TOKEN_HEADER = "Foxing-Service"
CONNECT_S = 0.5
#: Addresses of all interfaces → the local one.
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
ANSWER_S = 120.0
#: Timeout of reading a file that was sent.
UPLOAD_S = 3600.0


@dataclass(frozen=True)
class RunningService:
    """Address of a service on this machine, and its token."""

    host: str
    port: int
    token: str = field(repr=False)

    @classmethod
    def of(cls, database: Path) -> Self | None:
        """Returns the service of a database; None if there is none. It may have ended without notice."""
        try:
            return cls(**json.loads(_file_of(database).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def post(self, path: str, document: bytes) -> bytes | None:
        """Returns the answer to a JSON document; None if the service does not run any more, is another one, or answers
        with an error, which the command then finds itself."""
        return self._answer("POST", path, document, {"Content-Type": "application/json"}, ANSWER_S)

    def send_file(self, path: str, file: Path) -> bytes | None:
        """Returns the answer to a request with a file as its body, and None as `post` does."""
        try:
            with file.open("rb") as body:
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
                return self._answer("POST", path, body, headers, UPLOAD_S)
        except OSError:
            return None

    def get(self, path: str) -> bytes | None:
        """Returns the answer to a request without a body, and None as `post` does."""
        return self._answer("GET", path, None, {}, ANSWER_S)

    def delete(self, path: str) -> bytes | None:
        """Returns the answer to a request that deletes something, and None as `post` does."""
        return self._answer("DELETE", path, None, {}, ANSWER_S)

    def _answer(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str], timeout_s: float
    ) -> bytes | None:
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self.host, self.port, timeout=CONNECT_S)
        try:
            connection.connect()
            connection.sock.settimeout(timeout_s)
            connection.request(method, path, body, headers | {TOKEN_HEADER: self.token})
            response = connection.getresponse()
            is_this = response.headers.get(TOKEN_HEADER) == self.token
            return response.read() if is_this and response.status == HTTPStatus.OK else None
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


def sqlite_file(given: str | None) -> Path | None:
    """Returns the path of a SQLite database as options and settings give it, by default the file in the user's data
    folder; None for another database."""
    if given is None:
        from platformdirs import user_data_path

        return user_data_path("foxing") / "foxing.db"
    path = given.removeprefix("sqlite:///")
    if "://" in path or "?" in path:
        return None
    return Path(path).expanduser().resolve()


@contextmanager
def announced(database: Path | None, host: str, port: int) -> Iterator[str | None]:
    """Announces a service on a SQLite file for the duration of the block, and yields its token. Does nothing for other
    databases, or where the folder cannot be written. `host`, `port`: where it listens."""
    file = None if database is None else _file_of(database)
    service = RunningService(_EVERY.get(host, host), port, secrets.token_urlsafe(24))
    if file is None or not _written(file, json.dumps(asdict(service))):
        yield None
        return
    try:
        yield service.token
    finally:
        if database is not None and RunningService.of(database) == service:  # not that of a service started later
            with suppress(OSError):
                file.unlink()


def _file_of(database: Path) -> Path:
    return database.with_name(database.name + SUFFIX)


def _written(file: Path, content: str) -> bool:
    """Writes a file that only its owner can read. Returns False if that fails."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(content)
        partial.replace(file)
    except OSError:
        return False
    return True
