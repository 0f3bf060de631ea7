"""What an import loads: whoever only talks to a service waits for no array library and no database."""

import json
import subprocess
import sys

import pytest

HEAVY = ("PIL", "fastapi", "numpy", "sqlalchemy", "torch", "typer")


@pytest.mark.parametrize("module", ["foxing.integrations.client", "foxing.memory"])
def test_values_and_the_client_import_no_heavy_library(module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(sorted({set(HEAVY)} & sys.modules.keys())))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


def test_every_name_of_the_memory_can_be_imported() -> None:
    import foxing.memory
    import foxing.renderer.exports

    for package in (foxing.memory, foxing.renderer.exports):
        assert [name for name in package.__all__ if not hasattr(package, name)] == []
    with pytest.raises(ImportError, match="Nothing"):
        from foxing.memory import Nothing  # type: ignore[attr-defined]  # noqa: F401
