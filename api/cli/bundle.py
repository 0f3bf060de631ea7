"""`bundle`: move a bank to another server or database, copy it, and rename it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foxing.memory import BundleReport

from .context import BankOption, JsonOption, State, state_of
from .output import jsonable, printable
from .streams import STREAM, input_file, is_stream, output_file

if TYPE_CHECKING:
    from rich.console import Console

bundle_commands = typer.Typer(
    name="bundle", help="Move a bank to another server or database, copy it, rename it.", no_args_is_help=True
)

ToArgument = Annotated[str, typer.Argument(help="Name of the new bank.", show_default=False)]
FromArgument = Annotated[str, typer.Argument(help="Name of the bank.", show_default=False)]


@bundle_commands.command("export")
def export(
    context: typer.Context,
    bank: BankOption,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; - is standard output.", show_default="standard output"),
    ] = Path(STREAM),
    as_json: JsonOption = False,
) -> None:
    """Export a bank as a bundle: one portable archive with its pages, messages, images, records, folds, policy and
    index, as they are at one moment. The same bank gives the same bytes. Protect it like the database."""
    state = state_of(context)
    with state.memory() as memory, output_file(output) as file, state.progress("exporting") as progress:
        report = memory.operations.bundles.export(bank, file, progress=progress)
    if not is_stream(output):
        _answer(state, report, f"written to {printable(str(output))}")


@bundle_commands.command("import")
def load(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Bundle; - is standard input.", show_default=False)],
    bank: BankOption,
    as_json: JsonOption = False,
) -> None:
    """Import a bundle as a new bank, completely or not at all. It is read and checked as a whole before anything is
    stored; an import that was killed has stored nothing and is run again."""
    state = state_of(context)
    with state.memory(create=True) as memory, input_file(file) as path:
        report = memory.operations.bundles.load(bank, path)
    _answer(state, report, f"imported as {bank}")


@bundle_commands.command("copy")
def copy(context: typer.Context, bank: FromArgument, to: ToArgument, as_json: JsonOption = False) -> None:
    """Copy a bank, as it is at one moment, to a new one in the same database."""
    state = state_of(context)
    with state.memory() as memory:
        report = memory.operations.bundles.copy(bank, to)
    _answer(state, report, f"copied to {to}")


@bundle_commands.command("rename")
def rename(context: typer.Context, bank: FromArgument, to: ToArgument, as_json: JsonOption = False) -> None:
    """Give a bank another name."""
    state = state_of(context)
    with state.memory() as memory:
        memory.operations.bundles.rename(bank, to)
    state.answer({"bank": to}, lambda console: console.print(f"{bank} is now {to}"))


def _answer(state: State, report: BundleReport, what: str) -> None:
    def show(console: "Console") -> None:
        console.print(
            f"{report.messages} messages, {report.pages} pages, {report.images} images and {report.records} records "
            f"({report.bytes:,} bytes) {what}"
        )
        if not report.keeps_references:
            console.print("  references such as k7q are new, because the database has given theirs to other messages")
        for reason, count in report.unreadable.items():
            console.print(f"  {count} pages cannot be read: {printable(reason)}; what is kept of their text can")

    state.answer(jsonable(report), show)
