"""Bridge from stdin and stdout to the MCP server that a running service has, at /x/mcp/<bank>.

The service has loaded everything that a recall needs. A process of its own would take seconds for the same, of which a
host waits for few: this one imports neither the memory nor the `mcp` package, and sends each message on as it is.
"""

import json
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from threading import Lock, Thread
from time import monotonic, sleep
from typing import IO, Any
from urllib.parse import quote

from foxing.renderer.announcement import TOKEN_HEADER, Announcement

#: Seconds for which a service that has gone is looked for: the next hook starts another.
FOUND_S = 5.0
LOOK_S = 0.2
CONNECT_S, ANSWER_S = 5.0, 120.0
#: Code of an error of the server, of JSON-RPC.
SERVER_ERROR = -32_000
_INITIALIZE = "initialize"


class Bridge:
    """Messages of a client, sent to a service and answered."""

    def __init__(
        self, find: Callable[[], Announcement | None], bank: str, output: IO[bytes], *, all_tools: bool = False
    ) -> None:
        """`find`: returns the service that runs; `output`: where answers are written, a line each."""
        self._find = find
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
                text = f"the service of Foxing cannot be reached: {error}; run: foxing serve"
                failure = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": SERVER_ERROR, "message": text}}
                self._write(json.dumps(failure).encode())

    def _answers(self, line: bytes, message: dict[str, Any]) -> Iterator[bytes]:
        """Yields the messages with which the service answers one. Raises `OSError`, `HTTPException`."""
        service = self._service()
        connection = service.http_connection(CONNECT_S, ANSWER_S)
        try:
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                TOKEN_HEADER: service.token,
                **_protocol_headers(message, self._version),
            }
            connection.request("POST", self._path, line, headers)
            yield from _messages(connection.getresponse())
        finally:
            connection.close()

    def _service(self) -> Announcement:
        until = monotonic() + FOUND_S
        while (service := self._find()) is None:
            if monotonic() > until:
                raise ConnectionRefusedError("none runs")
            sleep(LOOK_S)
        return service

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
        raise HTTPException(f"status {response.status}")
    if body.strip():
        yield body


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def run(find: Callable[[], Announcement | None], bank: str, *, all_tools: bool) -> None:
    """Runs a bridge over stdin and stdout until the client closes stdin."""
    Bridge(find, bank, sys.stdout.buffer, all_tools=all_tools).run(iter(sys.stdin.buffer.readline, b""))
