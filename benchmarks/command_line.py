"""Helpers shared by the benchmark commands: argument types, a progress bar, output as a table or JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

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


def write_json(document: Mapping[str, object]) -> None:
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
