"""The command of the simulation: seeds, steps, shrinking, and what was covered."""

import argparse
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .model import Finding
from .simulation import YEAR_S, Simulation
from .steps import FAULTS, Step, World


@dataclass
class Totals:
    """Sums over seeds."""

    steps: int = 0
    bank_years: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    coverage: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Number of calls by door and name.
    doors: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[tuple[int, int, str]] = field(default_factory=list)


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Returns a folder that is removed after use, in memory where there is such a file system."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="simulation-", dir=memory if memory.is_dir() else None)


def play(seed: int, steps: Sequence[Step], totals: Totals | None = None, **options: Any) -> tuple[int, str] | None:
    """Runs steps. Returns the number of the step that failed and why; None if none did."""
    failure: tuple[int, str] | None = None
    with temporary_folder() as folder:
        simulation = Simulation(seed, Path(folder), **options)
        number = 0
        try:
            with simulation:
                for step in steps:
                    simulation.run(step)
                    number += 1
                simulation.run(Step("check"))
        except Finding as finding:
            failure = (number, str(finding))
        except Exception:
            failure = (number, traceback.format_exc())
        if totals is not None:
            totals.steps += number
            totals.bank_years += simulation.bank_s / YEAR_S
            totals.calls += simulation.calls
            totals.coverage += simulation.coverage
            totals.doors += simulation.doors
    return failure


def digest(seed: int, number: int) -> tuple[str, str]:
    """Returns digests of the trace and of the rows of a seed."""
    with temporary_folder() as folder, Simulation(seed, Path(folder)) as simulation:
        for step in World(seed).steps(number):
            simulation.run(step)
        return simulation.trace.hexdigest(), simulation.rows()


def shrink(seed: int, steps: Sequence[Step], reason: str, limit_s: float = 120, **options: Any) -> list[Step]:
    """Returns fewer steps that fail alike, by delta debugging. `limit_s`: seconds after which it stops."""
    kind = _kind(reason)
    deadline = time.monotonic() + limit_s

    def fails(part: Sequence[Step]) -> bool:
        failure = play(seed, part, **options)
        return failure is not None and _kind(failure[1]) == kind

    subset = list(steps)
    size = max(1, len(subset) // 2)
    while time.monotonic() < deadline:
        smaller = False
        start = 0
        while start < len(subset) and time.monotonic() < deadline:
            part = subset[:start] + subset[start + size :]
            if fails(part):
                subset = part
                smaller = True
            else:
                start += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return subset


def _kind(reason: str) -> str:
    """Returns a reason without numbers, words and quoted texts."""
    words = [word for word in reason.split() if word.isalpha() and not (word.startswith("x") and word.endswith("q"))]
    return " ".join(words[:12])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate banks from seeds.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="Number of seeds from --seed on.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seconds", type=float, help="Stop with the seed that ends after so many seconds.")
    parser.add_argument("--native", action="store_true", help="With the native codec.")
    parser.add_argument("--embedder", help="Name of an embedder; by default a small one or none, by the seed.")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--shrink", type=float, default=0, metavar="SECONDS", help="Shrink failures for so long.")
    parser.add_argument("--first", action="store_true", help="Stop with the first finding.")
    parser.add_argument("--digest", action="store_true", help="Print digests of the trace and of the rows of --seed.")
    namespace = parser.parse_args(arguments)
    if namespace.digest:
        print(*digest(namespace.seed, namespace.steps))
        return 0
    options: dict[str, Any] = {"embedder": namespace.embedder}
    if namespace.native:
        from foxing.encoder import load_codec

        options["codec"] = load_codec("native", "cpu")
    totals = Totals()
    start = time.monotonic()
    for seed in range(namespace.seed, namespace.seed + namespace.seeds):
        steps = list(World(seed, faults=not namespace.no_faults).steps(namespace.steps))
        failure = play(seed, steps, totals, **options)
        if failure is not None:
            number, reason = failure
            totals.findings.append((seed, number, reason))
            print(
                f"seed {seed}, step {number}, {steps[number] if number < len(steps) else 'check'!s:.200}\n  {reason}",
                flush=True,
            )
            if namespace.shrink:
                fewest = shrink(seed, steps[: number + 1], reason, namespace.shrink, **options)
                print("\n".join(f"    {step}" for step in fewest), flush=True)
        late = namespace.seconds is not None and time.monotonic() - start > namespace.seconds
        if late or (namespace.first and totals.findings):
            break
    report(totals, time.monotonic() - start)
    return 1 if totals.findings else 0


def report(totals: Totals, seconds: float) -> None:
    """Prints what was simulated, and which faults met which calls."""
    print(
        f"{totals.steps} steps, {totals.steps / seconds:.1f} a second; {totals.bank_years:.0f} bank-years, "
        f"{totals.bank_years * 3600 / seconds:.0f} an hour; {len(totals.findings)} findings"
    )
    print("| call | runs | over HTTP | " + " | ".join(FAULTS) + " |")
    print("|---|---|---|" + "---|" * len(FAULTS))
    for name in sorted(totals.calls):
        counts = " | ".join(str(totals.coverage[kind, name]) for kind in FAULTS)
        print(f"| {name} | {totals.calls[name]} | {totals.doors['http', name]} | {counts} |")
