"""What only backups of PostgreSQL meet: its programs, schemas and passwords."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.databases import PostgresServer, client_programs, execute
from support.operations.backups import made, restored
from support.operations.blobs import Storage, fill

from foxing.memory import Memory
from foxing.memory.storage.backup.postgresql import Programs
from foxing.memory.storage.backup.values import BackupError


@pytest.fixture
def new_database(postgres_server: PostgresServer) -> Callable[[], str]:
    return lambda: postgres_server.new_database(migrated=False)


def in_schema(url: str, name: str) -> str:
    """The database with a schema of its own."""
    execute(url, f'CREATE SCHEMA "{name}"')
    quoted = f'-csearch_path="{name}"'
    return make_url(url).update_query_dict({"options": quoted}).render_as_string(hide_password=False)


@pytest.mark.slow
def test_missing_programs_are_named(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    Memory(url).close()
    with pytest.raises(BackupError, match=r"there is no pg_dump in .*install the client programs"):
        made(url, tmp_path / "backup", programs=Programs(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_a_program_says_is_passed_on(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    Memory(url).close()
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho 'aborting because of server version mismatch' >&2\nexit 1\n")
    (tmp_path / "pg_dump").chmod(0o700)
    with pytest.raises(BackupError, match="pg_dump failed: aborting because of server version mismatch"):
        made(url, tmp_path / "backup", programs=Programs(tmp_path))
    assert not (tmp_path / "backup").exists()


def test_only_the_schema_of_foxing_is_dumped(new_database: Callable[[], str], tmp_path: Path) -> None:
    programs = Programs(client_programs())
    plain = new_database()
    execute(plain, "CREATE TABLE recipes (name TEXT)")
    url = in_schema(plain, "Fox%Own")
    with Memory(url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    made(url, tmp_path / "backup", programs=programs)

    other = new_database()
    with pytest.raises(BackupError, match=r"of the schema 'Fox%Own'.*uses 'public'"):
        restored(other, tmp_path / "backup", programs=programs)
    target = in_schema(other, "Fox%Own")
    restored(target, tmp_path / "backup", programs=programs)
    with Memory(target) as memory:
        assert memory.message("ana", "m").text == "hello"
    assert execute(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_restore_that_fails_half_way_leaves_the_database_empty(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    real, url = client_programs(), new_database()
    Memory(url).close()
    made(url, tmp_path / "backup", programs=Programs(real))
    for name in ("pg_dump", "pg_restore", "psql"):
        fails = 'case "$*" in *--schema=*) echo "cut off" >&2; exit 1;; esac' if name == "pg_restore" else ""
        (tmp_path / name).write_text(f'#!/bin/sh\n"{real / name}" "$@" || exit\n{fails}\n')
        (tmp_path / name).chmod(0o700)
    other = new_database()
    with pytest.raises(BackupError, match="pg_restore failed: cut off"):
        restored(other, tmp_path / "backup", programs=Programs(tmp_path))
    assert execute(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    execute(other, "CREATE SEQUENCE banks_id_seq")  # in the way, and not a table
    with pytest.raises(BackupError, match=r"psql failed: .*banks_id_seq.* already exists"):
        restored(other, tmp_path / "backup", programs=Programs(real))
    assert execute(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_blobs_stay_where_the_restored_database_is_there_all_the_same(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    """As where the connection is lost at the commit."""
    pytest.importorskip("obstore", reason="needs the extra 'blobs'")
    real, url, other, storage = client_programs(), new_database(), new_database(), Storage(tmp_path / "objects")
    with Memory(storage.options(url)) as memory:
        fill(memory, pages=1)
    made(storage.options(url), tmp_path / "backup", programs=Programs(real))
    for name in ("pg_restore", "psql"):
        fails = "exit 2" if name == "psql" else ""
        (tmp_path / name).write_text(f'#!/bin/sh\n"{real / name}" "$@" || exit\n{fails}\n')
        (tmp_path / name).chmod(0o700)
    with pytest.raises(BackupError, match="psql failed: exit status 2"):
        restored(storage.options(other), tmp_path / "backup", programs=Programs(tmp_path))
    with Memory(storage.options(other)) as memory:
        assert memory.read_page("ana", memory.pages("ana").pages[0].id).text


def test_passwords_are_not_arguments(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    Memory(url).close()
    secret = make_url(url).set(password="hunter2").render_as_string(hide_password=False)
    (tmp_path / "pg_dump").write_text('#!/bin/sh\necho "$@, and $PGPASSWORD" >&2\nexit 1\n')
    (tmp_path / "pg_dump").chmod(0o700)
    with pytest.raises(BackupError, match=r"pg_dump failed: [^,]*, and hunter2") as caught:
        made(secret, tmp_path / "backup", programs=Programs(tmp_path))
    assert str(caught.value).count("hunter2") == 1


@pytest.mark.parametrize("kind", ["FUNCTION", "TRIGGER", "VIEW", "RULE"])
def test_a_dump_with_what_foxing_does_not_make_is_refused(
    new_database: Callable[[], str], tmp_path: Path, kind: str
) -> None:
    url, programs = new_database(), Programs(client_programs())
    with Memory(url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    crafted = {
        "FUNCTION": [function],
        "TRIGGER": [function, "CREATE TRIGGER t BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION f()"],
        "VIEW": ["CREATE VIEW v AS SELECT content FROM messages"],
        "RULE": ["CREATE RULE r AS ON UPDATE TO secrets DO ALSO DELETE FROM messages"],
    }
    for statement in crafted[kind]:
        execute(url, statement)
    dump = [programs.find("pg_dump"), "--format=custom", "--schema=public", f"--file={tmp_path / 'backup'}"]
    subprocess.run([*dump, make_url(url).set(drivername="postgresql").render_as_string(False)], check=True)
    other = new_database()
    with pytest.raises(BackupError, match=f"no Foxing database has .*{kind} public"):
        restored(other, tmp_path / "backup", programs=programs)
    assert execute(other, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
