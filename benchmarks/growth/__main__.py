"""Measures how the processor time of every public entry grows with its input: the HTTP routes, the commands, the
importers, and images, each at an eighth, a quarter, a half and the whole of the input's limit.

python -m benchmarks.growth --json
python -m benchmarks.growth --only 'POST /v1/banks/{bank}/messages' --only 'import mail' --all
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..command_line import add_json_option, at_least, show_rows, write_json
from .commands import command_probes
from .images import image_probes
from .importers import importer_probes
from .probes import Probe, World
from .routes import route_probes

#: Eight times the input may take so many times the processor time.
MOST_GROWTH = 16.0
#: Growth is judged where the whole input takes at least so long: less is lost in what every call costs.
FLOOR_S = 0.1
SHARES = (8, 4, 2, 1)  # the input's limit divided by


@dataclass(frozen=True)
class Grown:
    """Processor seconds of a probe by the size of its input."""

    entry: str
    input: str
    limit: int
    #: at an eighth, a quarter, a half and the whole of the limit; None where a call exceeded the most it may take
    cpu_s: tuple[float | None, ...]
    #: what is wrong; empty if nothing
    fault: str

    @property
    def ratio(self) -> float | None:
        """Processor time of the whole input divided by that of an eighth; None if a call was ended."""
        first, last = self.cpu_s[0], self.cpu_s[-1]
        return None if first is None or last is None else last / max(first, 1e-4)


def probes(folder: Path, only: Sequence[str]) -> list[Probe]:
    """Returns all probes, or those whose entry or input contains one of `only`."""
    every = [*route_probes(), *command_probes(), *importer_probes(folder), *image_probes()]
    return [each for each in every if not only or any(part in f"{each.entry}: {each.input}" for part in only)]


def measure(wanted: Sequence[Probe], most_s: float) -> Iterator[Grown]:
    """Yields the figures of probes, each measured in a process that ends when a call exceeds `most_s` of processor
    time; the next probe begins in a new one."""
    position = 0
    fork = get_context("fork")
    while position < len(wanted):
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=_measure_rest, args=(wanted[position:], most_s, theirs), daemon=True)
        process.start()
        theirs.close()
        got = False
        while (answer := _received(ours)) is not None:
            probe = wanted[position]
            yield _judged(probe, *answer)
            position, got = position + 1, True
        process.join()
        if position < len(wanted):  # it was ended in the midst of a probe
            probe = wanted[position]
            if process.exitcode == -signal.SIGXCPU:
                yield Grown(probe.entry, probe.input, probe.limit, (None,) * len(SHARES), f"a call took {most_s:g} s")
            else:
                yield Grown(probe.entry, probe.input, probe.limit, (None,) * len(SHARES), f"died: {process.exitcode}")
            position += 1
        elif not got:
            return


def _received(connection: Connection) -> tuple[tuple[float, ...], str] | None:
    try:
        answer: tuple[tuple[float, ...], str] = connection.recv()
    except EOFError:
        return None
    return answer


def _measure_rest(wanted: Sequence[Probe], most_s: float, connection: Connection) -> None:
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log of requests
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        world = World.open(Path(folder))
        for probe in wanted:
            times, fault = list[float](), ""
            for share in SHARES:
                try:
                    call = probe.prepare(world, max(1, probe.limit // share))
                    spent = resource.getrusage(resource.RUSAGE_SELF)
                    used = spent.ru_utime + spent.ru_stime
                    resource.setrlimit(resource.RLIMIT_CPU, (int(used + most_s) + 1, resource.RLIM_INFINITY))
                    started = time.process_time()
                    status = call()
                    times.append(time.process_time() - started)
                    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                    if status is not None and status >= 500:
                        fault = f"status {status}"
                except Exception as error:
                    times.append(0.0)
                    fault = f"{type(error).__name__}: {str(error)[:120]}"
            connection.send((tuple(times), fault))
        connection.close()
        os._exit(0)  # not waiting for the threads of the world


def _judged(probe: Probe, times: tuple[float, ...], fault: str) -> Grown:
    grown = Grown(probe.entry, probe.input, probe.limit, times, fault)
    if not fault and times[-1] >= FLOOR_S and (ratio := grown.ratio) is not None and ratio > MOST_GROWTH:
        fault = f"8 times the input takes {ratio:.0f} times the processor time"
    elif not fault and probe.cap_s is not None and times[-1] > probe.cap_s:
        fault = f"{times[-1]:.1f} s at the limit, {probe.cap_s:g} are allowed"
    return Grown(probe.entry, probe.input, probe.limit, times, fault)


def _row(grown: Grown) -> dict[str, Any]:
    times = ["ended" if each is None else round(each, 3) for each in grown.cpu_s]
    ratio = grown.ratio
    return {
        "entry": grown.entry,
        "input": grown.input,
        "limit": grown.limit,
        **dict(zip(("1x_s", "2x_s", "4x_s", "8x_s"), times, strict=True)),
        "ratio": "" if ratio is None else round(ratio, 1),
        "fault": grown.fault,
    }


def main() -> None:
    """Runs the benchmark from the command line; exits with status 1 if an entry exceeds its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="Entries or inputs that contain it."
    )
    parser.add_argument("--all", action="store_true", help="Show all inputs, not only the slowest and the faults.")
    parser.add_argument("--most", type=at_least(1), default=30, help="Processor seconds after which a call is ended.")
    parser.add_argument("--list", action="store_true", dest="only_list", help="List the inputs without measuring them.")
    add_json_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted = probes(Path(folder), options.only)
        if options.only_list:
            for probe in wanted:
                print(f"{probe.entry}: {probe.input} ({probe.limit:,})")
            return
        rows = list[dict[str, Any]]()
        faults = 0
        for grown in measure(wanted, options.most):
            rows.append(_row(grown))
            faults += bool(grown.fault)
            if grown.fault:
                print(f"{grown.entry}: {grown.input}: {grown.fault}", file=sys.stderr, flush=True)
    summary = {"entries": len({row["entry"] for row in rows}), "inputs": len(rows), "faults": faults}
    if options.as_json:
        write_json(summary | {"rows": rows})
    else:
        shown = rows if options.all else [row for row in rows if row["fault"]]
        slowest = sorted((row for row in rows if not row["fault"]), key=lambda row: -float(row["8x_s"]))[:20]
        show_rows([*shown, *(() if options.all else slowest)])
        print(summary)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
