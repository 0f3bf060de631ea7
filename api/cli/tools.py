"""`demo`, `train` and `db`: beside the work of every day."""

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from .context import JsonOption, state_of, write_json

database_commands = typer.Typer(name="db", help="The database itself.", no_args_is_help=True)


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for the page images.")] = Path("out/demo"),
    as_json: JsonOption = False,
) -> None:
    """Remember a year of conversation, let it fade, and recall from what is left. Touches no database of yours."""
    from foxing.api.demo.run import run_demo

    state = state_of(context)
    run_demo(output, state.console, state.as_json)


def train(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="A folder with train/*.jsonl.gz and eval/*.jsonl.gz.", show_default=False)],
    run: Annotated[Path, typer.Option(help="The folder for weights, state and log.")] = Path("runs/native"),
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="How long to train.", show_default="90, or as the recipe says")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A JSON file with options of the training.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the native codec. With --json: the held-out accuracies on stdout, everything else on stderr."""
    from foxing.encoder.errors import CodecError
    from training.native.train import TrainingOptions
    from training.native.train import train as train_codec

    state = state_of(context)
    latest = run / "latest.safetensors"
    if resume and not latest.exists():
        raise CodecError(f"there is nothing to resume in {run}: begin without --resume")
    options = TrainingOptions() if recipe is None else TrainingOptions.from_recipe(recipe)
    if minutes is not None:
        options = replace(options, minutes=minutes)
    with redirect_stdout(sys.stderr if state.as_json else sys.stdout):
        report: dict[str, Any] = train_codec(data, run, options, resume=latest if resume else None)
    if state.as_json:
        write_json({"run": str(run), "held_out": report})


@database_commands.command("upgrade")
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Bring the database up to this version. Every command that opens it does so, too."""
    from foxing.memory.storage.database import Database

    state = state_of(context)
    database = Database(state.settings().database_url)
    try:
        before = database.revision()
        database.migrate()
        after = database.revision()
    finally:
        database.close()
    said = f"at schema {after}" if before == after else f"upgraded from schema {before or '(none)'} to {after}"
    state.answer(
        {"database": database.display_url, "before": before, "after": after},
        lambda console: console.print(f"{database.display_url}: {said}", soft_wrap=True, markup=False),
    )


@database_commands.command("current")
def current(context: typer.Context, as_json: JsonOption = False) -> None:
    """Tell which schema the database is at, without changing it."""
    from foxing.memory.storage.database import Database

    state = state_of(context)
    database = Database(state.settings().database_url)
    try:
        revision = database.revision()
    finally:
        database.close()
    state.answer(
        {"database": database.display_url, "revision": revision},
        lambda console: console.print(
            f"{database.display_url}: schema {revision or '(none)'}", soft_wrap=True, markup=False
        ),
    )
