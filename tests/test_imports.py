"""What an import loads: whoever only talks to a service waits for no array library and no database."""

import json
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

HEAVY = ("PIL", "fastapi", "numpy", "sqlalchemy", "torch", "typer")


@pytest.mark.parametrize("module", ["foxing.integrations.client", "foxing.memory"])
def test_values_and_the_client_import_no_heavy_library(module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(sorted({set(HEAVY)} & sys.modules.keys())))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


@pytest.mark.parametrize("name", ["foxing.encoder", "foxing.memory", "foxing.renderer", "foxing.renderer.readers"])
def test_every_name_of_a_package_can_be_imported(name: str) -> None:
    package = import_module(name)
    assert [export for export in package.__all__ if not hasattr(package, export)] == []
    # a module would stand in the place of an export of its name once something has imported it
    modules = {module.name for module in iter_modules(package.__path__)}
    assert modules & set(package.__all__) == set()


def test_an_unknown_name_of_the_memory_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="Nothing"):
        from foxing.memory import Nothing  # type: ignore[attr-defined]  # noqa: F401
