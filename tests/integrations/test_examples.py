"""The examples of the integrations run, on a server and in a database of their own."""

import gc
import re
import runpy
import sys
from pathlib import Path

import pytest
from support.processes import start_python

from .conftest import Service

#: Integration → what its example prints at its end.
EXAMPLES = {
    "client": "assistant: You said: We ship Titan on 14 March.",
    "mcp": "We ship Titan on 14 March.",
    "langgraph": "in the store: Mina does not eat fish.",
    "openai_agents": "assistant: On Tuesday.",
    "anthropic": "assistant: No salmon for you, Mina: you do not eat fish.",
    "langchain": "assistant: On Tuesday.",
    "langchain_middleware": "assistant: On Tuesday.",
    "llamaindex": "assistant: On Tuesday.",
    "pydantic_ai": "assistant: On Tuesday.",
    "google_adk": "assistant: On Tuesday.",
    "wrap": "assistant: No salmon for you, Mina: you do not eat fish.",
}
#: Package of an example that may be missing.
NEEDS = {"langchain_middleware": "langchain.agents", "pydantic_ai": "pydantic_ai", "google_adk": "google.adk"}
#: What `python PROGRAM …` does.
RUN = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"


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
    _require(name)
    program = str(repository / "examples" / f"{name}_agent.py")
    monkeypatch.setattr(sys, "argv", [program, *_address(name, where, service)])
    runpy.run_path(program, run_name="__main__")
    gc.collect()  # connections that a framework leaves open warn here, where warnings are ignored
    assert EXAMPLES[name] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("where", ["server", "database"])
def test_an_example_runs_as_a_process_in_an_empty_folder(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service, name: str, where: str
) -> None:
    _require(name)
    program = str(repository / "examples" / f"{name}_agent.py")
    monkeypatch.chdir(tmp_path)
    process = start_python(RUN, program, *_address(name, where, service))
    out, error = process.communicate()
    assert process.returncode == 0, error
    assert EXAMPLES[name] in out
    assert list(tmp_path.iterdir()) == []


def test_each_example_has_a_bank_of_its_own(repository: Path) -> None:
    named = {
        path.name: set(re.findall(r'"([a-z-]+-example)"', path.read_text(encoding="utf-8")))
        for path in (repository / "examples").glob("*.py")
    }
    assert named == {f"{name}_agent.py": {f"{name.replace('_', '-')}-example"} for name in EXAMPLES}


def _address(name: str, where: str, service: Service) -> list[str]:
    if where == "database":
        return []
    return [f"{service.url}/x/mcp/mcp-example" if name == "mcp" else service.url]


def _require(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
