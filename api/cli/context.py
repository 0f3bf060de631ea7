"""What the commands share: options, the settings and the memory they name, and how they answer."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from foxing.api.settings import Settings
    from foxing.memory import Memory
    from foxing.memory.models import RecalledMessage, UncertainRun
    from foxing.renderer import FoxingError

PIPE_COLUMNS = 240
Advance = Callable[[int, int], None]


@dataclass
class State:
    """What a run of the command knows: the options before its name, and how it answers."""

    database: str | None = None
    as_json: bool = False

    def settings(self, **overrides: Any) -> "Settings":
        """The settings in force. Raises `InvalidSettings`."""
        from foxing.api.settings import load_settings

        return load_settings({"database_url": self.database, **overrides})

    @contextmanager
    def memory(self) -> Iterator["Memory"]:
        """The memory that the settings name, closed at the end."""
        from foxing.api.memory_factory import open_memory

        with open_memory(self.settings()) as memory:
            yield memory

    @property
    def console(self) -> Console:
        """Where answers for people go: stdout. In a pipe, lines are as long as they need be."""
        console = Console(highlight=False)
        return console if console.is_terminal else Console(highlight=False, width=PIPE_COLUMNS)

    @property
    def notes(self) -> Console:
        """Where progress and remarks go: stderr."""
        return Console(stderr=True, highlight=False)

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        """A bar on stderr, where that is a terminal; gives the function that long work tells (done, total)."""
        columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        console = self.notes
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def answer(self, document: Any, show: Callable[[Console], None]) -> None:
        """One JSON document on stdout with `--json`, else what `show` prints."""
        if self.as_json:
            write_json(document)
        else:
            show(self.console)

    def fail(self, error: "FoxingError") -> int:
        """Says what went wrong on stderr; returns the exit status."""
        from foxing.api.problems import encodable, problem_of
        from foxing.api.settings import InvalidSettings

        if self.as_json:
            sys.stderr.write(json.dumps(problem_of(error).document(), ensure_ascii=False) + "\n")
        else:
            self.notes.print(Text(printable(encodable(str(error))), style="red"), soft_wrap=True)
        return 2 if isinstance(error, InvalidSettings) else 1


def state_of(context: typer.Context) -> State:
    state: State = context.ensure_object(State)
    return state


def _json_wanted(context: typer.Context, value: bool) -> bool:
    if value:
        state_of(context).as_json = True
    return value


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", callback=_json_wanted, is_eager=True, help="Answer one JSON document, and errors as another."
    ),
]
BankOption = Annotated[str, typer.Option("--bank", "-b", help="The bank.", show_default=False)]
TimezoneOption = Annotated[
    str | None, typer.Option(help="Time zone of times without an offset, as Europe/Berlin.", show_default=False)
]


def write_json(document: Any) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=False) + "\n")


def plain(document: Any) -> Any:
    """A pydantic value as JSON-able values; anything else as it is."""
    return document.model_dump(mode="json") if hasattr(document, "model_dump") else document


def moment(text: str | None, option: str) -> datetime | None:
    """An RFC 3339 time with its offset. Raises `InvalidTime`."""
    from foxing.memory.errors import InvalidTime

    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidTime(f"{option} takes a time as 2026-03-02T09:15:00Z, not '{text}'") from error
    if value.tzinfo is None:
        raise InvalidTime(f"{option} needs an offset: write {value.isoformat()}Z or {value.isoformat()}+01:00")
    return value


#: Characters a terminal obeys instead of showing them: controls, and those that turn the direction of writing.
_UNSAFE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: "␡",
    **{code: f"⟦{code:X}⟧" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


def printable(text: str) -> str:
    """`text` with everything that could steer a terminal made visible."""
    return text.translate(_UNSAFE)


def marked(text: str, uncertain: "Sequence[UncertainRun]") -> Text:
    """`text` with the runs that may be misread underlined."""
    shown = Text()
    position = 0
    for start, stop, _ in uncertain:
        shown.append(printable(text[position:start]))
        shown.append(printable(text[start:stop]), style="underline yellow")
        position = stop
    shown.append(printable(text[position:]))
    return shown


def show_span(console: Console, span: "RecalledMessage") -> None:
    """A message as remembered, for people."""
    speaker = span.role if span.name is None else f"{span.role} {span.name}"
    held = span.source if span.tier is None else f"{span.source} at {span.tier}"
    sure = "" if span.source != "decoded" else f", {span.confidence:.1%} sure"
    head = f"{short_time(span.created_at)}  {speaker}  [{span.thread}]  {held}{sure}"
    console.print(Text(printable(head), style="dim"), soft_wrap=True)
    console.print(marked(span.text, span.uncertain), soft_wrap=True)
    console.print()


def short_time(value: datetime | None) -> str:
    """To the minute, in UTC."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def day(value: datetime | None) -> str:
    """In UTC."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; columns named in `right` hold numbers. The first one, by which a row is named, is not broken."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=number == 0)
    return made
