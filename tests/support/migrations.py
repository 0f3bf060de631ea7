"""A migration that does not exist yet: the example in the documentation, added to those of this version."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Column, ForeignKey, MetaData, Table, false

from foxing.memory.storage import database, schema
from foxing.memory.storage.columns import Key, user_text

REPOSITORY = Path(__file__).resolve().parents[2]
LATER = "2999_01_01_0001"
_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def add_later_migration(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Has this process believe that `LATER` is the newest revision. `folder`: an empty one, or that of another call."""
    (example,) = _EXAMPLE.findall((REPOSITORY / "docs" / "contributing" / "migrations.md").read_text(encoding="utf-8"))
    folder.mkdir(exist_ok=True)
    (folder / f"{LATER}_archived_threads.py").write_text(example, encoding="utf-8")
    monkeypatch.setattr(database, "migration_folders", lambda: (REPOSITORY / "migrations" / "versions", folder))
    tables = MetaData(naming_convention=schema.metadata.naming_convention)
    for table in schema.metadata.sorted_tables:
        table.to_metadata(tables)
    tables.tables["threads"].append_column(Column("archived", Boolean, server_default=false(), nullable=False))
    Table(
        "thread_notes",
        tables,
        Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
        Column("bank_id", Key, nullable=False, index=True),
        Column("text", user_text(), nullable=False),
    )
    monkeypatch.setattr(schema, "metadata", tables)
