"""What importing an integration pulls in."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "sqlalchemy", "fastapi", "numpy", "PIL")


@pytest.mark.parametrize("module", ["foxing.integrations.client"])
def test_an_integration_used_over_http_imports_neither_torch_nor_a_database(module: str) -> None:
    program = (
        f"import sys, {module} as module; from foxing.integrations.client import connect, Client; "
        "connection = connect('http://127.0.0.1:9', 'ana'); Client('http://127.0.0.1:9').close(); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
