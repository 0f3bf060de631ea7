"""Simulations of a few seeds, and whether a seed decides everything. More: docs/contributing/simulation.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .command import play
from .model import Finding
from .simulation import Simulation
from .steps import Fault, Step, World

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STEPS = 60


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_a_seed_passes(seed: int) -> None:
    assert play(seed, list(World(seed).steps(STEPS))) is None


def test_a_seed_decides_steps_answers_and_rows() -> None:
    digests = []
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "tests.simulation", "--seed", "7", "--steps", str(STEPS), "--digest"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        output = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        digests.append(output.stdout)
    assert digests[0] == digests[1]
    assert len(digests[0].split()) == 2


def test_a_lost_message_is_a_finding(tmp_path: Path) -> None:
    with Simulation(1, tmp_path) as simulation:
        message = {"role": "user", "content": "xbaq hello xbaq", "id": "m1"}
        store = Step("store", {"bank": "bank0", "thread": "daily", "messages": [message]}, Fault("kill", 400))
        simulation.run(store)
        simulation.memory.erase_message("bank0", "m1")  # behind the back of the model
        with pytest.raises(Finding, match="was acknowledged"):
            simulation.run(Step("seal", {"bank": "bank0"}))
