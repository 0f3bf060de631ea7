"""Speed of sealing while clients store into the bank and erase from it."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from benchmarks.command_line import Advance

from . import texts
from .banks import BANK, open_database
from .processes import Service, checked, client

TICK = {"FOXING_AGEING_INTERVAL_S": "1"}
STORES_PER_S, ERASURES_PER_S = 3, 1
LIMIT_S = 300.0


@dataclass(frozen=True)
class Erasing:
    """Pages sealed per second, medians over the rounds."""

    #: open messages in the bank at the start of each round
    messages: int
    rounds: int
    #: with stores alone, and with one erasure per second as well
    pages_per_s: float
    pages_per_s_erasing: float
    #: `pages_per_s_erasing` ÷ `pages_per_s`
    ratio: float
    #: messages erased in all rounds
    erased: int
    errors: list[str]


def measure_erasing(folder: Path, messages: int, rounds: int, advance: Advance = lambda done, total: None) -> Erasing:
    """Serves a bank of open messages while `STORES_PER_S` messages per second are stored, and times how long the
    scheduler takes to seal most of them, without erasures and with one erasure of an open message per second. Returns
    the speeds."""
    speeds: dict[bool, list[float]] = {False: [], True: []}
    erased, errors = 0, list[str]()
    for number in range(rounds):
        for erasing in (False, True):
            place = folder / f"{number}-{erasing}"
            place.mkdir()
            sealing = _Sealing(place, messages)
            speeds[erasing].append(sealing.measure(erasing=erasing))
            erased += sealing.erased
            errors += sealing.errors
            advance(2 * number + erasing + 1, 2 * rounds)
    alone, beside = (statistics.median(speeds[erasing]) for erasing in (False, True))
    return Erasing(messages, rounds, round(alone, 2), round(beside, 2), round(beside / alone, 2), erased, errors)


class _Sealing:
    """One service that seals a bank of open messages."""

    def __init__(self, folder: Path, messages: int) -> None:
        self._folder = folder
        self._messages = messages
        self._random = Random(messages)
        #: Ids of messages that are not erased, in the order in which they are sealed.
        self._left = [str(number) for number in range(messages)]
        self._stored = messages
        self.erased = 0
        self.errors: list[str] = []

    def measure(self, *, erasing: bool) -> float:
        """Pages sealed per second until a fifth of the messages are open."""
        self._fill()
        with Service(self._folder, environment=TICK) as service, client(service.url()) as requests:
            checked(requests.get("/readyz"))  # loads the codec
            began = time.perf_counter()
            with (
                _repeated(STORES_PER_S, lambda: self._store(requests)),
                _repeated(ERASURES_PER_S if erasing else 0, lambda: self._erase(requests)),
            ):
                while (bank := _bank(requests))["open_messages"] > self._messages // 5:
                    if time.perf_counter() - began > LIMIT_S:
                        self.errors.append(f"{bank['open_messages']} messages are still open after {LIMIT_S:.0f} s")
                        break
                    time.sleep(0.1)
                return float(bank["pages"] / (time.perf_counter() - began))

    def _fill(self) -> None:
        start = datetime.now(UTC) - timedelta(hours=9)
        messages: list[dict[str, object]] = [
            {
                "id": key,
                "role": "user",
                "content": texts.message(self._random),
                "created_at": start + timedelta(seconds=number),
            }
            for number, key in enumerate(self._left)
        ]
        with open_database(self._folder) as memory:
            memory.store(BANK, messages)

    def _store(self, requests: httpx.Client) -> None:
        body = {"messages": [{"role": "user", "content": texts.message(self._random)}]}
        self._note(requests.post(f"/v1/banks/{BANK}/messages", json=body))
        self._stored += 1

    def _erase(self, requests: httpx.Client) -> None:
        """Erases an open message."""
        sealed = self._stored - self.erased - _bank(requests)["open_messages"]
        place = min(len(self._left) - 1, sealed + self._random.randrange(max(1, len(self._left) - sealed)))
        self._note(requests.delete(f"/v1/banks/{BANK}/messages/{self._left.pop(place)}"))
        self.erased += 1

    def _note(self, response: httpx.Response) -> None:
        if not response.is_success:
            self.errors.append(f"{response.status_code}: {response.text[:200]}")


def _bank(requests: httpx.Client) -> dict[str, Any]:
    bank: dict[str, Any] = checked(requests.get(f"/v1/banks/{BANK}")).json()
    return bank


@contextmanager
def _repeated(times_per_s: float, action: Callable[[], None]) -> Iterator[None]:
    """Repeats an action in a thread while the context is open."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(1 / times_per_s):
            action()

    thread = threading.Thread(target=run)
    if times_per_s:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if times_per_s:
            thread.join()
