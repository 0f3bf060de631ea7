"""Claude Code and Codex from npm against the upstream, without an account. The first run downloads them."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upstream import ScriptedCall, Thinking, Upstream

PACKAGES = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the installed commands."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install the packages: {done.stderr[-300:]}")
    script = folder / "node_modules" / PACKAGES["claude"] / "install.cjs"
    if script.is_file():  # npm may be configured to run no scripts of packages
        subprocess.run(["node", str(script)], cwd=script.parent, capture_output=True, check=False)
    yield folder / "node_modules" / ".bin"
    shutil.rmtree(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text("The flight leaves at seven.\n")
    return folder


def run(command: list[str], upstream: Upstream, project: Path) -> subprocess.CompletedProcess[str]:
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "OPENAI", "CLAUDE"))}
    environment = {**kept, **upstream.environment, "HOME": str(home), "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_claude_code(installed: Path, upstream: Upstream, project: Path) -> None:
    upstream.answer(
        Thinking("I must look"),
        ScriptedCall("Read", {"file_path": str(project / "notes.txt")}),
        ScriptedCall("Bash", {"command": "echo hello", "description": "Says hello"}),
    )
    upstream.answer("It leaves at seven.")
    command = [str(installed / "claude"), "-p", "When does the flight leave?", "--allowedTools", "Read", "Bash"]
    done = run(command, upstream, project)
    assert [str(each.refusal) for each in upstream.refused] == []
    assert "It leaves at seven." in done.stdout, done.stderr
    second = upstream.calls[1]
    assert "The flight leaves at seven." in json.dumps(second.value)
    assert second.bill is not None
    assert second.bill.read > 0


def test_codex(installed: Path, upstream: Upstream, project: Path) -> None:
    upstream.answer(Thinking("I must look"), ScriptedCall("exec_command", {"cmd": "cat notes.txt"}))
    upstream.answer("It leaves at seven.")
    provider = f'{{name="upstream",base_url="{upstream.openai_url}",wire_api="responses",env_key="OPENAI_API_KEY"}}'
    options = ["-c", "model_provider=upstream", "-c", f"model_providers.upstream={provider}", "-m", "gpt-5.6"]
    command = [str(installed / "codex"), "exec", "--skip-git-repo-check", *options, "When does the flight leave?"]
    done = run(command, upstream, project)
    assert [str(each.refusal) for each in upstream.refused] == []
    assert "It leaves at seven." in done.stdout, done.stderr
    second = upstream.calls[1]
    assert second.bill is not None
    assert second.bill.read > 0
