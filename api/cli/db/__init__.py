"""`db`: schema, rights, backups and integrity of the database."""

import typer

from .backup import backup, restore
from .check import check
from .schema import grant, upgrade

database_commands = typer.Typer(
    name="db", help="Upgrade, back up, restore and check the database.", no_args_is_help=True
)
database_commands.command("upgrade")(upgrade)
database_commands.command("grant")(grant)
database_commands.command("backup")(backup)
database_commands.command("restore")(restore)
database_commands.command("check")(check)
