"""Installs plug-ins in tests: a package in a folder on the import path, with its metadata."""

import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from foxing.renderer import Plugins


def declare(folder: Path, package: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Writes the metadata of an installed `package`. `groups`: group → name → "module:object"."""
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = []
    for group, entries in groups.items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {target}" for name, target in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class InstallPlugin(Protocol):
    """Makes an object the plug-in of a name, until the test ends."""

    def __call__(self, plugins: Plugins[Any], name: str, value: object, package: str = "test-plugins") -> None: ...


class Installer:
    """An `InstallPlugin` that installs into `folder`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.used: list[Plugins[Any]] = []

    def __call__(self, plugins: Plugins[Any], name: str, value: object, package: str = "test-plugins") -> None:
        module = types.ModuleType(f"{package}_{name}".replace("-", "_"))
        module.PLUGIN = value  # type: ignore[attr-defined]
        self.monkeypatch.setitem(sys.modules, module.__name__, module)
        place = self.folder / f"plugin-{len(self.used)}"
        declare(place, f"{package}-{len(self.used)}", {plugins.group: {name: f"{module.__name__}:PLUGIN"}})
        self.monkeypatch.syspath_prepend(str(place))
        self.used.append(plugins)
        plugins.refresh()

    def remove(self) -> None:
        self.monkeypatch.undo()
        for plugins in self.used:
            plugins.refresh()
