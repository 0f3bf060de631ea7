"""The examples of the integrations run, on a server and in a database of their own."""

import gc
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Service

#: Integration → what its example prints at its end.
EXAMPLES = {
    "langgraph": "in the store: Mina does not eat fish.",
    "openai_agents": "assistant: On Tuesday.",
    "anthropic": "assistant: No salmon for you, Mina: you do not eat fish.",
    "langchain": "assistant: On Tuesday.",
    "llamaindex": "assistant: On Tuesday.",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the frameworks
@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("where", ["server", "database"])
def test_an_example_runs(
    repository: Path,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    where: str,
) -> None:
    program = str(repository / "examples" / f"{name}_agent.py")
    monkeypatch.setattr(sys, "argv", [program, *([service.url] if where == "server" else [])])
    runpy.run_path(program, run_name="__main__")
    gc.collect()  # connections that a framework leaves open warn here, where warnings are ignored
    assert EXAMPLES[name] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("where", ["server", "database"])
def test_an_example_runs_as_a_process(repository: Path, service: Service, name: str, where: str) -> None:
    command = [sys.executable, "-W", "ignore", str(repository / "examples" / f"{name}_agent.py")]
    done = subprocess.run(
        [*command, *([service.url] if where == "server" else [])], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert EXAMPLES[name] in done.stdout
