"""Discrete-event simulation of the job queue: schedulers fill it, workers empty it, pages become due."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import simpy

from foxing.memory.lifecycle.rewrite import BATCH


class Due(NamedTuple):
    """A page that becomes due."""

    at_s: float
    bank: int


@dataclass(frozen=True)
class Machines:
    """Workers and their timing. Each has a scheduler of its own, as `foxing worker` has."""

    workers: int
    interval_s: float
    #: lengths of jobs of one page, sampled at random; each further page takes as long
    job_s: Sequence[float]
    #: poll interval of an idle worker, unless its scheduler wakes it earlier
    poll_s: float = 5.0


@dataclass
class _Bank:
    #: times at which its pages became due, except pages already aged
    due: deque[float] = field(default_factory=deque)
    queued: bool = False


@dataclass
class _State:
    machines: Machines
    random: Random
    environment: Any
    banks: dict[int, _Bank] = field(default_factory=dict)
    #: banks with due pages and without a job
    ready: dict[int, None] = field(default_factory=dict)
    queue: deque[int] = field(default_factory=deque)
    lags_s: list[float] = field(default_factory=list)
    waiting: dict[int, Any] = field(default_factory=dict)


def simulate(machines: Machines, pages: Sequence[Due], seed: int = 0) -> list[float]:
    """Returns the seconds from when each page became due until it was aged, in the order of ageing."""
    state = _State(machines, Random(seed), simpy.Environment())
    environment = state.environment
    arrivals = environment.process(_arrivals(state, sorted(pages)))
    for number in range(machines.workers):
        environment.process(_clock(state, number))
        environment.process(_worker(state, number))
    environment.run(until=arrivals)
    while len(state.lags_s) < len(pages):
        environment.run(until=environment.now + machines.interval_s)
    return state.lags_s


def _arrivals(state: _State, pages: Sequence[Due]) -> Iterator[Any]:
    for page in pages:
        yield state.environment.timeout(page.at_s - state.environment.now)
        bank = state.banks.setdefault(page.bank, _Bank())
        bank.due.append(page.at_s)
        if not bank.queued:
            state.ready[page.bank] = None


def _clock(state: _State, number: int) -> Iterator[Any]:
    """Fills the queue at each tick, and wakes the worker of the same process."""
    yield state.environment.timeout(state.machines.interval_s * number / state.machines.workers)
    while True:
        for key in state.ready:
            state.banks[key].queued = True
            state.queue.append(key)
        state.ready.clear()
        if (called := state.waiting.pop(number, None)) is not None:
            called.succeed()
        yield state.environment.timeout(state.machines.interval_s)


def _worker(state: _State, number: int) -> Iterator[Any]:
    while True:
        if not state.queue:
            called = state.waiting[number] = state.environment.event()
            yield called | state.environment.timeout(state.machines.poll_s)
            state.waiting.pop(number, None)
            continue
        key = state.queue.popleft()
        bank = state.banks[key]
        left = len(bank.due)
        while left:  # pages that become due meanwhile are left to the next job
            batch = min(left, BATCH)
            yield state.environment.timeout(sum(state.random.choices(state.machines.job_s, k=batch)))
            state.lags_s += [state.environment.now - bank.due.popleft() for _ in range(batch)]
            left -= batch
        bank.queued = False
        if bank.due:
            state.ready[key] = None


def evenly(pages: int, seconds: float, banks: int) -> list[Due]:
    """Returns pages that become due at even intervals, each in the next bank."""
    return [Due(seconds * number / pages, number % banks) for number in range(pages)]


def daily(pages: int, banks: int, peak: float, seed: int = 0) -> list[Due]:
    """Returns the pages of one day, in random banks; in the busiest hour, `peak` times as many become due as in a mean
    hour."""
    random = Random(seed)
    result: list[Due] = []
    while len(result) < pages:  # a triangle above a floor, thinned
        at = random.random()
        if random.random() * peak <= _shape(at, peak):
            result.append(Due(at * 86_400, random.randrange(banks)))
    return result


def _shape(at: float, peak: float) -> float:
    """Load at a time of the day, from 0 to 1, relative to its mean."""
    width = min(1.0, 1 / peak) if peak > 1 else 1.0
    floor = max(0.0, (1 - peak * width / 2) / (1 - width / 2)) if peak > 1 else 1.0
    distance = abs(at - 0.5) / (width / 2)
    return floor + max(0.0, 1 - distance) * (peak - floor)


def quantile(values: Sequence[float], share: float) -> float:
    """Returns the value below which the share `share` of the values lies, rounded to two digits."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
