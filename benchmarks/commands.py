"""Measures `foxing recall`: alone, and answered by a service that runs on the same database.

python -m benchmarks.commands --json
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from foxing.memory import Memory

from .command_line import command, measuring, write_result
from .load.processes import FOXING
from .service import SENTENCE

BANK = "bench"
QUESTION = "which message is about the figures of March?"


@dataclass(frozen=True)
class CommandSpeed:
    """Time and memory of `foxing recall` as a process, from its start to its end, on SQLite."""

    messages: int
    runs: int
    #: Median seconds, and peak memory in MiB, if the command opens the memory itself.
    alone_s: float
    alone_mib: float
    #: The same if a service answers.
    answered_s: float
    answered_mib: float


def measure_commands(folder: Path, messages: int, runs: int) -> CommandSpeed:
    """Stores and seals `messages` messages in a new database in `folder`, and recalls from it `runs` times alone and
    `runs` times beside a service."""
    database = folder / "bench.db"
    with Memory(str(database)) as memory:
        memory.store(BANK, [{"role": "user", "content": SENTENCE.format(number)} for number in range(messages)])
        memory.seal(BANK)
    alone = [_recall(database) for _ in range(runs)]
    with _service(database):
        answered = [_recall(database) for _ in range(runs)]
    return CommandSpeed(
        messages,
        runs,
        *(round(median(values), 2) for values in zip(*alone, strict=True)),
        *(round(median(values), 2) for values in zip(*answered, strict=True)),
    )


def _foxing(database: Path, *arguments: str) -> list[str]:
    return [*FOXING, "--database", str(database), *arguments]


def _recall(database: Path) -> tuple[float, float]:
    """Returns seconds and peak MiB of one command."""
    command = _foxing(database, "recall", QUESTION, "--bank", BANK)
    measured = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=False)
    if measured.returncode:
        raise RuntimeError(f"foxing recall failed: {measured.stderr.strip()}")
    seconds, peak = json.loads(measured.stdout)
    return seconds, peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


#: Program that runs a command and prints its seconds and its peak memory, which for Linux includes that of the process
#: that started it; hence this small one.
_MEASURE = """
import json, os, sys, time
start = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(pid, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@contextmanager
def _service(database: Path) -> Iterator[None]:
    """A service on the database that has answered a first recall."""
    command = _foxing(database, "serve", "--port", "0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # the URL
            _recall(database)
            yield
        finally:
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = command(
        "commands",
        "Measure the time and the memory of foxing recall, alone and answered by a running service.",
        ("messages", 1, 2000, "Messages in the bank"),
        ("runs", 1, 7, "Runs of each"),
    ).parse_args(arguments)
    with measuring("asking") as (folder, _):
        result = measure_commands(folder, options.messages, options.runs)
    write_result(options, result)


if __name__ == "__main__":
    main()
