"""`foxing install`: write the hooks and the MCP server into the settings of a coding agent."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from foxing.integrations.command_state import CommandState

from .command import HostName
from .hosts import HOSTS, PROGRAM, Host

if TYPE_CHECKING:
    from .settings_files import FileChange

UNDO = "installed.json"


def install(
    context: typer.Context,
    tool: Annotated[HostName, typer.Argument(help="The coding agent.", show_default=False)],
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank", "-b", help="A bank for all projects. Default: one for each project.", show_default=False
        ),
    ] = None,
    banks: Annotated[
        str | None,
        typer.Option(
            help="Further banks that prompts are answered from, such as personal,team; sessions are not stored there.",
            show_default=False,
        ),
    ] = None,
    project: Annotated[
        bool,
        typer.Option(
            "--project/--user", help="Whether to write the settings of the project in this folder or those of the user."
        ),
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take out what was installed. Banks are kept.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    past: Annotated[
        bool, typer.Option("--past/--no-past", help="Whether to import the past sessions of this project now.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let a coding agent remember: write hooks and an MCP server into its settings.

    Shows the change and asks before it is written. What else the files hold keeps its bytes, comments included;
    --remove gives them back as they were. With --json, --yes is needed to write.
    """
    from foxing.integrations.client.requests import bank_path

    from .errors import SettingsRefused
    from .places import default_database, folder_of
    from .projects import root_of
    from .settings_files import Scope, Undo, find_executables, installation, removal

    state = cast(CommandState, context.obj)
    state.as_json = as_json
    others = banks.split(",") if banks is not None else []
    for name in (*others, *([] if bank is None else [bank])):
        bank_path(name)
    database = database_of(state)
    if database is None:
        raise SettingsRefused("hooks need a SQLite database; unset the URL of the other one, or name a file")
    chosen, scope = HOSTS[tool], Scope(root_of(Path.cwd()) if project else None)
    undo = Undo(Path(folder_of(database)) / UNDO)
    unfound = project and not remove and shutil.which(PROGRAM) is None
    if remove:
        changes = removal(chosen, scope, undo)
    else:
        programs = find_executables(bank, None if database == default_database() else database, others)
        changes = installation(chosen, scope, programs, undo)
    changes = [change for change in changes if change]
    written = bool(changes) and not dry_run and (yes or (not as_json and _confirmed(state, changes)))
    if written:
        for change in changes:
            change.write()
            if remove:
                undo.forget(change.path)
            else:
                undo.note(_since_first(change, undo))
    if not remove and past and (written or not changes) and not dry_run:
        _announce(tool, bank, database)
    document = {
        "tool": tool,
        "written": written,
        "changes": [{"path": str(change.path), "diff": change.diff()} for change in changes],
    }

    def show(console: Any) -> None:
        _show(console, document, remove, dry_run, yes, chosen)
        if unfound:
            console.print(f"{PROGRAM} is not on the PATH here; whoever works on the project needs: pipx install foxing")

    state.answer(document, show)


def database_of(state: CommandState) -> str | None:
    """Returns the path of the SQLite database of the settings; None if they name another database."""
    file = state.database_file()
    return None if file is None else str(file)


def _since_first(change: "FileChange", undo: Any) -> "FileChange":
    """Returns the change since before the first installation, if the file was as that one wrote it."""
    from .settings_files import FileChange

    as_written, first = undo.before(change.path, change.before)
    return FileChange(change.path, first, change.after) if as_written else change


def _confirmed(state: CommandState, changes: "Sequence[FileChange]") -> bool:
    for change in changes:
        typer.echo(change.diff())
    return typer.confirm("Write this?")


def _announce(tool: str, bank: str | None, database: str) -> None:
    """Leaves an event for the service, and starts the service if there is none, so that it imports past sessions."""
    from .calls import INSTALLED
    from .client import start_service
    from .places import spool_of
    from .spool import Event, put

    put(spool_of(database), Event(tool, INSTALLED, bank or "", str(Path.cwd()), b"{}"))
    from .doctor import service_status

    if service_status(database) is None:
        start_service(database)


def _show(console: Any, document: dict[str, Any], remove: bool, dry_run: bool, yes: bool, host: Host) -> None:
    if not document["changes"]:
        console.print(
            f"Nothing to {'remove' if remove else 'change'}: {host.title} {'has' if not remove else 'lacks'} it."
        )
        return
    if dry_run or yes:
        for change in document["changes"]:
            console.print(change["diff"], end="")
    if not document["written"]:
        console.print("Nothing was written.")
        return
    for change in document["changes"]:
        console.print(f"{'Restored' if remove else 'Wrote'} {change['path']}")
    if remove:
        console.print("The banks are kept; foxing erase deletes one.")
        return
    if host.trust:
        console.print(f"{host.trust}.")
    console.print("Passwords, keys and text between <private> and </private> are replaced before anything is stored.")
    console.print(f"Sessions that {host.title} starts from now on remember; foxing doctor shows whether it works.")
    console.print("Remembering costs no model tokens: no language model is asked when messages are stored.")
