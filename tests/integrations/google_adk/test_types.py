"""A user's program passes mypy in strict mode."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_mypy_accepts_a_program_in_strict_mode(repository: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "-m", "tests.integrations.google_adk.program"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
