"""Results of the runs, as stored in docs/figures.json, and the conditions under which each was measured."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from foxing.encoder import load_codec

from .runs import ROOT

#: What the figures themselves change: a run does not depend on it.
WRITTEN = ("docs", "README.md", "encoder/native/MODEL_CARD.md")
MEASURED, RESULT = "measured", "result"


def conditions() -> dict[str, Any]:
    """Returns what figures measured now are of. Exits with an error if the checkout is not that of a commit."""
    status = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in WRITTEN))
    if status:
        raise SystemExit(f"error: figures name their commit; commit or stash first:\n{status}")
    return {
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "weights": load_codec("native").weights,
        "day": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


class Results:
    """Results by name of their run, written to a file after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._runs: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def __contains__(self, name: str) -> bool:
        return name in self._runs

    def __getitem__(self, name: str) -> Any:
        return self._runs[name][RESULT]

    def measured(self, name: str) -> Mapping[str, Any]:
        """Returns the conditions of a run; empty if it is not stored."""
        measured: Mapping[str, Any] = self._runs.get(name, {}).get(MEASURED, {})
        return measured

    def has(self, name: str, now: Mapping[str, Any]) -> bool:
        """Returns whether a run is stored that is of the commit and weights of `now`."""
        measured = self.measured(name)
        return bool(measured) and all(measured[key] == now[key] for key in ("commit", "weights"))

    def store(self, name: str, measured: Mapping[str, Any], result: Any) -> None:
        """Adds or replaces a run, and writes the file."""
        with self._lock:
            self._runs[name] = {MEASURED: dict(measured), RESULT: result}
            text = json.dumps(dict(sorted(self._runs.items())), indent=1, ensure_ascii=False) + "\n"
            draft = self._path.with_suffix(".draft")
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._path)
