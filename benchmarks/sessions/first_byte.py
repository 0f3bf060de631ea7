"""Delay of the first byte of an answer through the proxy, as a client measures it.

    python -m benchmarks.sessions.first_byte [--sizes 76000 840000] [--pairs 120] [--pause 0.3]

Conversations that grow by a call between two pairs; each pair is one request through `foxing proxy`, a process of its
own, and one sent directly, in turn first. The upstream answers at once with a stream and checks nothing.
"""

import argparse
import asyncio
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.load.processes import processor_s
from benchmarks.proxy.processes import FoxingProcess

_SOURCES = Path(__file__).parents[2] / "memory"
_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Understood."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
_STREAM = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in _EVENTS).encode()
_HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01", "x-foxing-session": "s"}
_WARM = 5


class _Upstream:
    """Answers every request with the same stream. A context manager."""

    def __enter__(self) -> str:
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @staticmethod
    async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(size or 0))
                answer = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(_STREAM)}\r\n\r\n"
                writer.write(answer.encode() + _STREAM)
        writer.close()


def bodies(size: int, calls: int) -> Iterator[bytes]:
    """Yields requests of a conversation: the first has so many bytes, each further one a call more."""
    lines = "\n".join(path.read_text() for path in sorted(_SOURCES.rglob("*.py"))).splitlines()
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Look at all of it."}]}]
    number = written = made = 0
    while made < calls:
        name = f"toolu_{number:020}"
        result = "\n".join(lines[(number * 90) % len(lines) :][: 90 if written < size - 10_000 else 3])
        call = {"type": "tool_use", "id": name, "name": "Bash", "input": {"command": f"sed -n {number}p"}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": name, "content": result}]})
        number, written = number + 1, written + len(result) + 300
        if written >= size:
            fields = {"model": "claude-opus-4-8", "max_tokens": 4_000, "stream": True, "system": "You are an agent."}
            yield json.dumps({**fields, "messages": messages}).encode()
            made += 1


def measure(size: int, pairs: int, pause_s: float = 0.0) -> dict[str, Any]:
    """Returns the milliseconds by which the first byte is later, and what the proxy says of its own. `pause_s`: time
    between two pairs, in which an agent runs a tool."""
    later: list[float] = []
    own: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        upstream = stack.enter_context(_Upstream())
        arguments = ("--upstream", upstream, "--port", "0", "--budget", "900000")
        proxy = stack.enter_context(FoxingProcess(folder, "proxy", *arguments))
        clients = [stack.enter_context(httpx.Client(timeout=60)) for _ in range(2)]
        for number, body in enumerate(bodies(size, pairs + _WARM)):
            if number == _WARM:
                began_s = processor_s(proxy.pid)
            time.sleep(pause_s)
            times = [0.0, 0.0]
            for place in (0, 1) if number % 2 else (1, 0):
                url = (proxy.url, upstream)[place]
                began = time.perf_counter()
                with clients[place].stream("POST", f"{url}/v1/messages", content=body, headers=_HEADERS) as answer:
                    pieces = answer.iter_raw()
                    next(pieces)
                    times[place] = (time.perf_counter() - began) * 1e3
                    for _ in pieces:  # as an agent reads them: a client that hangs up gives the proxy other work
                        pass
                    if place == 0:
                        overhead = float(answer.headers["x-foxing-overhead-ms"])
            if number >= _WARM:
                later.append(times[0] - times[1])
                own.append(overhead)
        used_s = processor_s(proxy.pid) - began_s
    return {
        "bytes": len(body),
        "pairs": len(later),
        "pause_s": pause_s,
        "later_ms": _quantiles(later),
        "own_ms": _quantiles(own),
        # of a request with all that follows it, such as the storing of its turn
        "cpu_ms": round(used_s * 1e3 / len(later), 1),
    }


def _quantiles(times: list[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(times), 1), "p99": round(sorted(times)[int(len(times) * 0.99)], 1)}


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[76_000, 840_000])
    parser.add_argument("--pairs", type=int, default=120)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two pairs; an agent runs a tool")
    options = parser.parse_args()
    for size in options.sizes:
        print(json.dumps(measure(size, options.pairs, options.pause)), flush=True)


if __name__ == "__main__":
    main()
