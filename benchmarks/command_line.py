"""Parts shared by the benchmark commands: arguments, a folder and a progress bar, output as a table or JSON."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from foxing.memory.index.embedder import DEFAULT_EMBEDDER
from foxing.renderer import FoxingError

PIPE_COLUMNS = 240  # width of a table if stdout is not a terminal

#: Progress callback, called with the steps done and the total.
Advance = Callable[[int, int], None]


def at_least(minimum: int) -> Callable[[str], int]:
    """Returns an argparse type for integers of at least `minimum`."""

    def integer(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}")
        return value

    return integer


def command(name: str, description: str, *counts: tuple[str, int, int, str]) -> argparse.ArgumentParser:
    """Returns the parser of `python -m benchmarks.NAME`. It has `--json` and the options `counts`: name, minimum,
    default and help of each."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    for option, minimum, default, text in counts:
        help_text = f"{text} (default: %(default)s)."
        parser.add_argument(f"--{option}", type=at_least(minimum), default=default, metavar="N", help=help_text)
    add_json_option(parser)
    return parser


def add_embedder_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--embedder`."""
    text = "Embedder, or 'none' (default: %(default)s)."
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER, metavar="NAME", help=text)


@contextmanager
def measuring(label: str) -> Iterator[tuple[Path, Advance]]:
    """Yields a temporary folder and the callback of a progress bar. Exits with an error message for a `FoxingError`."""
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, progress_bar(label) as progress:
        try:
            yield Path(folder), progress
        except FoxingError as error:
            sys.exit(f"error: {error}")


def write_result(options: argparse.Namespace, result: Any, name: str | None = None) -> None:
    """Writes a dataclass, or a list of them, as a table or, with `--json`, as JSON: the value of `name`, if given."""
    fields = [asdict(row) for row in result] if isinstance(result, list) else asdict(result)
    if options.as_json:
        write_json(fields if name is None else {name: fields})
    elif isinstance(fields, list):
        show_rows(fields)
    else:
        show(fields)


def show(result: Mapping[str, Any]) -> None:
    """Prints a two-column table of the fields of `result`, and a table of each that holds rows."""
    tables = {name: value for name, value in result.items() if _is_table(value)}
    show_fields({name: value for name, value in result.items() if name not in tables})
    for table in tables.values():
        show_rows(table)


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`, stored as `as_json`."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="Write one JSON document to stdout.")


@contextmanager
def progress_bar(label: str) -> Iterator[Advance]:
    """Shows a progress bar on stderr if it is a terminal; yields the callback that advances it."""
    columns = (TextColumn(label), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def write_json(document: object) -> None:
    """Writes `document` to stdout on one line."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def show_fields(fields: Mapping[str, object]) -> None:
    """Prints a two-column table of names and values."""
    _show(("figure", "value"), [(name.replace("_", " "), _shown(value)) for name, value in fields.items()])


def show_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints a table with one column per field. All rows must have the same fields."""
    heads = [name.replace("_", " ") for name in rows[0]] if rows else []
    _show(heads, [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_COLUMNS)
    console.print(table)
