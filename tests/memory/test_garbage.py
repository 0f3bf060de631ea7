"""Garbage collection of a command: not while it loads, and not when it ends."""

import json
import subprocess
import sys

#: Runs the command, and prints how many collections there were.
COUNTED = """
import atexit, gc, json, sys
counts = [0, 0, 0]
def count(phase, info):
    counts[info["generation"]] += phase == "start"
gc.callbacks.append(count)
atexit.register(lambda: print(json.dumps([counts, gc.get_freeze_count()]), file=sys.stderr))
from foxing.api.cli import main
sys.argv = ["foxing", *sys.argv[1:]]
main()
"""


def test_a_command_walks_what_it_loads_rarely() -> None:
    command = [sys.executable, "-c", COUNTED, "recall", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    counts, frozen = json.loads(run.stderr)
    assert sum(counts) <= 3
    assert frozen > 10_000


def test_a_command_at_work_collects_as_usual() -> None:
    script = (
        "import gc; usual = gc.get_threshold(); from foxing.memory.garbage import collect_as_usual, collect_rarely\n"
        "collect_as_usual(); assert gc.get_freeze_count() == 0; collect_rarely(); assert gc.get_threshold() != usual\n"
        "collect_as_usual(); assert gc.get_threshold() == usual and gc.get_freeze_count() > 0"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
