"""`db upgrade`, `db grant`: the schema of the database, and who may use its tables."""

from typing import Annotated

import typer

from foxing.api.cli.context import JsonOption, state_of


def upgrade(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the schema revision and change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Upgrade the schema of the database to this version. Commands that open a memory also do this. `--dry-run` says
    whether running processes of the version before may keep running."""
    from foxing.memory import Maintenance

    state = state_of(context)
    database_options = state.existing_database() if dry_run else state.settings().database_url
    with Maintenance(database_options) as database, state.progress("upgrading"):
        before = database.revision()
        rolling = database.rolls()
        if not dry_run:
            database.migrate()
        after = database.revision()
    outcome = (
        f"upgraded from schema {before or '(none)'} to {after}" if before != after else f"at schema {after or '(none)'}"
    )
    if not rolling:
        outcome += "; the upgrade to this version shuts out running processes of versions before it"
    state.answer(
        {"database": database.display_url, "before": before, "after": after, "rolling": rolling},
        lambda console: console.print(f"{database.display_url}: {outcome}"),
    )


def grant(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="Role of the PostgreSQL database that owns no tables.")],
    as_json: JsonOption = False,
) -> None:
    """Let a role use the tables, subject to row-level security. Run it as the owner of the tables, and again after an
    upgrade that adds tables."""
    from foxing.memory import Maintenance

    state = state_of(context)
    with Maintenance(state.existing_database()) as database:
        database.grant(role)
    state.answer(
        {"database": database.display_url, "role": role},
        lambda console: console.print(f"{database.display_url}: {role} may use the tables"),
    )
