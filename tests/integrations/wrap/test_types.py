"""A program with wrapped clients has the types that it has without."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="needs pyright (pip install pyright)")
def test_pyright_accepts_a_program(repository: Path) -> None:
    program = repository / "tests" / "integrations" / "wrap" / "program.py"
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(program)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    if "0 errors" not in done.stdout and "error:" not in done.stdout:
        pytest.skip(f"pyright does not start: {done.stdout[-200:]}{done.stderr[-200:]}")
    assert "0 errors" in done.stdout, done.stdout


@pytest.mark.slow
def test_mypy_accepts_a_program_in_strict_mode(repository: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "-m", "tests.integrations.wrap.program"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
