"""Whether the simulation finds faults: those of the past put back by patches, and mutations.

python -m tests.simulation.trials past [--seconds 1800]
python -m tests.simulation.trials mutations --number 30 --seed 1 --seconds 300
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
PAST = Path(__file__).parent / "past"
#: Folders whose code is mutated.
MUTATION_FOLDERS = ("memory/storage", "memory/lifecycle", "memory/index")
#: Of their files, those that no step of the simulation reaches.
EXCLUSIONS = re.compile(
    r"postgresql|blobs|objects|bulk|embedding_endpoint|model_endpoint|use_|universal_|embedders|embedder_source|conformance"
)


@dataclass(frozen=True)
class Trial:
    """Outcome of a simulation of a changed tree."""

    name: str
    finding: bool
    seconds: float
    #: Processor time of the simulation, shrinking included.
    cpu_s: float
    #: Number of steps after shrinking; 0 if it was not found or not shrunk.
    steps: int
    reason: str

    def __str__(self) -> str:
        verdict = f"found after {self.seconds:.0f} s" if self.finding else f"not found in {self.seconds:.0f} s"
        verdict += f" ({self.cpu_s:.0f} s of CPU time)"
        steps = f", {self.steps} steps" if self.steps else ""
        return f"{self.name}: {verdict}{steps}: {self.reason}"


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Yields a copy of the checkout, with the kernel that is built in it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [path for path in listing.stdout.split("\0") if path and not path.startswith(("docs/", "clients/"))]
    paths += [str(path.relative_to(ROOT)) for path in ROOT.glob("encoder/native/entropy/*.so")]
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        for path in paths:
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / path).exists() or (ROOT / path).is_symlink():
                shutil.copy2(ROOT / path, target, follow_symlinks=False)
        yield Path(folder)


def simulate(tree: Path, name: str, seconds: float, first_seed: int, shrink: float) -> Trial:
    """Runs simulations of a tree until the first finding, or for `seconds`."""
    options = {"seed": first_seed, "seeds": 1_000_000, "steps": 80, "seconds": seconds, "shrink": shrink}
    command = [sys.executable, "-m", "tests.simulation", "--first"]
    command += [part for option, value in options.items() for part in (f"--{option}", str(value))]
    environment = {**os.environ, "PYTHONPATH": str(tree / ".src"), "PYTHONDONTWRITEBYTECODE": "1"}
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    reason = ""
    duration_s = 0.0
    steps = 0
    for line in process.stdout:
        if line.startswith("seed ") and not reason:
            duration_s = time.monotonic() - start
            reason = line[:60].strip()
        elif line.startswith("  ") and duration_s and steps == 0 and not line.startswith("    simulation"):
            reason = f"{reason} … {line.strip()[:160]}"
        steps += line.startswith("    simulation.run")
    _, errors = process.communicate()
    if not reason and process.returncode != 0:
        reason = f"the simulation ends with {process.returncode}: {(errors.strip().splitlines() or [''])[-1][:160]}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Trial(name, bool(reason), duration_s or time.monotonic() - start, cpu_s, steps, reason)


def past(seconds: float, names: Sequence[str]) -> list[Trial]:
    """Puts back the faults of the past, one at a time."""
    trials = []
    for patch in sorted(PAST.glob("*.patch")):
        if names and patch.stem not in names:
            continue
        with copied_tree() as tree:
            subprocess.run(["git", "apply", str(patch)], cwd=tree, check=True)
            trials.append(simulate(tree, patch.stem, seconds, 1, 240))
            print(trials[-1], flush=True)
    return trials


def mutations(number: int, seed: int, seconds: float) -> list[Trial]:
    """Mutates the code at `number` places, one at a time. Places and operators are chosen by `seed` among those of
    cosmic-ray."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    rng = Random(f"mutations {seed}")
    files = sorted(path for folder in MUTATION_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    files = [path for path in files if not EXCLUSIONS.search(str(path.relative_to(ROOT)))]
    weights = [path.stat().st_size for path in files]
    names = sorted(name for name in operator_names() if "Variable" not in name)  # those need arguments
    operators = {name: get_operator(name)() for name in names}
    trials: list[Trial] = []
    while len(trials) < number:
        path = rng.choices(files, weights)[0]
        source = path.read_text(encoding="utf-8")
        nodes = list(ast_nodes(get_ast(source)))
        places = [
            (name, occurrence)
            for name, operator in operators.items()
            for occurrence in range(sum(1 for node in nodes for _ in operator.mutation_positions(node)))
        ]
        if not places:
            continue
        kind = rng.choice(sorted({_kind(name) for name, _ in places}))
        name, occurrence = rng.choice([place for place in places if _kind(place[0]) == kind])
        mutant = mutate_code(source, get_operator(name)(), occurrence)
        if mutant is None or mutant == source:
            continue
        file = path.relative_to(ROOT)
        pairs = zip(source.splitlines(), mutant.splitlines(), strict=False)
        line = next(number for number, (old, new) in enumerate(pairs, 1) if old != new)
        with copied_tree() as tree:
            (tree / file).write_text(mutant, encoding="utf-8")
            label = f"{file}:{line} {name.removeprefix('core/')} | {mutant.splitlines()[line - 1].strip()[:80]}"
            if not _starts(tree):
                continue
            trials.append(simulate(tree, label, seconds, 1, 0))
            print(trials[-1], flush=True)
    return trials


def _kind(name: str) -> str:
    """Returns the kind of an operator of cosmic-ray, such as ReplaceBinaryOperator."""
    return name.partition("_")[0]


def _starts(tree: Path) -> bool:
    """Whether a tree can be imported. A mutation that any test finds says nothing about the simulation."""
    command = [sys.executable, "-c", "import tests.simulation.simulation"]
    paths = os.pathsep.join((str(tree / ".src"), str(tree), str(tree / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.trials", description="Try the simulation.")
    parser.add_argument("kind", choices=("past", "mutations"))
    parser.add_argument("names", nargs="*", help="Names of faults of the past; default: all.")
    parser.add_argument("--seconds", type=float, default=1800, help="Limit of one simulation.")
    parser.add_argument("--number", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    namespace = parser.parse_args(arguments)
    if namespace.kind == "past":
        trials = past(namespace.seconds, namespace.names)
    else:
        trials = mutations(namespace.number, namespace.seed, namespace.seconds)
    print(f"{sum(trial.finding for trial in trials)} of {len(trials)} found")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
