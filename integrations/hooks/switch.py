"""Off switch of a session: what its hooks neither answer nor store.

`NO_FOXING=1` in the environment of an agent silences the hooks of all its sessions, before they do anything. The
prompts “foxing off” and “foxing on” switch one session while it runs; the times are noted in a file, since its log is
read later as well.
"""

from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from .notes import read_json, write_json
from .places import folder_of

#: Prompts that switch a session → whether it is off then.
PROMPTS = {"foxing off": True, "foxing on": False}
#: What the model and the user are told.
TOLD = {
    True: "Memory is off for this session: nothing is recalled or stored until the prompt “foxing on”.",
    False: "Memory is on again for this session.",
}
#: Time before the event of a prompt at which it was typed, at most.
TYPED = timedelta(seconds=5)
OFF = "off.json"


class OffSwitch:
    """Sessions that are off, and when others were."""

    def __init__(self, database: str) -> None:
        self._path = Path(folder_of(database)) / OFF if database else None
        #: thread → start and end of each time in which it was off, ISO 8601; no end while it is
        self._off: dict[str, list[list[str]]] = {} if self._path is None else read_json(self._path)
        self._lock = Lock()

    def turn(self, thread: str, prompt: str, at: datetime) -> bool | None:
        """Switches a session if its prompt asks for it. Returns whether it is off then; None for another prompt."""
        is_off = PROMPTS.get(" ".join(prompt.split()).casefold().rstrip("."))
        if is_off is None or not thread:
            return None
        with self._lock:
            times = self._off.setdefault(thread, [])
            if is_off and not self.is_off(thread):
                times.append([(at - TYPED).isoformat()])
            elif not is_off and self.is_off(thread):
                times[-1].append(at.isoformat())
            if self._path is not None:
                write_json(self._path, self._off)
        return is_off

    def is_off(self, thread: str) -> bool:
        """Returns whether a session is off now."""
        times = self._off.get(thread, [])
        return bool(times) and len(times[-1]) == 1

    def covers(self, thread: str, at: datetime) -> bool:
        """Returns whether a session, or a sub-agent of it, was off at a time."""
        for session, times in self._off.items():
            if thread.startswith(session):
                bounds = ([datetime.fromisoformat(time) for time in span] for span in times)
                return any(start <= at and (not end or at <= end[0]) for start, *end in bounds)
        return False
