"""Each code block of the README and the docs runs alone: in an empty folder, with a service on an empty database.

A block that cannot run here is preceded by a comment that says why: `<!-- not run: needs a GPU -->`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.faded import DAY, STARTS_AT
from support.service import serve
from support.texts import chat
from test_docs import REPOSITORY, WRITTEN

from foxing.memory import Memory

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.M
)
SHELL = ("sh", "console")
#: What the operations page calls a bank, and a thread in it.
BANK, THREAD = "B", "T"
#: Folders of a server's disk, which are in the folder of the block here.
PLACES = ("/backup", "/srv/foxing")
#: Commands that stand in front of the real ones. The service is running already, its worker does what is due once, and
#: what pip would install is there. What the service refuses is an error.
STUBS = {
    "foxing": 'case "$1" in serve) exit 0;; worker) set -- worker --once;; esac\n'
    f'exec {sys.executable} -W ignore -m foxing.api.cli.main "$@"',
    "pip": "exit 0",
    "python": f'exec {sys.executable} "$@"',
    "curl": f'exec {shutil.which("curl")} --fail-with-body --silent --show-error "$@"',
}


@dataclass(frozen=True)
class Block:
    page: Path
    number: int
    language: str
    text: str
    reason: str | None

    @property
    def name(self) -> str:
        return f"{self.page.stem}-{self.number}"


def blocks() -> Iterator[Block]:
    for page in WRITTEN:
        found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
        for number, match in enumerate((m for m in found if m["language"] in ("python", *SHELL)), 1):
            yield Block(page, number, match["language"], match["text"], match["reason"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with the bank, the thread and the page that commands of the operations page name."""
    path = tmp_path_factory.mktemp("filled") / "foxing.db"
    with Memory(path, clock=lambda: STARTS_AT + DAY) as memory:
        memory.store(BANK, chat(20, STARTS_AT), thread=THREAD)
        memory.seal(BANK)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the block runs."""
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name, script in STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (stubs / name).chmod(0o755)
    for place in PLACES:
        (tmp_path / "work" / place.strip("/")).mkdir(parents=True)
    (tmp_path / "data" / "foxing").mkdir(parents=True)
    (tmp_path / "work" / "examples").symlink_to(Path(__file__).resolve().parents[1] / "examples")
    return tmp_path / "work"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=block.name, marks=() if block.page.name == "README.md" else pytest.mark.slow)
        for block in blocks()
    ],
)
def test_a_block_runs_alone(block: Block, folder: Path, request: pytest.FixtureRequest) -> None:
    if block.reason is not None:
        pytest.skip(block.reason)
    database = folder.parent / "data" / "foxing" / "foxing.db"
    text = block.text
    if block.page.name == "operations.md":
        database.write_bytes(request.getfixturevalue("filled"))
        with Memory(database) as memory:
            text = re.sub(r"\bPAGE\b", memory.pages(BANK).pages[0].id, text)
            text = re.sub(r"\bID\b", memory.recall(BANK, limit=1).spans[0].message_id, text)
    for place in PLACES:
        text = text.replace(place, str(folder / place.strip("/")))
    environment = {
        **os.environ,
        "HOME": str(folder.parent),
        "XDG_DATA_HOME": str(folder.parent / "data"),
        "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
    }
    with Memory(database) as memory, serve(memory) as client:
        text = re.sub(r"\b(localhost|127\.0\.0\.1):8765\b", str(client.base_url.netloc.decode()), text)
        if block.language in SHELL:
            text = re.sub(r"^\$ ", "", text, flags=re.MULTILINE)
            command = ["bash", "-e", "-o", "pipefail", "-c", text]
        else:
            command = [sys.executable, "-W", "ignore", "-c", text]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
    missing = re.search(r"No module named '(?!foxing)([\w.]+)'|pip install 'foxing\[[\w-]+\]'", done.stderr)
    if done.returncode and missing:
        pytest.skip(f"an extra is not installed: {missing[0]}")
    assert done.returncode == 0, (
        f"{block.page.relative_to(REPOSITORY)}, block {block.number}:\n{done.stdout}{done.stderr}"
    )


def test_only_blocks_that_cannot_run_are_left_out() -> None:
    reasons = [block.reason for block in blocks()]
    assert reasons.count(None) > len(reasons) / 2
    assert any(block.page.name == "README.md" and block.language == "sh" and not block.reason for block in blocks())
