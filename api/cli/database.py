"""`db`: the schema of the database."""

import typer

from .context import JsonOption, state_of

database_commands = typer.Typer(name="db", help="Manage the database schema.", no_args_is_help=True)


@database_commands.command("upgrade")
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Upgrade the database to the schema of this version. Commands that open a memory do this as well."""
    from foxing.memory.storage.database import Database

    state = state_of(context)
    database = Database(state.settings().database_url)
    try:
        before = database.revision()
        database.migrate()
        after = database.revision()
    finally:
        database.close()
    outcome = f"at schema {after}" if before == after else f"upgraded from schema {before or '(none)'} to {after}"
    state.answer(
        {"database": database.display_url, "before": before, "after": after},
        lambda console: console.print(f"{database.display_url}: {outcome}", soft_wrap=True, markup=False),
    )


@database_commands.command("current")
def current(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the schema revision of the database without changing it."""
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
