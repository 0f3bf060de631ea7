"""Shared parts of the commands: options, access to the settings and the memory, and output of results and errors."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import typer

from foxing.api.running_service import RunningService, sqlite_file
from foxing.api.settings.names import read_setting
from foxing.renderer.plugins import CLIENT

from .output import Timezone, printable, system_timezone, write_json

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from foxing.api.settings import Settings
    from foxing.memory import BankInfo, DatabaseOptions, KeyInfo, Memory, PageInfo
    from foxing.memory.values.quarantine import QuarantinedMessage
    from foxing.renderer import FoxingError

    from .progress import Advance

PIPE_COLUMNS = 240
#: One of the checks of `doctor`, `db check` and `codec check`: its name, its question, the answer, and what to do about
#: it, which is empty where all is well.
Check: TypeAlias = tuple[str, str, str, Sequence[str]]
R = TypeVar("R", bound="BaseModel")


@dataclass
class State:
    """The state of one invocation, kept in the context of the command."""

    #: `--database`, as given before the name of the command.
    database: str | None = field(default=None, repr=False)
    #: True if `--json` was given.
    as_json: bool = False
    #: Returns the name or the offset of the timezone to use without `--timezone`.
    system_timezone: Callable[[], str] = system_timezone

    def settings(self, **overrides: Any) -> "Settings":
        """Returns the effective settings; `overrides` that are not None take precedence. Raises `InvalidSettings`."""
        from foxing.api.settings import load_settings

        return load_settings({"database_url": self.database, **overrides})

    @contextmanager
    def memory(self, *, create: bool = False, embed_later: bool = False) -> Iterator["Memory"]:
        """Opens the memory of the settings and closes it on exit. `create`: create the database if it does not exist;
        otherwise a missing database raises `NoDatabase`. `embed_later`: see `open_memory`."""
        from foxing.api.memory_factory import open_memory

        with open_memory(self.settings(), create=create, embed_later=embed_later, door="command") as memory:
            yield memory

    def database_url(self) -> str | None:
        """Returns the path or URL of the database, as the option or a setting gives it; None for the default one."""
        return self.database or read_setting("database_url")

    def database_file(self) -> Path | None:
        """Returns the path of the SQLite database; None for another database."""
        return sqlite_file(self.database_url())

    def key(self) -> str | None:
        """Returns the API key of the settings; None if there is none."""
        return read_setting("api_key")

    def running_service(self) -> RunningService | None:
        """Returns the service that runs on this database; None if there is none. It may have ended without notice."""
        file = self.database_file()
        return None if file is None else RunningService.of(file)

    def ask_service(self, bank: str, call: str, request: "BaseModel", kind: type[R]) -> R | None:
        """Returns the answer of the service that runs on this database to `POST /v1/banks/{bank}/{call}`, which takes a
        tenth of the time of opening the memory; None if there is none, it answers with an error, or with what this
        version cannot read, which is said on stderr."""
        service = self.running_service()
        if service is None:
            return None
        path = f"/v1/banks/{quote(bank, safe='')}/{call}"
        answer = service.post(path, request.model_dump_json(exclude_unset=True).encode())
        if answer is None:
            return None
        try:
            return kind.model_validate_json(answer)
        except ValueError:
            from importlib.metadata import version

            self.error_console.print(
                f"the service that runs on this database is {service.version()}, and its answer cannot be read by this "
                f"command, version {version(CLIENT)}; restart the service with the version of the command",
                style="yellow",
            )
            return None

    def existing_database(self) -> "DatabaseOptions":
        """Returns the database of the settings, which is not created if it does not exist."""
        return replace(self.settings().database_options, create=False)

    def timezone(self, name: str | None) -> Timezone:
        """Returns the timezone to read and show times in. `name`: the value of `--timezone`; None for the system's
        timezone. Raises `InvalidTime`."""
        return Timezone.named(self.system_timezone() if name is None else name)

    @property
    def console(self) -> "Console":
        """Console on stdout, for results. Piped output is wide, so that tables do not wrap."""
        from rich.console import Console

        console = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)
        if not console.is_terminal:
            console.width = PIPE_COLUMNS
        return console

    @property
    def error_console(self) -> "Console":
        """Console on stderr, for progress and errors."""
        from rich.console import Console

        return Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)

    @property
    def shows_progress(self) -> bool:
        """True if progress is printed to stderr. With `--json`, only a terminal gets it."""
        return self.error_console.is_terminal or not self.as_json

    @contextmanager
    def progress(self, description: str) -> "Iterator[Advance]":
        """Shows the progress of the block on stderr; yields the function to call as it proceeds. See `progress`."""
        if not self.shows_progress:
            yield lambda done, total: None
            return
        from .progress import progress

        with progress(self.error_console, description) as advance:
            yield advance

    def answer(self, document: Any, show: "Callable[[Console], None]") -> None:
        """Prints `document` as one line of JSON with `--json`; calls `show` otherwise."""
        if self.as_json:
            write_json(document)
        else:
            show(self.console)

    def report(self, document: Mapping[str, Any], checks: "Sequence[Check]") -> None:
        """Shows what was checked, with `--json` as `checks` of `document`. Exits with status 1 if there is something to
        do about it."""
        problems = [f"{name}: {advice}" for name, _, _, advices in checks for advice in advices]

        def show(console: "Console") -> None:
            for name, question, answer, _ in checks:
                console.print(printable(f"{name}: {question} {answer}"))
            for problem in problems:
                console.print(printable(f"problem: {problem}"))
            if not problems:
                console.print("Everything is in order.")

        names = ("check", "question", "answer", "advice")
        self.answer({**document, "checks": [dict(zip(names, check, strict=True)) for check in checks]}, show)
        if problems:
            raise typer.Exit(1)

    def fail(self, error: "FoxingError") -> int:
        """Prints the error to stderr and returns the exit status: 2 for invalid settings, else 1."""
        from foxing.api.problems import encodable, problem_of
        from foxing.api.settings import InvalidSettings
        from foxing.api.settings.names import explained

        explanation = explained(error, _option_name)
        if self.as_json:
            sys.stderr.write(json.dumps(problem_of(error, detail=explanation).document(), ensure_ascii=False) + "\n")
        else:
            self.error_console.print(printable(encodable(explanation)), style="red")
        return 2 if isinstance(error, InvalidSettings) else 1


def _option_name(name: str) -> str:
    """Returns what a command calls an option."""
    return f"option --{name.replace('_', '-')}"


class _Part(Protocol):
    """One page of a list."""

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=_Part)


def _parts(listing: Callable[[str | None], P]) -> Iterator[P]:
    """Yields the pages of a list. `listing`: returns the page at a cursor, None for the first."""
    cursor = None
    while True:
        part = listing(cursor)
        yield part
        cursor = part.next_cursor
        if cursor is None:
            return


def all_banks(memory: "Memory") -> "list[BankInfo]":
    """Returns all banks of the database."""
    return [bank for part in _parts(lambda cursor: memory.banks(limit=500, cursor=cursor)) for bank in part.banks]


def all_keys(memory: "Memory") -> "list[KeyInfo]":
    """Returns all keys of the database, revoked ones included."""
    keys = memory.operations.keys
    return [key for part in _parts(lambda cursor: keys.list(limit=500, cursor=cursor)) for key in part.keys]


def all_pages(memory: "Memory", bank: str) -> "list[PageInfo]":
    """Returns all pages of a bank, oldest first."""
    return [page for part in _parts(lambda cursor: memory.pages(bank, limit=500, cursor=cursor)) for page in part.pages]


def all_quarantine(memory: "Memory", bank: str) -> "list[QuarantinedMessage]":
    """Returns all quarantined messages of a bank, in the order of their arrival."""
    quarantine = memory.operations.quarantine
    parts = _parts(lambda cursor: quarantine.list(bank, limit=500, cursor=cursor))
    return [message for part in parts for message in part.messages]


def state_of(context: typer.Context) -> State:
    """Returns the `State` of this invocation, which is created on first use."""
    state: State = context.ensure_object(State)
    return state


def _set_json(context: typer.Context, value: bool) -> bool:
    if value:
        state_of(context).as_json = True
    return value


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", callback=_set_json, is_eager=True, help="Print the result or the error as one JSON document."
    ),
]
BankOption = Annotated[str, typer.Option("--bank", "-b", help="Name of the bank.", show_default=False)]
TimezoneOption = Annotated[
    str | None,
    typer.Option(
        help="Time zone for reading and showing times, such as Europe/Berlin.", show_default="the system's timezone"
    ),
]
NowOption = Annotated[
    str | None,
    typer.Option(
        help="Time to use instead of the current time: an RFC 3339 time, a date, or words such as “yesterday”.",
        show_default="the current time",
    ),
]
