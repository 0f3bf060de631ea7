"""Connections to the upstream: the request as it came but for what belongs to a connection, and the answer as bytes."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from .options import ProxyOptions

Headers = Sequence[tuple[bytes, bytes]]

#: Headers that belong to a connection, and those that are made anew.
_OF_CONNECTION = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"host", b"content-length", b"expect"),
    )
)
#: Beginning of the headers that are for the proxy.
OWN = b"x-foxing"
_CONNECTIONS = 200
#: Limits on connecting to the upstream, and on its silence, in seconds.
_CONNECT_S, _SILENCE_S = 10.0, 900.0


class UpstreamFailed(Exception):
    """The upstream is down, or the connection to it broke. The message is for the client."""

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class UpstreamAnswer:
    """An answer whose body has not been read. An asynchronous context manager."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks = self._read_chunks()
        self.status = response.status_code

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._response.aclose()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers for the client."""
        given = [(name.lower(), value) for name, value in self._response.headers.raw]
        # httpx reads a body of known length, so that its length can be passed on
        is_chunked = any(name == b"transfer-encoding" for name, _ in given)
        length = [each for each in given if each[0] == b"content-length" and not is_chunked]
        return [*passed_headers(given), *length]

    def header(self, name: str) -> str:
        """Returns a header; empty if there is none."""
        return str(self._response.headers.get(name, ""))

    def chunks(self) -> AsyncIterator[bytes]:
        """Yields the rest of the body as it comes. Raises `UpstreamFailed` if the connection breaks."""
        return self._chunks

    async def _read_chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.stream:  # type: ignore[union-attr]
                yield chunk
        except httpx.TimeoutException as error:
            raise UpstreamFailed("the upstream fell silent in the middle of its answer", 504) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise UpstreamFailed("the upstream broke off in the middle of its answer") from error

    async def read(self, most_bytes: int) -> tuple[bytes, bool]:
        """Reads the body until it has more bytes than the limit. Returns what has come, and whether that is all;
        `chunks` has the rest. Raises `UpstreamFailed` if the connection breaks."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > most_bytes:
                return b"".join(parts), False
        return b"".join(parts), True


class UpstreamClient:
    """Client of the upstream, which follows no redirects and keeps no cookies."""

    def __init__(self, options: ProxyOptions) -> None:
        parts = urlsplit(options.upstream)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._timeouts = {"timeout": {"connect": _CONNECT_S, "read": _SILENCE_S, "write": 120.0, "pool": _CONNECT_S}}
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS), trust_env=True
        )

    def url(self, raw_path: bytes, query: bytes) -> str:
        """Returns the URL of a request. The `/v1` of the base URL and of the path are one."""
        path = raw_path.decode("latin-1")
        base = self._path
        if base.endswith("/v1") and (path == "/v1" or path.startswith("/v1/")):
            base = base.removesuffix("/v1")
        return f"{self._base}{base}{path}" + (f"?{query.decode('latin-1')}" if query else "")

    async def send(
        self,
        method: str,
        url: str,
        headers: Headers,
        content: bytes | AsyncIterator[bytes] | None,
        length: str | None = None,
    ) -> UpstreamAnswer:
        """Sends a request and returns its answer. `headers`: those of the client; `length`: length of a body in pieces,
        if it is known. Raises `UpstreamFailed`."""
        passed = passed_headers(headers)
        if length is not None:
            passed.append((b"content-length", length.encode("latin-1")))
        try:
            request = httpx.Request(method, url, headers=passed, content=content, extensions=self._timeouts)
            response = await self._transport.handle_async_request(request)
        except httpx.ConnectTimeout as error:
            raise UpstreamFailed(f"the upstream {self.origin} cannot be reached in time", 504) from error
        except httpx.ConnectError as error:
            raise UpstreamFailed(f"the upstream {self.origin} cannot be reached; is it running?") from error
        except httpx.TimeoutException as error:
            raise UpstreamFailed(f"the upstream {self.origin} does not answer", 504) from error
        except httpx.InvalidURL as error:
            raise UpstreamFailed("the path is not valid", 400) from error
        except httpx.HTTPError as error:
            raise UpstreamFailed(f"the upstream {self.origin} closed the connection without an answer") from error
        return UpstreamAnswer(response)

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.aclose()


def passed_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Returns the headers that are passed on: all but those of the connection, those that a `Connection` header names,
    and those of the proxy. `headers`: names in lower case."""
    named = (name.strip().lower() for key, value in headers if key == b"connection" for name in value.split(b","))
    dropped = _OF_CONNECTION.union(named)
    return [(name, value) for name, value in headers if name not in dropped and not name.startswith(OWN)]
