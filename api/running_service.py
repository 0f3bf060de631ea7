"""The service that runs on a SQLite database, as commands find it.

A service writes an announcement beside the database. A command that reads sends its request there, which saves loading
the memory, once the service has proved that it is the one that wrote the announcement.

Imports little, because commands import it first.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from foxing.renderer import TOKEN_HEADER, Announcement

if TYPE_CHECKING:
    from http.client import HTTPResponse

CONNECT_S = 5.0
#: Addresses of all interfaces → the local one.
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
ANSWER_S = 120.0
#: Timeout of reading a file that was sent.
UPLOAD_S = 3600.0


class ServiceAnswer(NamedTuple):
    """Successful answer of a service."""

    status: int
    body: bytes


@dataclass(frozen=True)
class RunningService:
    """A service on this machine."""

    announcement: Announcement

    @classmethod
    def of(cls, database: Path) -> Self | None:
        """Returns the service of a database; None if there is none. It may have ended without notice."""
        announcement = Announcement.of(database)
        return None if announcement is None else cls(announcement)

    @property
    def url(self) -> str:
        """Base URL of the service."""
        return f"http://{self.announcement.authority}"

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

    def call(self, method: str, path: str, options: Mapping[str, Any] | None) -> ServiceAnswer | None:
        """Returns the answer to a call with these options as its body, also that it goes on as a job; None as `post`
        does."""
        body = None if options is None else json.dumps(options).encode()
        headers = {} if options is None else {"Content-Type": "application/json"}
        answered = self._response(method, path, body, headers, ANSWER_S)
        if answered is None or answered[0].status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return None
        return ServiceAnswer(answered[0].status, answered[1])

    def version(self) -> str:
        """Returns the version that the service states, for people."""

        from foxing.memory.problems import VERSION_HEADER

        answered = self._response("GET", "/healthz", None, {}, ANSWER_S)
        stated = None if answered is None else answered[0].headers[VERSION_HEADER]
        return "a version that it does not state" if stated is None else f"version {stated}"

    def _answer(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str], timeout_s: float
    ) -> bytes | None:
        answered = self._response(method, path, body, headers, timeout_s)
        return answered[1] if answered is not None and answered[0].status == HTTPStatus.OK else None

    def _response(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: dict[str, str], timeout_s: float
    ) -> "tuple[HTTPResponse, bytes] | None":
        """Returns the response to a request and its body; None if the service does not run any more, is another one, or
        ends before it has answered."""
        from http.client import HTTPException

        try:
            connection = self.announcement.http_connection(CONNECT_S, timeout_s)
        except OSError:
            return None
        try:
            connection.request(method, path, body, headers | {TOKEN_HEADER: self.announcement.token})
            response = connection.getresponse()
            return response, response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


def sqlite_file(url: str | None) -> Path | None:
    """Returns the path of a SQLite database as options and settings give it, by default the file in the user's data
    folder; None for another database."""
    if url is None:
        from platformdirs import user_data_path

        return user_data_path("foxing") / "foxing.db"
    path = url.removeprefix("sqlite:///")
    if "://" in path or "?" in path or path in ("", ":memory:"):
        return None
    return Path(path).expanduser().resolve()


@contextmanager
def announced(database: Path | None, host: str, port: int) -> Iterator[str | None]:
    """Announces a service on a SQLite file for the duration of the block, and yields its token. Does nothing for other
    databases, or where the folder cannot be written. `host`, `port`: where it listens."""
    service = Announcement.of_this_process(_EVERY.get(host, host), port, secrets.token_urlsafe(24))
    if database is None or not service.write(database):
        yield None
        return
    try:
        yield service.token
    finally:
        service.remove(database)
