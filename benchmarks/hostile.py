"""Measures how long event loops of the proxy and of the service compute without a pause while 50 clients try to stop
them.

python -m benchmarks.hostile --seconds 30 --json
"""

import argparse
import asyncio
import gc
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from asyncio import events
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import quantiles
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from .command_line import add_json_option, show_fields, write_json

CLIENTS = 50
#: Limit on the CPU time that a loop may take between two looks at its connections, in ms.
BAR_MS = 100.0
_QUESTION = {"role": "user", "content": "When do we ship Titan?"}
_HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}
_MENTIONS = "message_stop [DONE] response.completed "


@dataclass(frozen=True)
class LoopLoad:
    """Iterations of the event loop of a process: CPU time of its thread, and wall-clock time, in ms."""

    process: str
    seconds: float
    #: Requests of all hostile clients that ended, and errors of the server among their answers.
    requests: int
    server_errors: int
    iterations: int
    longest_cpu_ms: float
    longest_wall_ms: float
    iterations_over_bar: int
    #: CPU time of the longest collection of garbage, in whatever thread, and how many were full ones.
    longest_collection_ms: float
    full_collections: int
    #: Callback that took longest: the places at which its coroutines waited before.
    longest_callback: str
    #: Small requests of an honest client meanwhile.
    honest_p50_ms: float
    honest_p99_ms: float
    honest_failed: int


class LoopWatch:
    """Measures each iteration of the event loops of this process, by thread."""

    def __init__(self) -> None:
        self.cpu_ms: defaultdict[str, list[float]] = defaultdict(list)
        self.wall_ms: defaultdict[str, list[float]] = defaultdict(list)
        #: thread → processor time of its longest callback, and what that was
        self.longest: dict[str, tuple[float, str]] = {}
        #: generation and CPU time of each collection of garbage, in whatever thread
        self.collections: list[tuple[int, float]] = []

    def install(self) -> None:
        """Begins to measure."""
        loop_class: Any = asyncio.BaseEventLoop
        run_once = loop_class._run_once

        def measured(loop: Any) -> None:
            name = threading.current_thread().name
            waited = _WaitedSelector.of(loop)
            cpu, wall = time.thread_time(), time.perf_counter()
            run_once(loop)
            self.cpu_ms[name].append((time.thread_time() - cpu) * 1e3)
            self.wall_ms[name].append((time.perf_counter() - wall - waited.take()) * 1e3)

        loop_class._run_once = measured
        run_handle = events.Handle._run

        def watched(handle: Any) -> None:
            before = time.thread_time()
            name, place = threading.current_thread().name, _place(handle)
            run_handle(handle)
            self.longest[name] = max(self.longest.get(name, (0.0, "")), ((time.thread_time() - before) * 1e3, place))

        handle_class: Any = events.Handle
        handle_class._run = watched
        begun = 0.0

        def collected(phase: str, collection: dict[str, int]) -> None:
            nonlocal begun
            if phase == "start":
                begun = time.thread_time()
            else:
                self.collections.append((collection["generation"], (time.thread_time() - begun) * 1e3))

        gc.callbacks.append(collected)

    def clear(self) -> None:
        """Forgets what has been measured, such as the start of a server."""
        self.cpu_ms.clear()
        self.wall_ms.clear()
        self.longest.clear()
        self.collections.clear()

    def report(self, thread: str) -> dict[str, Any]:
        """Returns the figures of a loop."""
        cpu = self.cpu_ms[thread]
        return {
            "iterations": len(cpu),
            "longest_cpu_ms": round(max(cpu, default=0.0), 1),
            "longest_wall_ms": round(max(self.wall_ms[thread], default=0.0), 1),
            "iterations_over_bar": sum(each > BAR_MS for each in cpu),
            "longest_collection_ms": round(max((ms for _, ms in self.collections), default=0.0), 1),
            "full_collections": sum(generation == 2 for generation, _ in self.collections),
            "longest_callback": self.longest.get(thread, (0.0, ""))[1],
        }


def _place(handle: Any) -> str:
    """Returns what a callback does: of a task, where its coroutines wait."""
    task = getattr(handle._callback, "__self__", None)
    coroutine: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
    places = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        scope = getattr(frame.f_locals.get("self"), "scope", None)
        path = f" {scope.get('path')}" if isinstance(scope, dict) else ""
        places.append(f"{coroutine.__qualname__}:{frame.f_lineno}{path}")
        coroutine = coroutine.cr_await
    return " > ".join(places[-6:]) or str(getattr(handle._callback, "__qualname__", handle._callback))


class _WaitedSelector:
    """Selector that knows how long it has waited for connections."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._waited_s = 0.0

    @classmethod
    def of(cls, loop: Any) -> Self:
        if not isinstance(loop._selector, cls):
            loop._selector = cls(loop._selector)
        selector: Self = loop._selector
        return selector

    def select(self, timeout: float | None = None) -> Any:
        began = time.perf_counter()
        try:
            return self._inner.select(timeout)
        finally:
            self._waited_s += time.perf_counter() - began

    def take(self) -> float:
        waited, self._waited_s = self._waited_s, 0.0
        return waited

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


# The processes


def _serve_upstream() -> None:
    """Runs an upstream that answers as a request asks in its header `x-hostile`."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    from foxing.integrations.proxy.server import listen, url_of

    bomb = gzip.compress(b'{"type":"message","content":"' + b"a" * (100 << 20) + b'"}')
    small = {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "On 14 March."}]}

    def delta(text: str) -> bytes:
        event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        return b"event: content_block_delta\ndata: " + json.dumps(event).encode() + b"\n\n"

    async def events(kind: str) -> AsyncIterator[bytes]:
        begun = {"type": "message_start", "message": {**small, "content": []}}
        yield b"event: message_start\ndata: " + json.dumps(begun).encode() + b"\n\n"
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield b"event: content_block_start\ndata: " + json.dumps(block).encode() + b"\n\n"
        if kind == "mentions":
            for _ in range(2_000):
                yield delta(_MENTIONS)
        elif kind == "endless":
            while True:
                yield delta("a" * 50_000)
        elif kind == "event":
            yield b"data: "
            for _ in range(640):
                yield b"a" * 100_000
        else:
            while True:
                yield b"\n" * 60_000
        yield b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    async def answer(request: Request) -> Response:
        with suppress(Exception):
            await request.body()
        kind = request.headers.get("x-hostile", "")
        if kind in ("mentions", "endless", "event", "lines"):
            return StreamingResponse(events(kind), media_type="text/event-stream")
        if kind == "bomb":
            return Response(bomb, media_type="application/json", headers={"content-encoding": "gzip"})
        if kind == "document":
            return Response(
                b'{"type":"message","content":[' + b"1," * 5_000_000 + b"1]}", media_type="application/json"
            )
        return JSONResponse(small)

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(Exception):
            while True:
                await websocket.send_text(await websocket.receive_text())

    app = Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET", "POST"]), WebSocketRoute("/{path:path}", echo)]
    )
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="websockets-sansio", ws_max_size=64 << 20)
    _run(uvicorn.Server(config), listener, url_of(listener), LoopWatch(), frozen=False)


def _serve_proxy(upstream: str, folder: Path) -> None:
    from foxing.integrations.proxy.app import make_app
    from foxing.integrations.proxy.options import ProxyOptions
    from foxing.integrations.proxy.server import listen, server_of, url_of
    from foxing.memory import Memory

    watch = LoopWatch()
    watch.install()
    options = ProxyOptions(upstream, bank="b", reader="text", journal=folder / "proxy.db", body_s=10.0)
    with Memory(folder / "bank.db") as memory:
        listener = listen("127.0.0.1", 0)
        server = server_of(make_app(options, lambda: memory), options, own_process=True)
        _run(server, listener, url_of(listener), watch)


def _serve_service(folder: Path) -> None:
    from foxing.api.app import create_app
    from foxing.api.server import listen, make_server, url_of
    from foxing.api.settings import load_settings
    from foxing.memory import Memory

    watch = LoopWatch()
    watch.install()
    with Memory(folder / "bank.db") as memory:
        listener = listen("127.0.0.1", 0)
        server = make_server(create_app(load_settings({"ageing_enabled": False}), memory), own_process=True)
        _run(server, listener, url_of(listener), watch)


def _run(server: Any, listener: socket.socket, url: str, watch: LoopWatch, *, frozen: bool = True) -> None:
    """Runs a server until the standard input ends, and prints the figures of its loop since the input's first line.
    `frozen`: whether the server exempts what it loads from garbage collection."""
    thread = threading.current_thread().name

    def end() -> None:
        sys.stdin.readline()
        while frozen and not gc.get_freeze_count():  # its start is not measured
            time.sleep(0.01)
        watch.clear()
        print(json.dumps({"begun": True}), flush=True)
        sys.stdin.read()
        print(json.dumps(watch.report(thread)), flush=True)
        os._exit(0)  # whatever clients still hold

    threading.Thread(target=end, daemon=True).start()
    print(json.dumps({"url": url}), flush=True)
    server.run(sockets=[listener])


class _Process:
    """One of the processes above. A context manager."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.hostile", "--process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FOXING_EMBEDDER": "none", "OMP_NUM_THREADS": "1"},
        )
        self.url = str(self._line()["url"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        with self._process:  # closes its pipes
            pass

    def begin(self) -> None:
        """Begins to measure the process."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._line()

    def end(self) -> dict[str, Any]:
        """Ends the process, and returns its figures."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benchmark did not start")
        found: dict[str, Any] = json.loads(line)
        return found


# The clients


def _messages(body: bytes, **headers: str) -> Callable[[str, float], int]:
    def run(url: str, until: float) -> int:
        with httpx.stream(
            "POST", f"{url}/v1/messages", content=body, headers={**_HEADERS, **headers}, timeout=30
        ) as answer:
            for _ in answer.iter_raw():
                if time.monotonic() > until:
                    break
            return answer.status_code

    return run


def _post(path: str, body: bytes, **headers: str) -> Callable[[str, float], int]:
    def run(url: str, until: float) -> int:
        return httpx.post(f"{url}{path}", content=body, headers={**_HEADERS, **headers}, timeout=30).status_code

    return run


def _raw(head: str, body: bytes, *, drip: bool = False, half_close: bool = False) -> Callable[[str, float], int]:
    """Sends the beginning of a request by a socket: byte by byte, or closing its half."""

    def run(url: str, until: float) -> int:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            connection.sendall(f"{head} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000000\r\n".encode())
            connection.sendall(b"Content-Type: application/json\r\n\r\n" + body)
            while drip and time.monotonic() < until:
                connection.sendall(b" ")
                time.sleep(0.05)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
        return 0

    return run


def _websocket(message: str, *, compression: str | None = "deflate") -> Callable[[str, float], int]:
    def run(url: str, until: float) -> int:
        from websockets.sync.client import connect

        address = f"ws{url.removeprefix('http')}/v1/responses"
        with connect(address, proxy=None, max_size=None, compression=compression) as client:
            client.send(message)
            client.recv(30)
            if not message:
                time.sleep(max(0.0, until - time.monotonic()))  # idle
            else:
                client.socket.close()  # without a word
        return 0

    return run


def _request(messages: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "claude-opus-5-5", "max_tokens": 9, "messages": messages, **fields}).encode()


def _turns(number: int, chars: int) -> list[dict[str, str]]:
    said = "The staging database moved to the new cluster on Friday. " * (chars // 57 + 1)
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": f"{n} {said[:chars]}"} for n in range(number)] + [_QUESTION]


def _of_the_proxy() -> list[Callable[[str, float], int]]:
    stream = _request([_QUESTION], stream=True)
    plain = _request([_QUESTION])
    bomb = gzip.compress(b'{"messages":[{"role":"user","content":"' + b"a" * (100 << 20) + b'"}]}')
    return [
        *[_messages(stream, **{"x-hostile": kind}) for kind in ("mentions", "endless", "event", "lines")],
        *[_messages(plain, **{"x-hostile": kind}) for kind in ("bomb", "document")],
        _post("/v1/messages", bomb, **{"content-encoding": "gzip"}),
        _post("/v1/messages", b'{"messages":' + b"[" * 500_000),
        _post("/v1/messages", _request(_turns(20_000, 40))),
        _post("/v1/messages", _request(_turns(400, 20_000))),
        _post("/v1/messages", gzip.compress(_request(_turns(400, 20_000))), **{"content-encoding": "gzip"}),
        _post("/v1/messages", b'{"messages":[' + b"1," * 1_500_000 + b"1]}"),
        _post("/v1/messages", b" " * 30_000_000),
        _post("/v1/messages", plain, origin="https://evil.example"),
        _post("/v1/files", plain, host="evil.example"),
        _raw("POST /v1/messages", b'{"messages":', drip=True),
        _raw("POST /v1/files", b"{", drip=True),
        _raw("POST /v1/messages", b"{", half_close=True),
        _websocket("a" * 15_000_000),
        _websocket("é" * 7_000_000, compression=None),
        _websocket(""),
    ]


def _of_the_service() -> list[Callable[[str, float], int]]:
    messages = "/v1/banks/b/messages"
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    recall = {**call, "params": {"name": "recall", "arguments": {"query": "Titan " * 100}}}
    accept = {"accept": "application/json, text/event-stream"}
    hook = "/x/hooks/claude-code/UserPromptSubmit?bank=b"
    return [
        _post(messages, json.dumps({"messages": _turns(800, 2_000)}).encode()),
        _post(messages, b'{"messages":' + b"[" * 500_000),
        _post(messages, b'{"messages":[' + b"1," * 1_500_000 + b"1]}"),
        _post(messages, b" " * 4_000_000),
        _post("/v1/banks/b/recall", json.dumps({"query": "Titan " * 600}).encode()),
        _post(
            "/v1/banks/b/fold", json.dumps({"session": "s", "wire": "openai", "messages": _turns(2_000, 500)}).encode()
        ),
        _post("/x/mcp/b", json.dumps(recall).encode(), **accept),
        _post("/x/mcp/b", b"[" * 1_000_000, **accept),
        _post(
            "/x/mcp/b",
            json.dumps({**call, "params": {"name": "recall", "arguments": {"query": "a" * 10_000_000}}}).encode(),
            **accept,
        ),
        _post("/x/mcp/b", json.dumps([recall] * 20_000).encode(), **accept),
        _post(hook, json.dumps({"session_id": "s", "prompt": "Titan " * 200_000}).encode()),
        _post(hook, b"[" * 1_000_000),
        _post(messages, b"{}", origin="https://evil.example"),
        _raw(f"POST {messages}", b"{", drip=True),
        _raw("POST /x/mcp/b", b"{", drip=True),
        _raw(f"POST {messages}", b"{", half_close=True),
    ]


def _attack(
    url: str, kinds: Sequence[Callable[[str, float], int]], honest: Callable[[str, float], int], seconds: float
) -> tuple[Counter[str], list[float]]:
    """Runs the clients, and returns counts of their answers and the times of an honest client in ms."""
    until = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    times: list[float] = []
    kinds_of = count()

    def run() -> None:
        while time.monotonic() < until:
            number = next(kinds_of) % len(kinds)
            try:
                status = kinds[number](url, min(until, time.monotonic() + 5.0))
            except Exception:
                status = 0
            counts["requests"] += 1
            counts["server errors"] += status == 500

    def ask() -> None:
        while time.monotonic() < until:
            began = time.perf_counter()
            try:
                counts["honest failed"] += honest(url, until) != 200
            except Exception:
                counts["honest failed"] += 1
            times.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.05)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(CLIENTS)] + [threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until + 10 - time.monotonic()))
    return counts, times


def measure_hostile(process: str, seconds: float) -> LoopLoad:
    """Returns the figures of a process, "proxy" or "service", under hostile clients."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        if process == "proxy":
            upstream = stack.enter_context(_Process("upstream"))
            server = stack.enter_context(_Process("proxy", upstream.url, folder))
            kinds, honest = _of_the_proxy(), _post("/v1/messages", _request([_QUESTION]))
        else:
            server = stack.enter_context(_Process("service", folder))
            kinds = _of_the_service()
            stored = json.dumps({"messages": [_QUESTION]}).encode()
            honest = _post("/v1/banks/b/messages", stored)
        honest(server.url, 0.0)
        server.begin()
        counts, times = _attack(server.url, kinds, honest, seconds)
        figures = server.end()
    shares = quantiles(times, n=100) if len(times) > 1 else times * 99
    return LoopLoad(
        process=process,
        seconds=seconds,
        requests=counts["requests"],
        server_errors=counts["server errors"],
        honest_p50_ms=round(shares[49], 1),
        honest_p99_ms=round(shares[98], 1),
        honest_failed=counts["honest failed"],
        **figures,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="time for each process")
    parser.add_argument("--only", choices=("proxy", "service"), help="measure this process alone")
    parser.add_argument("--process", nargs="+", help=argparse.SUPPRESS)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    if options.process:
        kind, *given = options.process
        if kind == "upstream":
            _serve_upstream()
        elif kind == "proxy":
            _serve_proxy(given[0], Path(given[1]))
        else:
            _serve_service(Path(given[0]))
        return
    found = [measure_hostile(each, options.seconds) for each in ("proxy", "service") if options.only in (None, each)]
    if options.as_json:
        write_json({each.process: asdict(each) for each in found})
    else:
        for each in found:
            show_fields(asdict(each))


if __name__ == "__main__":
    main()
