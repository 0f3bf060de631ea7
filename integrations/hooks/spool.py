"""Spool of events: one file for each, written by the hook and taken in by the service.

A file appears under its name when it is complete, so that neither a killed hook nor a killed service leaves half an
event; its name sorts by time. Imports almost nothing, because the client of hooks imports it in each process.
"""

import os
import time

from foxing.renderer.private_files import make_folder, write

SUFFIX = ".event"
#: Limits on what waits.
MOST_EVENTS, MOST_BYTES = 10_000, 256 << 20


class Event:
    """Event of a host, as its hook received it."""

    __slots__ = ("at_ns", "bank", "folder", "host", "name", "payload")

    def __init__(self, host: str, name: str, bank: str, folder: str, payload: bytes, at_ns: int = 0) -> None:
        self.host = host
        self.name = name
        #: the bank that the settings of the host name; empty for that of the project
        self.bank = bank
        #: working folder of the hook
        self.folder = folder
        #: the document of the host, JSON
        self.payload = payload
        #: time of the event, nanoseconds since 1970
        self.at_ns = at_ns or time.time_ns()

    def to_bytes(self) -> bytes:
        """Returns the event as a file: a line for each field, then the document."""
        head = "".join(f"{field}\n" for field in (self.host, self.name, self.bank, self.folder.replace("\n", " ")))
        return os.fsencode(head) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes, at_ns: int) -> "Event":
        """Returns the event of a file. Raises `ValueError` if it is damaged."""
        host, name, bank, folder, payload = data.split(b"\n", 4)
        return cls(os.fsdecode(host), os.fsdecode(name), os.fsdecode(bank), os.fsdecode(folder), payload, at_ns)


def put(spool: str, event: Event) -> str:
    """Writes an event and returns the path of its file. Raises `OSError`, also for a spool that holds as much as it
    may: what waits in it stays."""
    make_folder(spool)
    # a name has the size, since asking for that of each file would take a tenth of a second
    sizes = [name[: -len(SUFFIX)].rpartition("-")[2] for name in os.listdir(spool) if name.endswith(SUFFIX)]
    size = len(event.payload) + sum(int(size_text) for size_text in sizes if size_text.isdigit())
    if len(sizes) >= MOST_EVENTS or size > MOST_BYTES:
        raise OSError(f"{len(sizes):,} events wait in {spool}, as many as it takes; run: foxing doctor")
    path = os.path.join(spool, f"{event.at_ns:020d}-{os.getpid()}-{len(event.payload)}{SUFFIX}")
    write(path, event.to_bytes())
    return path


def waiting(spool: str) -> list[str]:
    """Returns the paths of the events that wait, oldest first."""
    try:
        return [os.path.join(spool, name) for name in sorted(os.listdir(spool)) if name.endswith(SUFFIX)]
    except OSError:
        return []


def read(path: str) -> Event:
    """Returns the event of a file. Raises `OSError`, and `ValueError` if it is damaged."""
    with open(path, "rb") as file:
        return Event.from_bytes(file.read(), int(os.path.basename(path).split("-")[0]))
