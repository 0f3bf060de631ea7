"""Outcomes of an import of several files: each is reported at once, and one that fails does not end the others."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console

from foxing.memory import Unavailable
from foxing.renderer import FoxingError

from .context import State
from .output import jsonable


class ImportedFiles:
    """The files of a command, in order, with what became of each."""

    def __init__(self, state: State, paths: Sequence[Path]) -> None:
        self._state = state
        self._paths = paths
        self._outcomes: list[dict[str, Any]] = []
        self._failed: list[FoxingError] = []
        #: files that were not tried, because the memory cannot be used
        self._untried: list[Path] = []
        self._is_broken = False

    def __iter__(self) -> Iterator[Path]:
        """Yields the files, but no more once the memory cannot be used."""
        for path in self._paths:
            if self._is_broken:
                self._untried.append(path)
            else:
                yield path

    @contextmanager
    def errors(self, path: Path) -> Iterator[None]:
        """Reports an error of a file among others, and goes on. That of a single file is raised."""
        try:
            yield
        except FoxingError as error:
            if len(self._paths) == 1:
                raise
            from foxing.api.problems import problem_of

            self._state.fail(error)
            self._failed.append(error)
            self._is_broken = isinstance(error, Unavailable)
            self._outcomes.append({"file": str(path), "error": problem_of(error).document()})

    def add(self, path: Path, outcome: BaseModel, show: Callable[[Console], None]) -> None:
        """Reports a file, at once: an error in the next one does not undo it."""
        self._outcomes.append({"file": str(path), **jsonable(outcome)})
        if not self._state.as_json:
            show(self._state.console)

    def end(self, show: Callable[[Console], None] = lambda console: None) -> None:
        """Prints the outcomes with `--json`, else calls `show`. Exits with status 1 if a file failed."""
        untried = [str(path) for path in self._untried]
        self._state.answer({"files": self._outcomes, **({"untried": untried} if untried else {})}, show)
        if not self._failed:
            return
        failed = len(self._failed) + len(untried)
        if not self._state.as_json:
            note = f"; not tried: {', '.join(untried)}" if untried else ""
            self._state.error_console.print(f"{failed} of {len(self._paths)} files were not imported{note}")
        raise typer.Exit(1)
