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
from foxing.memory import InvalidInput

ProgramsOption = Annotated[
    Path | None,
    typer.Option(help="Folder that contains PostgreSQL's pg_dump, pg_restore and psql.", show_default="the PATH"),
]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to write; - is standard output.", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up the whole database to a file: a consistent snapshot, taken while services and workers keep running.

    The backup of a SQLite database is a copy of its file; that of a PostgreSQL database is a dump by pg_dump in the
    custom format. The file is verified before it gets its name, and only its owner can read it. Protect it like the
    database: it contains the same data. A backup to standard output is first written to the folder for temporary files.
    A database with blobs in object storage needs a named file: the blobs are written next to it.
    """
    from foxing.memory import Maintenance

    state = state_of(context)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="foxing-backup-"))) if is_stream(file) else None
        database = stack.enter_context(Maintenance(state.existing_database()))
        progress = stack.enter_context(state.progress("backing up"))
        path = file if folder is None else folder / "backup"
        report = database.back_up(path, overwrite=overwrite, programs=programs, progress=progress)
        if folder is not None:
            if len(list(folder.iterdir())) > 1:
                raise InvalidInput(
                    "a backup with blobs consists of several files; give the name of a file instead of -"
                )
            write_file(path)
            state.error_console.print(f"{report.bytes:,} bytes, schema {report.revision}, verified")
            return
    state.answer(
        {"file": str(report.path), "kind": report.dialect, "revision": report.revision, "bytes": report.bytes},
        lambda console: console.print(
            f"{printable(str(report.path))}: {report.bytes:,} bytes, schema {report.revision}, verified",
        ),
    )


def restore(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Backup made by `foxing db backup`; - is standard input.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Restore without confirmation.")] = False,
    programs: ProgramsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into an empty database, completely or not at all.

    The target is the database of --database or FOXING_DATABASE_URL. A SQLite file must not exist yet, and a PostgreSQL
    database must have no tables. The backup is verified first. Messages that were erased after the backup was made are
    present again.
    """
    from foxing.memory import Maintenance

    state = state_of(context)
    with Maintenance(state.settings().database_options) as database:
        if not yes:
            if is_stream(file) or not sys.stdin.isatty():
                raise InvalidInput("standard input is not a terminal, so the restore cannot be confirmed; add --yes")
            typer.confirm(f"Restore {printable(str(file))} into {database.display_url}?", abort=True, err=True)
        with input_file(file) as path, state.progress("restoring") as progress:
            report = database.restore(path, programs=programs, progress=progress)
    source = STREAM if is_stream(file) else str(report.path)
    state.answer(
        {"database": database.display_url, "file": source, "kind": report.dialect, "revision": report.revision},
        lambda console: console.print(
            f"{database.display_url}: restored from {printable(source)}, schema {report.revision}",
        ),
    )
