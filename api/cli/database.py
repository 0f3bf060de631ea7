"""`demo` and `db`."""

from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, state_of

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
