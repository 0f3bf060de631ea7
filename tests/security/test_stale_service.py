"""What is left of a killed service gives nobody prompts, tokens, or words to an agent."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from support.impostor import ECHOED, impostor
from support.service import serve

from foxing.api.running_service import RunningService, announced
from foxing.integrations.hooks.client import handle
from foxing.integrations.hooks.doctor import service_status
from foxing.integrations.proxy.bank import LocalService
from foxing.memory import Memory
from foxing.renderer.announcement import CHALLENGE_HEADER, PROOF_HEADER, Announcement, AnotherService, proof

PROMPT = b'{"prompt": "the password of the staging database is swordfish"}'
DEADLINE = time.monotonic() + 3_600


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def ask_hook(database: Path) -> object:
    return handle("claude-code", "UserPromptSubmit", "", str(database), PROMPT, DEADLINE) or None


def ask_command(database: Path) -> object:
    service = RunningService.of(database)
    return service and (service.post("/v1/banks/b/recall", PROMPT) or service.get("/healthz"))


def ask_upload(database: Path) -> object:
    path = database.with_name("history.jsonl")
    path.write_bytes(PROMPT)
    service = RunningService.of(database)
    return service and service.send_file("/v1/banks/b/import", path)


def ask_doctor(database: Path) -> object:
    return service_status(str(database))


def ask_proxy(database: Path) -> object:
    service = RunningService.of(database)
    assert service is not None
    options = LocalService(service.url, announcement=service.announcement)
    with httpx.Client(**options.client_options()) as client:
        try:
            return client.post("/v1/banks/b/fold", content=PROMPT)
        except httpx.ConnectError:
            return None


@pytest.mark.parametrize("ask", [ask_hook, ask_command, ask_upload, ask_doctor, ask_proxy])
def test_another_program_at_the_address_learns_nothing_and_is_not_heard(
    database: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Path], object]
) -> None:
    monkeypatch.setattr("foxing.integrations.hooks.client.start_service", lambda database: True)
    # The process is this one, as where a service left its port without a word: only the proof shows the difference.
    with impostor() as other, announced(database, "127.0.0.1", other.port) as token:
        assert token is not None
        assert ask(database) is None
        assert other.connected.is_set()
    assert b"swordfish" not in other.received
    assert token.encode() not in other.received
    assert ECHOED.encode() not in other.received


def test_an_answer_is_not_taken_for_a_proof(database: Path) -> None:
    with impostor() as other, announced(database, "127.0.0.1", other.port):
        service = Announcement.of(database)
        assert service is not None
        with pytest.raises(AnotherService):
            service.connect(DEADLINE)


def test_the_service_of_a_process_that_ended_is_none(database: Path) -> None:
    program = (
        "import sys, os\nfrom pathlib import Path\nfrom foxing.api.running_service import announced\n"
        "with announced(Path(sys.argv[1]), '127.0.0.1', 9):\n os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(database)], check=False)
    assert Path(f"{database}-service").exists()
    assert RunningService.of(database) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_another_process_with_the_same_number_is_not_the_service(database: Path) -> None:
    with announced(database, "127.0.0.1", 9):
        assert RunningService.of(database) is not None
        service = Announcement.of(database)
        assert service is not None
        service.started = str(int(service.started) - 1)
        service.write(database)
        assert RunningService.of(database) is None
    Path(f"{database}-service").unlink(missing_ok=True)


@pytest.mark.skipif(os.name != "posix", reason="modes say who may read a file")
def test_a_file_that_others_can_read_or_have_written_is_not_believed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with announced(database, "127.0.0.1", 9):
        file = Path(f"{database}-service")
        file.chmod(0o640)
        assert RunningService.of(database) is None
        file.chmod(0o600)
        assert RunningService.of(database) is not None
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert RunningService.of(database) is None


def test_a_service_proves_that_it_knows_its_token_and_never_shows_it(memory: Memory) -> None:
    with serve(memory, token="of-this-service") as client:
        answer = client.get("/healthz", headers={CHALLENGE_HEADER: "0123"})
        assert answer.headers[PROOF_HEADER] == proof("of-this-service", "0123").decode()
        assert proof("of-this-service", "0123") not in (proof("of-this-service", "0124"), proof("another", "0123"))
        for nonce in ("", "x" * 129, b"\xc3\xa9"):
            answer = client.get("/healthz", headers=[(CHALLENGE_HEADER, nonce)])  # type: ignore[list-item]
            assert PROOF_HEADER not in answer.headers
        answered = client.get("/v1/banks", headers={"Foxing-Service": "of-this-service"})
        assert answered.status_code == 200
        assert "of-this-service" not in str(answered.headers)


def test_a_service_that_was_not_announced_proves_nothing(memory: Memory) -> None:
    with serve(memory) as client:
        assert PROOF_HEADER not in client.get("/healthz", headers={CHALLENGE_HEADER: "0123"}).headers
