"""Installs plug-ins in tests: a package in a folder on the import path, with its metadata."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest


def declare(folder: Path, package: str, **groups: dict[str, str]) -> None:
    """Writes the metadata of an installed `package`. `groups`: group with `_` for the dot → name → "module:object"."""
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = []
    for group, entries in groups.items():
        lines.append(f"[{group.replace('_', '.', 1)}]")
        lines += [f"{name} = {target}" for name, target in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def install_object(
    monkeypatch: pytest.MonkeyPatch, folder: Path, group: str, name: str, value: Any, package: str = "test-plugins"
) -> None:
    """Makes `value` the plug-in called `name` of `group`, for as long as `monkeypatch` lasts."""
    module = types.ModuleType(f"{package.replace('-', '_')}_{name.replace('-', '_')}")
    module.PLUGIN = value  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    declare(folder / module.__name__, package, **{group.replace(".", "_"): {name: f"{module.__name__}:PLUGIN"}})
    monkeypatch.syspath_prepend(str(folder / module.__name__))
