"""HTTP clients of the SDKs with a memory: they change the request, and read a copy of the answer."""

import asyncio
import copy
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from foxing.integrations.turns.copies import AnswerCopy

from .memory import ClientMemory, WrappedCall

#: Requests of an asynchronous client that are prepared at once.
_THREADS = 64
#: Size of a piece of a stream that is read on the event loop.
_QUICK_BYTES = 16 << 10
_CODED = "content-encoding"


class ClientWithMemory(httpx2.Client):
    """A client of httpx with a memory; see `with_memory`."""

    foxing_memory: ClientMemory
    foxing_release: Callable[[], object]

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Sends a request, with what is remembered added to it."""
        call = _begun(self.foxing_memory, request, time.monotonic())
        response = super().send(_changed(request, call), **options)
        if call is not None and response.is_success:
            if not options.get("stream"):
                _end(self.foxing_memory, call, response, response.content)
            elif isinstance(response.stream, httpx2.SyncByteStream):
                response.stream = _Copied(response, self.foxing_memory, call)
        return response

    def close(self) -> None:
        """Closes the connections. The memory ends once all turns are stored."""
        super().close()
        self.foxing_release()


class AsyncClientWithMemory(httpx2.AsyncClient):
    """The same for asynchronous clients. Nothing blocks the event loop: JSON and SQLite are read in a thread."""

    foxing_memory: ClientMemory
    foxing_release: Callable[[], object]
    foxing_threads: ThreadPoolExecutor

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Sends a request, with what is remembered added to it."""
        loop = asyncio.get_running_loop()
        call = None
        since = time.monotonic()
        if _is_readable(request):
            call = await loop.run_in_executor(self.foxing_threads, _begun, self.foxing_memory, request, since)
        response = await super().send(_changed(request, call), **options)
        if call is not None and response.is_success:
            if not options.get("stream"):
                content = response.content
                await loop.run_in_executor(self.foxing_threads, _end, self.foxing_memory, call, response, content)
            elif isinstance(response.stream, httpx2.AsyncByteStream):
                response.stream = _AsyncCopied(response, self.foxing_memory, call, self.foxing_threads)
        return response

    async def aclose(self) -> None:
        """Closes the connections. The memory ends once all turns are stored."""
        await super().aclose()
        self.foxing_release()
        self.foxing_threads.shutdown(wait=False)


def with_memory(http: httpx2.Client | httpx2.AsyncClient, memory: ClientMemory) -> Any:
    """Returns a client like `http`, on its connections, with a memory."""
    clone = copy.copy(http)
    base = ClientWithMemory if isinstance(http, httpx2.Client) else AsyncClientWithMemory
    clone.__class__ = type(f"{type(http).__name__}WithMemory", (base, type(http)), {})
    attributes: Any = clone
    attributes.foxing_memory = memory
    memory.users += 1
    attributes.foxing_release = weakref.finalize(clone, memory.release)  # at most once
    attributes.foxing_release.atexit = False
    # The SDKs close their client when it is collected. It shares its connections, so that it must live as long.
    attributes.foxing_original = http
    if isinstance(http, httpx2.AsyncClient):
        attributes.foxing_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="foxing wrap")
    return clone


def _is_readable(request: httpx2.Request) -> bool:
    return request.method == "POST" and _CODED not in request.headers


def _begun(memory: ClientMemory, request: httpx2.Request, since: float) -> WrappedCall | None:
    if not _is_readable(request):
        return None
    try:
        body = request.content
    except httpx2.RequestNotRead:  # a file that is uploaded
        return None
    return memory.begin(request.url.path, request.headers, body, since)


def _changed(request: httpx2.Request, call: WrappedCall | None) -> httpx2.Request:
    """The request to send: the caller's own, unless something is added to it."""
    if call is None or call.body is None:
        return request
    headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
    return httpx2.Request(
        request.method, request.url, headers=headers, content=call.body, extensions=request.extensions
    )


def _end(memory: ClientMemory, call: WrappedCall, response: httpx2.Response, content: bytes) -> None:
    """Writes the turns of a call. `content`: the whole answer, decoded."""
    copy = AnswerCopy(call.wire, "", is_stream=_is_stream(response))
    copy.feed(content)
    memory.end(call, copy.answer())


def _is_stream(response: httpx2.Response) -> bool:
    return "event-stream" in response.headers.get("content-type", "")


class _Copy:
    """A copy of the bytes of an answer, which is read as they come."""

    def __init__(self, response: httpx2.Response, memory: ClientMemory, call: WrappedCall) -> None:
        self._inner: Any = response.stream
        self._memory = memory
        self._call = call
        self._copy = AnswerCopy(call.wire, response.headers.get(_CODED, ""), is_stream=_is_stream(response))

    def _is_quick(self, chunk: bytes) -> bool:
        """True if reading a chunk takes less than a millisecond or so."""
        return not self._copy.is_compressed and len(chunk) + self._copy.waiting_bytes < _QUICK_BYTES

    def _read(self, chunk: bytes) -> bool:
        """Reads a chunk, and returns True if the answer is complete with it: it is kept before the caller sees its
        end."""
        self._copy.feed(chunk)
        return self._copy.is_complete and not self._call.written

    def _end(self) -> None:
        if not self._call.written:
            self._memory.end(self._call, self._copy.answer())


class _Copied(_Copy, httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            if self._read(chunk):
                self._end()
            yield chunk
        self._end()

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._end()


class _AsyncCopied(_Copy, httpx2.AsyncByteStream):
    def __init__(
        self, response: httpx2.Response, memory: ClientMemory, call: WrappedCall, threads: ThreadPoolExecutor
    ) -> None:
        super().__init__(response, memory, call)
        self._threads = threads

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        async for chunk in self._inner:
            quick = self._is_quick(chunk)
            if self._read(chunk) if quick else await loop.run_in_executor(self._threads, self._read, chunk):
                await loop.run_in_executor(self._threads, self._end)
            yield chunk
        await loop.run_in_executor(self._threads, self._end)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if not self._call.written:
                # a task that is cancelled cannot wait for the thread, which writes nevertheless
                await asyncio.shield(self._memory.soon(self._threads, self._end))
