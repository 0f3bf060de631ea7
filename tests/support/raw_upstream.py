"""An upstream that sends what a test says, byte by byte."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RawUpstream:
    """Its URL, and the requests that it got: (path, headers in lower case, body)."""

    url: str = ""
    requests: list[tuple[str, list[tuple[str, str]], bytes]] = field(default_factory=list)


@contextmanager
def raw_upstream(
    pieces: Callable[[], Iterable[bytes]], kind: str = "text/event-stream", encoding: str | None = None
) -> Iterator[RawUpstream]:
    """An upstream that answers each request with these pieces."""
    raw = RawUpstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            raw.requests.append((self.path, [(n.lower(), v) for n, v in self.headers.items()], body))
            self.send_response(200)
            self.send_header("content-type", kind)
            if encoding is not None:
                self.send_header("content-encoding", encoding)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for piece in pieces():
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # the proxy has hung up
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    raw.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield raw
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
