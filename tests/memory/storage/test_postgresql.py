"""What PostgreSQL alone can do to a memory: servers that are down, cut connections, limits, full disks."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import stamina
from sqlalchemy import Connection, make_url, text
from support.command_line import Foxing, start
from support.databases import PostgresServer, execute
from support.service import check_problem, serve

from foxing.integrations.client import Client
from foxing.memory import DatabaseOptions, DatabaseTooNew, Memory, StorageError
from foxing.memory.errors import ConnectionLost, WriteConflict
from foxing.memory.storage.database import Database, database_url
from foxing.memory.storage.dialects import postgresql
from foxing.memory.storage.repositories import banks, schedule

MESSAGE = {"id": "m", "role": "user", "content": "We ship Titan on 14 March."}
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = :name"


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.new_database()
    yield url
    postgres_server.give_back(url)


@pytest.fixture
def memory(url: str) -> Iterator[Memory]:
    with Memory(url) as memory:
        yield memory


def cut(url: str) -> None:
    """Ends all connections to a database, as a restart of the server does."""
    execute(url, CUT, name=make_url(url).database)


def own_connection(connection: Connection) -> None:
    """Has the server end the connection of a transaction in the middle of it."""
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_urls_of_postgresql_may_leave_the_driver_out(url: str, scheme: str) -> None:
    plain = url.replace("postgresql+psycopg", scheme)
    assert database_url(plain).drivername == "postgresql+psycopg"
    with Memory(plain) as memory:
        assert memory.store("ana", [MESSAGE]).stored == 1


def test_another_kind_of_database_is_refused() -> None:
    for other in ("mysql://localhost/foxing", "postgresql+asyncpg://localhost/foxing", "nonsense://x"):
        with pytest.raises(StorageError, match=r"not a supported kind.*sqlite:///.*postgresql://"):
            Memory(other)


def test_passwords_are_not_shown() -> None:
    database = Database("postgresql://ana:secret@db.example/foxing?password=hidden&sslmode=require")
    assert database.display_url == "postgresql+psycopg://ana:***@db.example/foxing?sslmode=require"
    database.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://ana@127.0.0.1:1/foxing", "nothing listens there"),
        ("postgresql://ana@/foxing?host=/nowhere", "no such socket"),
        ("postgresql://ana@no-such-host.invalid/foxing", "host name is unknown"),
    ],
)
def test_a_server_that_is_not_there_is_reported(address: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=said) as caught:
        Memory(address)
    assert "ana@" in str(caught.value)
    document = Foxing(address).failure("banks")
    assert document["type"] == "urn:foxing:problem:storage"
    assert "FOXING_DATABASE_URL" in document["detail"]


@pytest.mark.parametrize("state", ["starting up", "in recovery mode", "not yet accepting connections"])
def test_a_server_that_starts_again_is_waited_for(
    url: str, memory: Memory, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Such as one whose log was on a full disk."""

    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(f"connection failed: FATAL:  the database system is {state}")

    memory.store("ana", [MESSAGE])
    cut(url)
    monkeypatch.setattr(postgresql, "IDLE_S", 0)
    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", refuse)
        with pytest.raises(StorageError, match="is starting up; try again"):
            memory.message("ana", "m")
    assert memory.message("ana", "m").text == MESSAGE["content"]


def test_a_database_that_does_not_exist_is_reported(url: str) -> None:
    with pytest.raises(StorageError, match="CREATE DATABASE"):
        Memory(make_url(url).set(database="nowhere").render_as_string(hide_password=False))


def test_a_wrong_password_is_reported(url: str) -> None:
    ((rules,),) = execute(url, "SHOW hba_file")
    file = Path(rules)
    before = file.read_text()
    execute(url, "CREATE ROLE locked LOGIN PASSWORD 'right'")
    file.write_text(f"local all locked scram-sha-256\n{before}")
    try:
        execute(url, "SELECT pg_reload_conf()")
        with pytest.raises(StorageError, match="rejects the user or the password") as caught:
            Memory(make_url(url).set(username="locked", password="wrong").render_as_string(hide_password=False))
        assert "wrong" not in str(caught.value)
    finally:
        file.write_text(before)
        execute(url, "SELECT pg_reload_conf()")
        execute(url, "DROP ROLE locked")


def test_a_database_of_a_newer_version_is_refused(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    execute(url, "UPDATE alembic_version SET version_num = '2999_01_01_0001', oldest = '2999_01_01_0001'")
    with pytest.raises(DatabaseTooNew, match="upgrade foxing"):
        Memory(url)


def test_a_server_that_is_too_old_is_refused(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgresql, "MIN_SERVER_VERSION", 990_000)
        with pytest.raises(StorageError, match=r"PostgreSQL \d+ is too old; foxing needs 99"):
            Memory(url)


def test_a_database_that_cannot_hold_every_text_is_refused(url: str) -> None:
    execute_outside(url, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StorageError, match="SQL_ASCII; create one with ENCODING 'UTF8'"):
        Memory(make_url(url).set(database="ascii").render_as_string(hide_password=False))


def execute_outside(url: str, statement: str) -> None:
    """Executes a statement that no transaction may hold."""
    database = Database(url)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    database.close()


def test_processes_that_migrate_at_once_wait_for_each_other(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database(migrated=False)
    processes = [start("--database", url, "db", "upgrade") for _ in range(3)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers


def test_connections_that_were_cut_while_nobody_used_them_are_replaced(
    url: str, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.store("ana", [MESSAGE])
    cut(url)
    monkeypatch.setattr(postgresql, "IDLE_S", 0)
    assert memory.message("ana", "m").text == MESSAGE["content"]


def test_a_store_is_tried_again_if_its_connection_is_cut(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.store("ana", [MESSAGE])
    note, cuts = schedule.note_stored, [1]

    def cut_once(connection: Connection, *arguments: object) -> None:
        if cuts:
            cuts.pop()
            own_connection(connection)
        note(connection, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(schedule, "note_stored", cut_once)
    assert memory.store("ana", [MESSAGE, {**MESSAGE, "id": "n"}, {"role": "user", "content": "x"}]).stored == 2
    assert not cuts
    assert memory.bank("ana").messages == 3


def test_a_store_whose_answer_was_lost_is_not_stored_twice(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, losses = Connection.commit, [1]

    def lose_answer(connection: Connection) -> None:
        commit(connection)
        if losses:
            losses.pop()
            raise ConnectionLost("the server restarted after the commit")

    monkeypatch.setattr(Connection, "commit", lose_answer)
    result = memory.store("ana", [{"role": "user", "content": "once"}], idempotency_key="k")
    assert (result.stored, result.duplicates, memory.bank("ana").messages) == (1, 0, 1)
    losses.append(1)
    result = memory.store("ana", [{"role": "user", "content": "again"}])
    assert (result.stored, result.duplicates, memory.bank("ana").messages) == (1, 0, 2)


class Outage:
    """Has the server commit a transaction, end its connection before the answer arrives, and take no new ones."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = make_url(url)
        self.pauses = 0
        self.ends_after = 0
        self._commit = Connection.commit
        self._begins = False
        monkeypatch.setattr(Connection, "commit", lambda connection: self._lose_answer(connection))
        monkeypatch.setattr("foxing.memory.storage.database.sleep", self._pause)

    def begin(self, pauses: int) -> None:
        """Begins with the next commit, and ends after so many pauses of whoever waits."""
        self._begins, self.ends_after, self.pauses = True, pauses, 0

    def end(self) -> None:
        self._allow("true")

    def _lose_answer(self, connection: Connection) -> None:
        self._commit(connection)
        if self._begins:
            self._begins = False
            self._allow("false")
            connection.execute(text("SELECT 1"))  # the driver's error

    def _pause(self, seconds: float) -> None:
        self.pauses += 1
        if self.pauses == self.ends_after:
            self.end()

    def _allow(self, connections: str) -> None:
        outside = self.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(outside, autocommit=True) as other:
            other.execute(f'ALTER DATABASE "{self.url.database}" ALLOW_CONNECTIONS {connections}'.encode())
            if connections == "false":
                other.execute(CUT.replace(":name", "%s").encode(), [self.url.database])


@pytest.fixture
def outage(url: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    memory.store("ana", [MESSAGE])
    made = Outage(url, monkeypatch)
    yield made
    made.end()


def test_a_store_waits_for_a_server_that_restarts_after_its_commit(memory: Memory, outage: Outage) -> None:
    outage.begin(pauses=3)
    result = memory.store("ana", [{"role": "user", "content": "once"}])
    assert (result.stored, outage.pauses, memory.bank("ana").messages) == (1, 3, 2)


def test_a_store_without_an_id_that_is_tried_again_is_stored_once(
    memory: Memory, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.memory.storage.database.RESTART_S", 0.0)
    said = [{"role": "user", "content": "once"}, {"id": "n", "role": "user", "content": "named"}]
    outage.begin(pauses=0)
    with pytest.raises(StorageError):
        memory.store("ana", said)
    outage.end()
    again = memory.store("ana", said)
    assert (again.stored, again.duplicates, memory.bank("ana").messages) == (0, 2, 3)
    assert memory.message("ana", again.ids[0]).text == "once"
    anew = memory.store("ana", said[:1])  # said a second time
    assert (anew.stored, memory.bank("ana").messages) == (1, 4)
    assert anew.ids != again.ids[:1]


def test_what_was_not_committed_is_stored_when_it_is_tried_again(
    memory: Memory, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.memory.storage.database.ATTEMPTS", 1)
    with monkeypatch.context() as patched:
        patched.setattr(schedule, "note_stored", lambda connection, *_: own_connection(connection))
        with pytest.raises(ConnectionLost):
            memory.store("ana", [{"role": "user", "content": "once"}])
    memory.store("ana", [{"role": "user", "content": "another"}])
    again = memory.store("ana", [{"role": "user", "content": "once"}])
    assert (again.stored, memory.bank("ana").messages) == (1, 3)


@pytest.mark.parametrize("key", [None, "k"])
def test_a_request_that_is_sent_again_is_stored_once(
    memory: Memory, outage: Outage, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.memory.storage.database.RESTART_S", 0.0)
    headers = {} if key is None else {"Idempotency-Key": key}
    request = {"messages": [{"role": "user", "content": "once"}]}
    with serve(memory) as client:
        outage.begin(pauses=0)
        check_problem(client.post("/v1/banks/ana/messages", json=request, headers=headers), 503, "storage")
        outage.end()
        answer = client.post("/v1/banks/ana/messages", json=request, headers=headers)
        assert answer.status_code == 201
        with Client(str(client.base_url)) as own, stamina.set_testing(True, attempts=5):
            own._http.event_hooks["response"] = [lambda response: None if response.is_success else outage.end()]
            outage.begin(pauses=0)
            assert own.store("ana", [{"role": "user", "content": "by the client"}]).ids
    assert memory.bank("ana").messages == 3


def test_a_connection_that_is_cut_again_and_again_is_a_problem_and_stores_nothing(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.store("ana", [MESSAGE])
    monkeypatch.setattr(schedule, "note_stored", lambda connection, *_: own_connection(connection))
    with serve(memory) as client:
        response = client.post("/v1/banks/ana/messages", json={"messages": [{**MESSAGE, "id": "n"}]})
        document = check_problem(response, 503, "storage")
        assert "stored completely or not at all; try again" in document["detail"]
    assert memory.bank("ana").messages == 1


@pytest.mark.parametrize(
    ("state", "said"), [("53100", "full disk"), ("53200", "out of memory"), ("25006", "read-only"), ("58030", "disk")]
)
def test_what_the_server_refuses_is_explained_and_stores_nothing(
    url: str, memory: Memory, state: str, said: str
) -> None:
    """A trigger stands in for a server without room."""
    memory.store("ana", [MESSAGE])
    execute(
        url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$",
    )
    execute(url, "CREATE TRIGGER full_up BEFORE INSERT ON recent_postings EXECUTE FUNCTION refuse()")
    try:
        with pytest.raises(StorageError, match=said):
            memory.store("ana", [{**MESSAGE, "id": "n"}])
        assert memory.bank("ana").messages == 1
    finally:
        execute(url, "DROP FUNCTION refuse CASCADE")
    assert memory.store("ana", [{**MESSAGE, "id": "n"}]).stored == 1


@pytest.mark.slow
def test_limits_of_time_are_kept(url: str) -> None:
    hasty, impatient = (
        Database(DatabaseOptions(url, **limit)) for limit in ({"statement_timeout_s": 1}, {"idle_timeout_s": 0.2})
    )
    with pytest.raises(StorageError, match="cancelled a statement that took too long"), hasty.read() as connection:
        connection.execute(text("SELECT pg_sleep(60)"))
    with pytest.raises(StorageError, match=r"idle for too long|closed the connection"):
        wait_in_transaction(impatient, url)
    hasty.close()
    impatient.close()


def wait_in_transaction(database: Database, url: str) -> None:
    """Does nothing in a transaction until the server has ended its connection."""
    deadline = time.monotonic() + 60
    with database.read() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        while execute(url, "SELECT 1 FROM pg_stat_activity WHERE pid = :process", process=process):
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.02)
        connection.execute(text("SELECT 1"))


def test_of_two_writers_that_wait_for_each_other_one_is_tried_again(url: str) -> None:
    database, tries = Database(url), []
    with database.write() as connection:
        ids = [banks.get_or_create(connection, name, banks_time(), {}).id for name in ("a", "b")]

    def work(connection: Connection) -> None:
        tries.append(1)
        banks.lock(connection, ids[0])
        if len(tries) == 1:
            raise WriteConflict("as the server says it")
        banks.lock(connection, ids[1])

    database.repeatable(work)
    database.close()
    assert len(tries) == 2


def banks_time() -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC)
