"""`db backup` and `db restore`."""

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable
from foxing.api.cli.streams import STREAM, input_file, is_stream, write_file
from foxing.memory.errors import InvalidInput

ProgramsOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of PostgreSQL's pg_dump, pg_restore and psql.", show_default="where the system finds them"
    ),
]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to write; - is standard output.", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole database, as of one moment, to a file, while services and workers go on.

    SQLite's is a copy of the file; PostgreSQL's is a dump by pg_dump in the custom format. It is verified, appears when
    it is whole, and only its owner can read it. Keep it as safe as the database: it holds what that holds. Standard
    output gets it when it is whole, too, which takes room for it in the folder for temporary files; a database with
    blobs in object storage needs a file, beside which they are written.
    """
    from foxing.memory.storage.backup.backup import back_up
    from foxing.memory.storage.backup.postgresql import Programs
    from foxing.memory.storage.database import Database

    state = state_of(context)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="foxing-backup-"))) if is_stream(file) else None
        database = stack.enter_context(Database(state.existing_database()))
        progress = stack.enter_context(state.progress("backing up"))
        path = file if folder is None else folder / "backup"
        made = back_up(database, path, overwrite=overwrite, programs=Programs(programs), progress=progress)
        if folder is not None:
            if len(list(folder.iterdir())) > 1:
                raise InvalidInput("a backup with blobs is more than one file; name a file to write them beside")
            write_file(path)
            state.error_console.print(f"{made.bytes:,} bytes, schema {made.revision}, verified")
            return
    state.answer(
        {"file": str(made.path), "kind": made.dialect, "revision": made.revision, "bytes": made.bytes},
        lambda console: console.print(
            f"{printable(str(made.path))}: {made.bytes:,} bytes, schema {made.revision}, verified",
        ),
    )


def restore(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="File that `foxing db backup` has written; - is standard input.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an empty database what a backup holds: all of it, or nothing if something is wrong.

    The database is that of --database or FOXING_DATABASE_URL. A file must not exist yet, and a database of PostgreSQL
    must have no tables; the backup is verified first. What was forgotten after the backup was made is there again.
    """
    from foxing.memory.storage.backup.backup import restore as restore_backup
    from foxing.memory.storage.backup.postgresql import Programs
    from foxing.memory.storage.database import Database

    state = state_of(context)
    with Database(state.settings().database_options) as database:
        if not yes:
            if is_stream(file) or not sys.stdin.isatty():
                raise InvalidInput("nobody can be asked here whether to restore; add --yes")
            typer.confirm(f"Restore {printable(str(file))} into {database.display_url}?", abort=True, err=True)
        with input_file(file) as path, state.progress("restoring") as progress:
            made = restore_backup(database, path, programs=Programs(programs), progress=progress)
    source = STREAM if is_stream(file) else str(made.path)
    state.answer(
        {"database": database.display_url, "file": source, "kind": made.dialect, "revision": made.revision},
        lambda console: console.print(
            f"{database.display_url}: restored from {printable(source)}, schema {made.revision}",
        ),
    )
