"""HTTP/1.1 on a socket: exact bytes in, exact bytes out, and connections that break where a script says."""

import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Bodies are read up to this size; beyond it a request is too large for every provider.
MAX_BODY_BYTES = 600 << 20


@dataclass
class Sent:
    """A response as it goes over the wire."""

    status: int
    headers: dict[str, str] = field(repr=False)
    #: The body, or the frames of a stream.
    frames: list[bytes]
    stream: bool = False
    #: The connection closes after the frames, without the end of the stream.
    cut: bool = False
    #: The connection closes after so many bytes of a body whose length promises more.
    cut_after_bytes: int | None = None
    #: The connection closes without a response.
    drop: bool = False
    delay_s: float = 0.0
    pause_s: float = 0.0
    #: An event of a test that is awaited before the frame `hold_before`, 0 being the status line.
    hold: threading.Event | None = None
    hold_before: int = 0
    #: Bytes of the body that were handed to the connection so far.
    written: bytearray = field(default_factory=bytearray)
    #: Called when the response is sent or given up.
    finished: Callable[[], None] = lambda: None


#: (method, path, headers, body, whether the body was too large to read) → response.
Respond = Callable[[str, str, Mapping[str, str], bytes, bool], Sent]


class Server:
    """A threaded server on loopback."""

    def __init__(self, respond: Respond, host: str, port: int) -> None:
        self._http = _Listener((host, port), _handler(respond))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Starts accepting connections."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stops, and closes all connections."""
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._thread = None
        self._http.server_close()
        self._http.close_connections()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores connections that a client closed; prints other errors."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _handler(respond: Respond) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self._body(headers)
            too_large = body is None
            sent = respond(self.command, self.path, headers, body or b"", too_large)
            try:
                if too_large:
                    self.close_connection = True
                self._send(sent)
            except OSError:
                self.close_connection = True  # the client is gone
            finally:
                sent.finished()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

        def _body(self, headers: Mapping[str, str]) -> bytes | None:
            if headers.get("expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if "chunked" in headers.get("transfer-encoding", "").lower():
                return self._chunks()
            length = int(headers.get("content-length") or 0)
            return self.rfile.read(length) if length <= MAX_BODY_BYTES else None

        def _chunks(self) -> bytes | None:
            parts: list[bytes] = []
            size = 0
            while True:
                length = int(self.rfile.readline().split(b";")[0], 16)
                size += length
                if size > MAX_BODY_BYTES:
                    return None
                parts.append(self.rfile.read(length))
                self.rfile.readline()
                if length == 0:
                    return b"".join(parts)

        def _send(self, sent: Sent) -> None:
            if sent.delay_s:
                time.sleep(sent.delay_s)
            if sent.hold is not None and sent.hold_before == 0:
                sent.hold.wait()
            if sent.drop:
                self.close_connection = True
                return
            self.send_response(sent.status)
            for name, value in sent.headers.items():
                self.send_header(name, value)
            if sent.stream:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                self._send_stream(sent)
                return
            body = b"".join(sent.frames)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            sent.written += body[: sent.cut_after_bytes]
            self.wfile.write(body[: sent.cut_after_bytes])
            if sent.cut_after_bytes is not None:
                self.close_connection = True

        def _send_stream(self, sent: Sent) -> None:
            for number, frame in enumerate(sent.frames):
                if sent.hold is not None and number and number == sent.hold_before:
                    sent.hold.wait()
                sent.written += frame
                self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
                if sent.pause_s:
                    time.sleep(sent.pause_s)
            if sent.hold is not None and sent.hold_before >= len(sent.frames):
                sent.hold.wait()
            if sent.cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *arguments: object) -> None:
            """Logs nothing: the upstream records requests."""

    return Handler


def decoded(body: bytes, encoding: str) -> bytes:
    """Returns a body without its content encoding. Raises `ValueError`, "unknown" for one that is not supported."""
    try:
        for name in reversed([each.strip().lower() for each in encoding.split(",") if each.strip()]):
            if name in ("gzip", "x-gzip"):
                body = zlib.decompress(body, 31)
            elif name == "deflate":
                body = zlib.decompress(body)
            elif name == "zstd":
                import zstandard

                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            elif name != "identity":
                raise ValueError(f"unknown content encoding {name}")
    except (zlib.error, EOFError) as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(str(error)) from error
    return body
