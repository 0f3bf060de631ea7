"""Commands with little memory, or that may not write: one sentence, an exit status, and nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import start_python

from foxing.memory import Memory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs limits and users of Linux"),
]

SAID = {"role": "user", "content": "The delivery is late again.", "id": "m"}
LITTLE_MEMORY = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({mib} << 20,) * 2)"
#: Root may write everywhere unless it gives its capabilities up.
NO_RIGHTS = """
import ctypes
header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(header, none) == 0
"""


def foxing(before: str, database: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command, in a process that executes `before` first."""
    program = f"{before}\nfrom foxing.api.cli.main import main\nmain()"
    command = [sys.executable, "-W", "ignore", "-c", program, "--database", str(database), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def foxing_without_rights(database: Path, *arguments: str) -> tuple[int | None, str, str]:
    """The exit status of the command in a process that may not write everywhere, and what it prints."""
    program = f"{NO_RIGHTS}\nfrom foxing.api.cli.main import main\nmain()"
    process = start_python(program, "--database", str(database), *arguments)
    out, error = process.communicate(timeout=300)
    return process.returncode, out, error


# The library of the embedder aborts a process that has no memory left, before anything can say so.
@pytest.mark.usefixtures("words_alone")
@pytest.mark.parametrize("memory_mib", [350, 450])
def test_a_process_without_memory_for_the_codec_says_so_and_loses_nothing(
    database_path: Path, tmp_path: Path, memory_mib: int
) -> None:
    with Memory(database_path) as memory:
        memory.store("ana", [SAID])
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({**SAID, "id": "n"}))
    acknowledged = {"m"}
    for command in (
        ["import", str(more), "--bank", "ana"],
        ["seal", "--bank", "ana"],
        ["recall", "--bank", "ana", "delivery"],
    ):
        done = foxing(LITTLE_MEMORY.format(mib=memory_mib), database_path, *command)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or "out of memory" in done.stderr, done.stderr
        if command[0] == "import" and done.returncode == 0:
            acknowledged.add("n")
    with Memory(database_path) as memory:
        assert {span.message_id for span in memory.export("ana")} >= acknowledged
        memory.seal("ana")
        assert memory.bank("ana").open_messages == 0


@pytest.mark.parametrize("rights", ["folder", "file"])
def test_a_database_that_may_not_be_written_is_reported(tmp_path: Path, rights: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    database = folder / "foxing.db"
    with Memory(database) as memory:
        memory.store("ana", [SAID])
    more = folder / "more.jsonl"
    more.write_text(json.dumps({**SAID, "id": "n"}))
    more.chmod(0o644)
    database.chmod(0o444)
    folder.chmod(0o555 if rights == "folder" else 0o777)
    try:
        for command in (["import", str(more), "--bank", "ana"], ["seal", "--bank", "ana"], ["worker", "--once"]):
            status, out, error = foxing_without_rights(database, *command)
            assert status == 1, (command, out, error)
            assert "Traceback" not in error
            assert "read-only" in error or "cannot be" in error, error
    finally:
        folder.chmod(0o755)
        database.chmod(0o644)
    with Memory(database) as memory:
        assert [span.message_id for span in memory.export("ana")] == ["m"]


def test_a_data_folder_that_may_not_be_written_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        for database in (folder / "foxing.db", folder / "below" / "foxing.db"):
            status, _, error = foxing_without_rights(database, "worker", "--once")
            assert status == 1, error
            assert "Traceback" not in error
            assert str(folder) in error
        assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o755)
