"""Backup of PostgreSQL with its client programs: `pg_dump` in the custom format, `pg_restore` and `psql`."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from sqlalchemy import func, select

from foxing.memory.storage.database import Database

from .values import BackupError

MAGIC = b"PGDMP"
_SHOWN = 600  # characters of a program's output in an error
#: Options that libpq reads from no variable and that must not be visible among the arguments of a process.
_SECRETS = {"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}
#: Entries that a dump of Foxing's schema may have. Functions, triggers, rules, views and extensions would run code.
_KINDS = (
    *("TABLE DATA", "TABLE", "SEQUENCE OWNED BY", "SEQUENCE SET", "SEQUENCE", "DEFAULT", "INDEX"),
    *("FK CONSTRAINT", "CONSTRAINT", "POLICY", "ROW SECURITY", "SCHEMA", "COMMENT"),
)
#: Without roles and permissions, which belong to a server.
_PLAIN = ("--no-owner", "--no-privileges")


@dataclass(frozen=True)
class Programs:
    """Location of PostgreSQL's client programs."""

    #: None to search PATH.
    folder: Path | None = None

    def find(self, name: str) -> str:
        """Returns the path of a program. Raises `BackupError`."""
        program = shutil.which(name, path=None if self.folder is None else str(self.folder))
        if program is None:
            place = "in PATH" if self.folder is None else f"in {self.folder}"
            raise BackupError(
                f"there is no {name} {place}; install the client programs of PostgreSQL, of the server's version or "
                "newer, or name their folder with --programs"
            )
        return program

    def run(
        self,
        name: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
    ) -> str:
        """Runs a program and returns its output, empty if that goes to `output`. Raises `BackupError` with its error
        output if it fails."""
        command = [self.find(name), *arguments]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
        )
        if done.returncode:
            raise _failed(name, done.returncode, done.stderr)
        return done.stdout or ""


def back_up(database: Database, part: Path, programs: Programs) -> str:
    """Dumps the schema of the database to the file `part` and verifies it. Returns the revision of its tables."""
    connection = _Connection.of(database)
    arguments = ("--format=custom", f"--schema={_quoted(connection.schema)}", *_PLAIN, f"--file={part}")
    programs.run("pg_dump", *arguments, *connection.arguments, environment=connection.environment)
    return verify(part, programs)


def restore(database: Database, path: Path, folder: str, accept: Callable[[str], None], programs: Programs) -> None:
    """Restores a dump, which is verified first, with its blobs in `folder`, in one transaction. `accept`: raises if the
    revision of the dump is not acceptable."""
    accept(verify(path, programs))
    connection = _Connection.of(database)
    schemas = _schemas(path, programs)
    if connection.schema not in schemas:
        raise BackupError(
            f"the backup is of the schema '{', '.join(sorted(schemas)) or '?'}', and this database uses "
            f"'{connection.schema}'; set the option search_path in the URL"
        )
    arguments = (f"--schema={connection.schema}", *_PLAIN, "--file=-", str(path))
    with _transaction(connection, programs) as script:
        programs.run("pg_restore", *arguments, output=script)
        script.write(_moved_blobs(connection.schema, folder).encode())


@contextmanager
def _transaction(connection: "_Connection", programs: Programs) -> Iterator[IO[bytes]]:
    """Yields a stream for SQL that psql executes in one transaction, committed when the block ends. If the block
    raises, or this process is killed, the server rolls it back."""
    command = [programs.find("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *connection.arguments]
    environment = {**os.environ, **connection.environment}
    with TemporaryFile() as errors:
        psql = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        assert psql.stdin is not None
        failure: Exception | None = None
        try:
            with psql.stdin as script:
                script.write(b"BEGIN;\n")
                script.flush()
                yield script
                script.write(b"COMMIT;\n")
        except (BackupError, BrokenPipeError) as error:  # psql's own error explains it, if psql failed first
            failure = error
        finally:
            status = psql.wait()
        if status:
            errors.seek(0)
            raise _failed("psql", status, errors.read().decode(errors="replace")) from failure
        if failure is not None:
            raise failure


def _failed(name: str, status: int, output: str) -> BackupError:
    return BackupError(f"{name} failed: {' '.join(output.split())[:_SHOWN] or f'exit status {status}'}")


def _moved_blobs(schema: str, folder: str) -> str:
    """Returns SQL that sets the blob folder of a database to `folder` and prevents the reuse of blobs without a use."""
    blobs, secrets = (f"{_quoted(schema)}.{name}" for name in ("blobs", "secrets"))
    return (
        f"UPDATE {secrets} SET value = decode({_literal(folder)}, 'hex') WHERE name = 'blobs'; "
        f"UPDATE {blobs} SET digest = NULL WHERE uses <= 0;\n"
    )


def verify(path: Path, programs: Programs) -> str:
    """Reads a dump completely and returns the revision of its tables. Raises `BackupError` if it is damaged."""
    try:
        programs.run("pg_restore", f"--file={os.devnull}", str(path))
    except BackupError as error:
        raise _unreadable(error) from error
    if odd := [entry for entry in _entries(path, programs) if not entry.startswith(_KINDS)]:
        raise BackupError(
            f"the file has objects that no Foxing database has ({'; '.join(odd)[:_SHOWN]}); delete them if they "
            "are yours, otherwise do not trust the file"
        )
    rows = _rows(path, "alembic_version", programs)
    if not rows:
        raise BackupError("the file is a dump of PostgreSQL, but not of Foxing; choose another")
    return rows[0]["version_num"]


def used_blobs(path: Path, programs: Programs) -> dict[str, int]:
    """Returns name → bank of the blobs in object storage that a dump uses."""
    rows = _rows(path, "blobs", programs)
    try:
        return {row["name"]: int(row["bank"]) for row in sorted(rows, key=itemgetter("name")) if int(row["uses"]) > 0}
    except (KeyError, ValueError) as error:
        raise BackupError(f"the file has invalid rows of blobs ({error}); use another backup") from error


def _rows(path: Path, table: str, programs: Programs) -> list[dict[str, str]]:
    """Returns the rows of a table in a dump; empty if there is no such table."""
    try:
        dumped = programs.run("pg_restore", "--data-only", f"--table={table}", "--file=-", str(path))
    except BackupError as error:
        raise _unreadable(error) from error
    # "COPY public.alembic_version (version_num) FROM stdin;", a line for each row, and "\\."
    head, separator, body = dumped.partition(") FROM stdin;\n")
    if not separator:
        return []
    columns = head.rpartition("(")[2].split(", ")
    rows = takewhile(lambda line: line != "\\.", body.split("\n"))
    try:
        return [dict(zip(columns, row.split("\t"), strict=True)) for row in rows]
    except ValueError as error:
        raise BackupError(f"the file has invalid rows of {table}; use another backup") from error


def _unreadable(error: BackupError) -> BackupError:
    return BackupError(f"the file cannot be read as a backup ({error}); use another")


@dataclass(frozen=True)
class _Connection:
    """Connection parameters for the programs. Passwords are passed in the environment, where other users cannot see
    them."""

    schema: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, database: Database) -> "_Connection":
        """Returns the parameters of a database's connection. Raises `BackupError` if its schema does not exist."""
        from psycopg.conninfo import make_conninfo
        from psycopg.pq import Conninfo

        with database.read() as connection:
            schema = connection.scalar(select(func.current_schema()))
        if schema is None:
            raise BackupError("the schema that search_path names does not exist; create it, or correct the URL")
        arguments: Mapping[str, Any] = database.engine.dialect.create_connect_args(database.url)[1]
        variables = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults()}
        environment = {v.decode(): str(arguments[name]) for name, v in variables.items() if v and name in arguments}
        others = {n: str(arguments[n]) for n, v in variables.items() if not v and n in arguments and n not in _SECRETS}
        others |= {"dbname": str(arguments["dbname"])} if "dbname" in arguments else {}
        return cls(str(schema), ("--no-password", f"--dbname={make_conninfo(**others)}"), environment)


def _entries(path: Path, programs: Programs) -> list[str]:
    """Returns the entries of a dump: kind, schema, name and owner of each."""
    lines = programs.run("pg_restore", "--list", str(path)).splitlines()
    # "215; 1259 16389 TABLE public banks foxing"; lines that begin with a semicolon describe the file
    return [line.split(" ", 3)[-1] for line in lines if line and not line.startswith(";")]


def _schemas(path: Path, programs: Programs) -> set[str]:
    """Returns the schemas whose tables are in a dump."""
    entries = (entry.split() for entry in _entries(path, programs))
    return {entry[1] for entry in entries if len(entry) > 2 and entry[0] == "TABLE" and entry[1] != "DATA"}


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(schema: str) -> str:
    """Returns a schema as a quoted identifier, which is also a literal pattern for `pg_dump`."""
    return '"' + schema.replace('"', '""') + '"'
