"""A migration that does not exist yet: the example in the documentation, added to those of this version."""

import re
from pathlib import Path

import pytest

from foxing.memory.storage import database

REPOSITORY = Path(__file__).resolve().parents[2]
LATER = "2999_01_01_0001"
_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def add_later_migration(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Has this process believe that `LATER` is the newest revision. `folder`: an empty one, or that of another call."""
    (example,) = _EXAMPLE.findall((REPOSITORY / "docs" / "contributing" / "migrations.md").read_text(encoding="utf-8"))
    folder.mkdir(exist_ok=True)
    (folder / f"{LATER}_archived_threads.py").write_text(example, encoding="utf-8")
    monkeypatch.setattr(database, "migration_folders", lambda: (REPOSITORY / "migrations" / "versions", folder))
