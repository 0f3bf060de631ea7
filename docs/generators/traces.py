"""Traces of calls: which files and functions of ours each of them passes, on a real bank.

Everything runs in one process with the native codec, a SQLite file and a clock that stands still, so that a trace
depends on the code alone.
"""

import asyncio
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

from mcp import Client
from mcp_types import CallToolResult

import foxing.renderer as renderer
from foxing.integrations.client import connect
from foxing.integrations.mcp.banks import fixed
from foxing.integrations.mcp.server import make_server
from foxing.memory import ContextRequest, Memory, MemoryOptions, limits

ROOT = Path(renderer.__file__).resolve().parent.parent
ROOMS = ("api", "integrations", "memory", "encoder", "renderer")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLACES = ("Lisbon", "Busan", "Turin", "Oslo", "Quito", "Perth", "Accra", "Hanoi")


@dataclass
class Trace:
    """What was called between the beginning and the end of a call, in the order in which it was first entered."""

    #: File, from the root of the repository → names of functions.
    files: dict[str, dict[str, None]] = field(default_factory=dict)
    #: The longest chain of calls: file and function of each.
    deepest: tuple[tuple[str, str], ...] = ()

    @property
    def functions(self) -> int:
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Way:
    """One of the calls that are traced."""

    name: str
    #: What is called, as it is written.
    call: str
    trace: Trace


@contextmanager
def traced() -> Iterator[Trace]:
    """Traces this thread, and then those that begin meanwhile: when these run depends on the machine."""
    trace = Trace()
    caller = threading.get_ident()
    of_others: dict[str, dict[str, None]] = {}
    changing = threading.Lock()
    places: dict[CodeType, tuple[str, str] | None] = {}
    chains = threading.local()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if code not in places:
            places[code] = _place(code)
        place = places[code]
        if place is None:
            return
        chain: list[tuple[str, str]] = chains.__dict__.setdefault("chain", [])
        if event == "return":
            if chain:
                chain.pop()
            return
        chain.append(place)
        with changing:
            files = trace.files if threading.get_ident() == caller else of_others
            files.setdefault(place[0], {})[place[1]] = None
            if len(chain) > len(trace.deepest):
                trace.deepest = tuple(chain)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        for file, names in sorted(of_others.items()):
            trace.files.setdefault(file, {}).update(names)


def _place(code: CodeType) -> tuple[str, str] | None:
    """File and name of a function of ours; None of others, and of comprehensions, which a later Python inlines."""
    try:
        path = Path(code.co_filename).resolve().relative_to(ROOT)
    except ValueError:
        return None
    if path.parts[0] not in ROOMS or code.co_name.startswith("<"):
        return None
    return path.as_posix(), code.co_qualname.replace(".<locals>", "")


def ways() -> list[Way]:
    """The traces of storing, sealing, ageing, recalling, context, and recalling over MCP."""
    found: list[Way] = []
    # What is read again after some time is not part of a call, whose trace would depend on the machine.
    with TemporaryDirectory() as folder, patch.object(limits, "REREAD_S", math.inf):
        present = [NOW]
        options = MemoryOptions(embedder="none")
        with Memory(Path(folder) / "bank.db", clock=lambda: present[0], options=options) as memory:
            _ = memory.codec

            def add(name: str, call: str, action: Callable[[], object]) -> None:
                with traced() as trace:
                    action()
                found.append(Way(name, call, trace))

            memory.store("agent", _messages(0, 120))
            memory.seal("agent")
            memory.tick()
            add("store", 'memory.store("agent", messages)', lambda: memory.store("agent", _messages(120, 4)))
            add("seal", 'memory.seal("agent")', lambda: memory.seal("agent"))
            present[0] += timedelta(days=40)
            add("age", 'memory.age("agent")', lambda: memory.age("agent"))
            memory.store("agent", _messages(124, 4))
            with_cold_cache = Memory(Path(folder) / "bank.db", clock=lambda: present[0], options=options)
            with with_cold_cache as asked:
                _ = asked.codec
                asked.recall("agent", "warm")
                question = "When does the team fly to Busan?"
                add("recall", f'memory.recall("agent", "{question}")', lambda: asked.recall("agent", question))
            _context(add, memory)
            _mcp(add, memory)
    return found


def _context(add: Callable[[str, str, Callable[[], object]], None], memory: Memory) -> None:
    request = ContextRequest(reader="claude", budget=2000, query="When does the team fly to Turin?")
    add("context", 'memory.context("agent", request)', lambda: memory.context("agent", request))


def _mcp(add: Callable[[str, str, Callable[[], object]], None], memory: Memory) -> None:
    async def ask() -> CallToolResult:
        async with Client(make_server(fixed(connect(memory, "agent")))) as client:
            return await client.call_tool("recall", {"query": "When does the team fly to Quito?"})

    asyncio.run(ask())
    add("MCP", 'recall {"query": …}', lambda: asyncio.run(ask()))


def _messages(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "role": "user" if number % 2 else "assistant",
            "content": f"The team flies to {PLACES[number % len(PLACES)]} on {1 + number % 28} May and books {number} "
            f"seats; the hotel near the old harbour asks for {20 + number} euros a night, breakfast included.",
            "created_at": (NOW - timedelta(days=30) + timedelta(minutes=7 * number)).isoformat(),
            "thread": f"trip {number % 3}",
        }
        for number in range(start, start + count)
    ]
