"""`db check`: whether the database is sound."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable, table

if TYPE_CHECKING:
    from foxing.memory.check.report import CheckReport


def check(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Set right what can be made again.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Decode every page and compare every message with the index, not a sample."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that everything in the database can be read and agrees with the rest, while services and workers go on.

    Every checksum, place and reference is looked at; of pages 100 are decoded and of messages 1,000 compared with the
    index, unless --all is given. --repair deletes rows that belong to nothing, and makes again what is worked out from
    pages and messages: words, embeddings, and what finds a message by its id. It never changes pages or messages, for
    which there is the backup. Exits with status 1 if anything is wrong that was not repaired.
    """
    from foxing.api.memory_factory import open_check
    from foxing.memory.check.check import CheckOptions
    from foxing.memory.storage.database import Database

    state = state_of(context)
    settings = state.settings()
    with Database(state.existing_database()) as database, state.progress("checking") as progress:
        report = open_check(database, settings).run(CheckOptions(repair, everything, progress))
    state.answer({**report.model_dump(mode="json"), "sound": report.sound}, lambda console: _show(console, report))
    if not report.sound:
        raise typer.Exit(1)


def _show(console: Console, report: "CheckReport") -> None:
    rows = [(part.name, part.checked, part.problems, part.repaired, part.note) for part in report.parts]
    console.print(table("check, >looked at, >wrong, >repaired, ", rows))
    for part in report.parts:
        for example in part.examples:
            console.print(f"{part.name}: {printable(example)}")
    if not report.problems:
        outcome = "sound"
    elif report.sound:
        outcome = f"{report.repaired:,} problems, all repaired"
    else:
        outcome = f"{report.problems:,} problems, {report.repaired:,} repaired"
    console.print(
        f"{report.database}: {report.banks:,} banks, {report.pages:,} pages ({report.pages_decoded:,} decoded), "
        f"{report.messages:,} messages: {outcome}",
    )
