"""Probes: an entry, one of its inputs, and how a call with an input of a size is made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from foxing.api.app import create_app
from foxing.api.settings import load_settings
from foxing.memory import Memory, MemoryOptions

LOCAL = "http://127.0.0.1"
#: Bank with some messages, for entries that read.
LIBRARY = "library"
_KEY = "key-of-the-benchmark"


@dataclass
class World:
    """A memory, its service and a folder for the inputs of one process."""

    folder: Path
    memory: Memory
    client: TestClient
    _numbers: Any = field(default_factory=count)

    @classmethod
    def open(cls, folder: Path) -> "World":
        """Opens an empty world without an embedder, whose time is measured elsewhere."""
        memory = Memory(folder / "foxing.db", options=MemoryOptions(embedder="none"))
        settings = load_settings({"ageing_enabled": False, "embedder": "none", "api_key": _KEY})
        app: FastAPI = create_app(settings, memory)
        headers = {"Authorization": f"Bearer {_KEY}"}  # probes create keys, after which the service asks for one
        client = TestClient(app, base_url=LOCAL, headers=headers, raise_server_exceptions=False)
        client.__enter__()
        said = (f"Note {number}: the berth of vessel {number} costs {number}.50 EUR a day." for number in range(60))
        memory.store(LIBRARY, [{"role": "user", "content": text} for text in said])
        return cls(folder, memory, client)

    def new_bank(self) -> str:
        """Returns a name that no bank has yet."""
        return f"bank-{next(self._numbers)}"

    def path(self, suffix: str = "") -> Path:
        """Returns a path at which nothing is yet."""
        return self.folder / f"input-{next(self._numbers)}{suffix}"


#: Does the work that is measured. Returns the status of an HTTP answer, or None.
Call = Callable[[], int | None]


@dataclass(frozen=True)
class Probe:
    """One input of one entry."""

    #: “POST /v1/banks/{bank}/recall”, “foxing render”, “import mail”
    entry: str
    #: which input grows, and what it is made of
    input: str
    #: Largest size that is measured: the limit of the input, or where it has none, of what carries it.
    limit: int
    #: Makes the call with an input of a size, outside of what is measured.
    prepare: Callable[[World, int], Call]
    #: Cap on the processor time at the limit, in seconds; None for no cap.
    cap_s: float | None = None
