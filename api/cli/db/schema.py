"""`db upgrade` and `db current`: the schema of the database."""

import typer

from foxing.api.cli.context import JsonOption, state_of


def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Upgrade the schema of the database to this version. Commands that open a memory also do this."""
    from foxing.memory.storage.database import Database

    state = state_of(context)
    with Database(state.settings().database_url) as database, state.progress("upgrading"):
        before = database.revision()
        database.migrate()
        after = database.revision()
    outcome = f"at schema {after}" if before == after else f"upgraded from schema {before or '(none)'} to {after}"
    state.answer(
        {"database": database.display_url, "before": before, "after": after},
        lambda console: console.print(f"{database.display_url}: {outcome}"),
    )


def current(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the schema revision of the database without changing it."""
    from foxing.memory.storage.database import Database

    state = state_of(context)
    with Database(state.existing_database()) as database:
        revision = database.revision()
    state.answer(
        {"database": database.display_url, "revision": revision},
        lambda console: console.print(f"{database.display_url}: schema {revision or '(none)'}"),
    )
