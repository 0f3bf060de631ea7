"""`db check`: check the integrity of the database."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable, table

if TYPE_CHECKING:
    from foxing.memory.check.report import CheckReport


def check(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild derived data and delete orphaned rows.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Decode every page and compare every message with the index, not only a sample."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the integrity of the database while services and workers keep running.

    All checksums, offsets and references are checked. Unless --all is given, 100 pages are decoded and 1,000 messages
    compared with the index. --repair deletes orphaned rows and rebuilds data derived from pages and messages: the word
    index, embeddings, and the lookup of messages by id. It never changes pages or messages; restore those from a
    backup. Exits with status 1 if problems remain.
    """
    from foxing.api.memory_factory import open_check
    from foxing.memory.check.check import CheckOptions
    from foxing.memory.storage.database import Database

    state = state_of(context)
    settings = state.settings()
    with Database(state.existing_database()) as database, state.progress("checking") as progress:
        report = open_check(database, settings).run(CheckOptions(repair, everything, progress))
    state.answer({**report.model_dump(mode="json"), "ok": report.sound}, lambda console: _show(console, report))
    if not report.sound:
        raise typer.Exit(1)


def _show(console: Console, report: "CheckReport") -> None:
    rows = [(part.name, part.checked, part.problems, part.repaired, part.note) for part in report.parts]
    console.print(table("check, >checked, >problems, >repaired, ", rows))
    for part in report.parts:
        for example in part.examples:
            console.print(f"{part.name}: {printable(example)}")
    if not report.problems:
        outcome = "ok"
    elif report.sound:
        outcome = f"{report.repaired:,} problems, all repaired"
    else:
        outcome = f"{report.problems:,} problems, {report.repaired:,} repaired"
    console.print(
        f"{report.database}: {report.banks:,} banks, {report.pages:,} pages ({report.pages_decoded:,} decoded), "
        f"{report.messages:,} messages: {outcome}",
    )
