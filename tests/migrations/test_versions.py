"""The files of the migrations: what they may import, and how they follow each other."""

import ast
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from foxing.memory.storage.database import alembic_config

VERSIONS = sorted((Path(__file__).resolve().parents[2] / "migrations" / "versions").glob("*.py"))


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_a_migration_imports_no_code_that_may_change(file: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import is one of foxing"
            imported.add(node.module or "")
    packages = {name.partition(".")[0] for name in imported}
    assert packages <= {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    assert "importlib" not in packages


def test_each_migration_follows_the_one_before() -> None:
    scripts = [*ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]
    revisions = [script.revision for script in scripts]
    assert [script.down_revision for script in scripts] == [None, *revisions[:-1]]
    assert [file.stem[: len("2026_12_02_1430")] for file in VERSIONS] == revisions
