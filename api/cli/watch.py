"""`watch`: store the sessions of coding agents as they are written."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .context import BankOption, JsonOption, State, state_of
from .output import jsonable, printable, write_json
from .signals import StopSignals

if TYPE_CHECKING:
    from foxing.memory.ingest.importers import WatchedFile


def watch(
    context: typer.Context,
    bank: BankOption,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Session files, or folders with them (default: those of Claude Code and Codex).", show_default=False
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Store only messages from this time on, in words or as a date.", show_default=False),
    ] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the files.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Import what is there, then exit.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Store the sessions of Claude Code and Codex that are there, then what is added, until SIGTERM or Ctrl-C.

    Files are read again when they have changed, and what is stored already is not stored twice, so that the command can
    be stopped and started at any time. With --json, one line for each import that stored something, or failed.
    """
    signals = None if once else StopSignals(signal.SIGTERM, signal.SIGINT)
    from foxing.memory import ImportOptions, InvalidInput
    from foxing.memory.ingest.importers import HistoryWatcher
    from foxing.memory.regular_files import not_regular
    from foxing.memory.text.times.window import parse_since

    state = state_of(context)
    watched = paths or default_folders()
    missing = [path for path in watched if not path.exists()]
    if paths and missing:
        raise InvalidInput(f"{missing[0]} does not exist")
    for path in watched:
        if path.exists() and not path.is_dir() and not path.is_file():
            raise not_regular(path)
    if not any(path.exists() for path in watched):
        named = " nor ".join(map(str, watched))
        raise InvalidInput(f"there is neither {named}; name the folder of the sessions")
    zone = state.timezone(None)
    options = ImportOptions(since=None if since is None else parse_since(since, datetime.now(UTC), zone.name))
    with state.memory(create=True) as memory:
        watcher = HistoryWatcher(memory, watched, bank, options)
        if signals is not None:
            signals.started()
        while True:
            for file in watcher.poll():
                _show(state, file)
                if signals is not None and signals.wait(0.0):
                    return
            if signals is None or signals.wait(every):
                return


def default_folders() -> list[Path]:
    """Returns the folders in which Claude Code and Codex keep their sessions."""
    claude = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    codex = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")
    return [claude / "projects", codex / "sessions"]


def _show(state: State, file: "WatchedFile") -> None:
    """Prints an import that stored something, or failed, at once."""
    if file.report is not None and not file.report.stored:
        return
    if state.as_json:
        write_json({"file": str(file.path), "error": file.error, "report": jsonable(file.report)})
    elif file.report is None:
        state.error_console.print(printable(file.error or ""))
    else:
        state.console.print(f"{printable(str(file.path))}: {file.report.stored} messages stored")
    sys.stdout.flush()
