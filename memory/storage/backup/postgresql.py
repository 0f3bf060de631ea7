"""Backups of PostgreSQL by its own programs: `pg_dump` in the custom format, and `pg_restore`."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from foxing.memory.storage.database import Database

from .files import whole_file
from .values import BackupError

MAGIC = b"PGDMP"
_SHOWN = 600  # characters of what a program says
#: What libpq takes from no variable, and what others must not see among the arguments of a process.
_SECRETS = {"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}
#: As they were, whoever restores them: roles and permissions belong to a server.
_PLAIN = ("--no-owner", "--no-privileges")


@dataclass(frozen=True)
class Programs:
    """Where PostgreSQL's programs are."""

    #: None to look where the system looks for commands.
    folder: Path | None = None

    def find(self, name: str) -> str:
        """The path of a program. Raises `BackupError`."""
        found = shutil.which(name, path=None if self.folder is None else str(self.folder))
        if found is None:
            place = "in PATH" if self.folder is None else f"in {self.folder}"
            raise BackupError(
                f"there is no {name} {place}; install the client programs of PostgreSQL, of the server's version or "
                "newer, or name their folder with --programs"
            )
        return found

    def run(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """What a program prints. Raises `BackupError` with what it says if it fails."""
        command = [self.find(name), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env={**os.environ, **(environment or {})}
        )
        if done.returncode:
            said = " ".join(done.stderr.split())[:_SHOWN] or f"exit status {done.returncode}"
            raise BackupError(f"{name} failed: {said}")
        return done.stdout


def back_up(database: Database, path: Path, programs: Programs) -> str:
    """Dumps the schema of the database to `path`, verified; returns the revision of its tables."""
    connection = _Connection.of(database)
    with whole_file(path) as part:
        arguments = ("--format=custom", f"--schema={_quoted(connection.schema)}", *_PLAIN, f"--file={part}")
        programs.run("pg_dump", *arguments, *connection.arguments, environment=connection.environment)
        return verify(part, programs)


def restore(database: Database, path: Path, accept: Callable[[str], None], programs: Programs) -> None:
    """Makes the tables of a dump, which is verified first, in one transaction. `accept`: raises what speaks against the
    revision of its schema."""
    accept(verify(path, programs))
    connection = _Connection.of(database)
    held = _schemas(path, programs)
    if connection.schema not in held:
        raise BackupError(
            f"the backup is of the schema '{', '.join(sorted(held)) or '?'}', and this database uses "
            f"'{connection.schema}'; choose it by the option search_path in the URL"
        )
    arguments = ("--single-transaction", "--exit-on-error", f"--schema={connection.schema}", *_PLAIN)
    programs.run("pg_restore", *arguments, *connection.arguments, str(path), environment=connection.environment)


def verify(path: Path, programs: Programs) -> str:
    """The revision of the tables in a dump, all of which is read. Raises `BackupError` if it is damaged."""
    try:
        programs.run("pg_restore", f"--file={os.devnull}", str(path))
        rows = programs.run("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(path))
    except BackupError as error:
        raise BackupError(f"the file cannot be read as a backup ({error}); use another") from error
    copied = rows.partition("FROM stdin;\n")[2].partition("\n")[0]
    if not copied or copied == "\\.":
        raise BackupError("the file is a dump of PostgreSQL, but not of Foxing; choose another")
    return copied


def has_blobs(path: Path, programs: Programs) -> bool:
    """Whether a dump refers to blobs in object storage."""
    try:
        rows = programs.run("pg_restore", "--data-only", "--table=blobs", "--file=-", str(path))
    except BackupError:
        return False  # reading all of it says what is wrong
    first = rows.partition("FROM stdin;\n")[2].partition("\n")[0]
    return bool(first) and first != "\\."


@dataclass(frozen=True)
class _Connection:
    """How the programs reach a database: passwords stand in the environment, where other users do not see them."""

    schema: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, database: Database) -> "_Connection":
        from psycopg.conninfo import make_conninfo
        from psycopg.pq import Conninfo

        with database.read() as connection:
            schema = connection.scalar(select(func.current_schema()))
        if schema is None:
            raise BackupError("the schema that search_path names does not exist; create it, or correct the URL")
        given: Mapping[str, Any] = database.engine.dialect.create_connect_args(database.url)[1]
        variables = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults()}
        environment = {v.decode(): str(given[name]) for name, v in variables.items() if v and name in given}
        rest = {n: str(given[n]) for n, v in variables.items() if not v and n in given and n not in _SECRETS}
        rest |= {"dbname": str(given["dbname"])} if "dbname" in given else {}
        return cls(str(schema), ("--no-password", f"--dbname={make_conninfo(**rest)}"), environment)


def _schemas(path: Path, programs: Programs) -> set[str]:
    """The schemas whose tables are in a dump."""
    entries = (line.split() for line in programs.run("pg_restore", "--list", str(path)).splitlines())
    # "215; 1259 16389 TABLE public banks foxing"
    return {entry[4] for entry in entries if len(entry) > 5 and entry[3] == "TABLE" and entry[4] != "DATA"}


def _quoted(schema: str) -> str:
    """A schema as a pattern of `pg_dump`, which would lower its letters and expand its marks."""
    return '"' + schema.replace('"', '""') + '"'
