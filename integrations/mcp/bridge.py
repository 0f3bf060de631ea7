"""Bridge from stdin and stdout to the MCP server that a service has, at /x/mcp/<bank>.

The service has loaded everything that a recall needs. A process of its own would take seconds for the same, of which a
host waits for few: this one imports neither the memory nor the `mcp` package, and sends each message on as it is.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Lock, Thread
from time import monotonic, sleep
from typing import IO, Any, TypeAlias
from urllib.parse import quote

from foxing.renderer import TOKEN_HEADER, Announcement

#: Seconds for which a service that has gone is looked for: the next hook starts another, or it restarts.
FOUND_S = 5.0
LOOK_S = 0.2
CONNECT_S = 5.0
ANSWER_S = 120.0
#: Code of an error of the server, of JSON-RPC.
SERVER_ERROR = -32_000
_INITIALIZE = "initialize"


@dataclass(frozen=True)
class ServiceConnection:
    """A connection to a service, for one request."""

    connection: HTTPConnection
    #: Path of the service on its host, without a slash at its end.
    path: str = field(repr=False)
    #: Headers by which the service knows who asks.
    headers: Mapping[str, str] = field(repr=False)


#: Connects to a service. Raises `OSError`.
Connect: TypeAlias = Callable[[], ServiceConnection]


def local(find: Callable[[], Announcement | None]) -> Connect:
    """Returns what connects to a service on this machine. `find`: returns the one that runs."""

    def connect() -> ServiceConnection:
        service = find()
        if service is None:
            raise ConnectionRefusedError("none runs")
        return ServiceConnection(service.http_connection(CONNECT_S, ANSWER_S), "", {TOKEN_HEADER: service.token})

    return connect


class RemoteService:
    """A service at a URL."""

    def __init__(self, url: str, api_key: str | None) -> None:
        """Raises `InvalidInput` for an invalid URL."""
        from foxing.integrations.client.transport import ServiceOptions

        self._options = ServiceOptions(url, api_key)

    def connect(self) -> ServiceConnection:
        """See `Connect`."""
        scheme, host, path = self._options.place
        kind = HTTPSConnection if scheme == "https" else HTTPConnection
        connection = kind(host, timeout=CONNECT_S)
        connection.connect()
        connection.sock.settimeout(ANSWER_S)
        return ServiceConnection(connection, path, self._options.authorization)


class Bridge:
    """Messages of a client, sent to a service and answered."""

    def __init__(self, connect: Connect, bank: str, output: IO[bytes], *, all_tools: bool = False) -> None:
        """`output`: where answers are written, a line each."""
        self._connect = connect
        self._path = f"/x/mcp/{quote(bank, safe='')}{'?tools=all' if all_tools else ''}"
        self._output = output
        self._version = ""
        self._lock = Lock()

    def run(self, lines: Iterator[bytes]) -> None:
        """Sends each line until there are no more, and waits for the answers. A request that takes long delays no
        other, but for the first, which says the version of the protocol."""
        threads: list[Thread] = []
        for line in filter(bytes.strip, lines):
            message = _parsed(line)
            if message.get("method") == _INITIALIZE:
                self._pass_on(line, message)
                continue
            threads = [thread for thread in threads if thread.is_alive()]
            threads.append(Thread(target=self._pass_on, args=(line, message), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _pass_on(self, line: bytes, message: dict[str, Any]) -> None:
        try:
            for answer in self._answers(line, message):
                if message.get("method") == _INITIALIZE:
                    self._version = str(_parsed(answer).get("result", {}).get("protocolVersion", ""))
                self._write(answer)
        except (OSError, HTTPException) as error:
            if "id" in message and "method" in message:
                text = f"the service of Foxing does not answer: {error}"
                if isinstance(error, ConnectionRefusedError):
                    text += "; run: foxing serve"
                failure = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": SERVER_ERROR, "message": text}}
                self._write(json.dumps(failure).encode())

    def _answers(self, line: bytes, message: dict[str, Any]) -> Iterator[bytes]:
        """Yields the messages with which the service answers one. Raises `OSError`, `HTTPException`."""
        link = self._connected()
        try:
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                **link.headers,
                **_protocol_headers(message, self._version),
            }
            link.connection.request("POST", f"{link.path}{self._path}", line, headers)
            yield from _messages(link.connection.getresponse())
        finally:
            link.connection.close()

    def _connected(self) -> ServiceConnection:
        until = monotonic() + FOUND_S
        while True:
            try:
                return self._connect()
            except OSError:
                if monotonic() > until:
                    raise
                sleep(LOOK_S)

    def _write(self, answer: bytes) -> None:
        with self._lock:
            self._output.write(answer.strip() + b"\n")
            self._output.flush()


def _protocol_headers(message: dict[str, Any], version: str) -> dict[str, str]:
    """Returns the headers that the protocol wants over HTTP. `version`: that of the session, if one was begun."""
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    stated = meta.get("io.modelcontextprotocol/protocolVersion") if isinstance(meta, dict) else None
    headers = {"MCP-Protocol-Version": stated if isinstance(stated, str) else version}
    if isinstance(stated, str):
        headers["Mcp-Method"] = str(message.get("method", ""))
        name = params.get("name", params.get("uri"))
        headers["Mcp-Name"] = name if isinstance(name, str) and name.isascii() and name.isprintable() else ""
    return {name: value for name, value in headers.items() if value}


def _messages(response: HTTPResponse) -> Iterator[bytes]:
    """Yields the messages of a response: a body of JSON, or the data of a stream of events."""
    if response.getheader("Content-Type", "").startswith("text/event-stream"):
        for line in response:
            if line.startswith(b"data:") and line[5:].strip():
                yield line[5:]
        return
    body = response.read()
    if response.status >= HTTPStatus.BAD_REQUEST and b'"jsonrpc"' not in body:
        raise HTTPException(_parsed(body).get("detail") or f"status {response.status}")
    if body.strip():
        yield body


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def run(connect: Connect, bank: str, *, all_tools: bool) -> None:
    """Runs a bridge over stdin and stdout until the client closes stdin. `connect`: connects to the service."""
    Bridge(connect, bank, sys.stdout.buffer, all_tools=all_tools).run(iter(sys.stdin.buffer.readline, b""))
