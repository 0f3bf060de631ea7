"""LiteLLM, which cannot be installed beside the other packages: it requires python-dateutil 2. Install it into a folder
of its own, and name the folder:

    pip install --target FOLDER 'litellm>=1.110,<2'
    LITELLM_FOLDER=FOLDER .venv/bin/python -m pytest tests/integrations/upstream
"""

import importlib.util
import os
import subprocess
import sys

import pytest

FOLDER = os.environ.get("LITELLM_FOLDER")
_START = "import sys, warnings; warnings.simplefilter('ignore'); sys.path.extend(filter(None, [{folder!r}]))\n"

needs_litellm = pytest.mark.skipif(
    FOLDER is None and importlib.util.find_spec("litellm") is None,
    reason="needs litellm: set LITELLM_FOLDER to a folder with it (tests/support/litellm_package.py)",
)


def run_with_litellm(program: str, *arguments: str, given: str = "") -> str:
    """Returns the last line that a program prints, which reads `given`. It runs in a process of its own: importing
    LiteLLM takes seconds and warns."""
    done = subprocess.run(
        [sys.executable, "-c", _START.format(folder=FOLDER) + program, *arguments],
        input=given,
        capture_output=True,
        text=True,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
