"""Framework versions: what is installed is checked against what is tested, and each integration stands by itself."""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from foxing.integrations.frameworks import versions
from foxing.integrations.frameworks.versions import RANGES, UnsupportedFramework, require


def _is_installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


#: Top-level packages of each framework.
FRAMEWORKS = {
    "langgraph": {"langgraph", "langchain_core"},
    "openai_agents": {"agents", "openai", "mcp"},
    "anthropic": {"anthropic"},
    "langchain": {"langchain_core"},
    "llamaindex": {"llama_index", "sqlalchemy"},  # its own chat store uses SQLAlchemy
    "pydantic_ai": {"pydantic_ai", "mcp", "openai", "anthropic"},
    "google_adk": {"google", "mcp", "fastapi", "sqlalchemy"},
}
FOREIGN = {"langgraph", "langchain_core", "llama_index", "agents", "openai", "anthropic", "mcp", "pydantic_ai"}
HEAVY = {"torch", "sqlalchemy", "fastapi"}
CONNECT = {
    "langgraph": "FoxingStore.connect(url, bank='ana')",
    "openai_agents": "FoxingSession.connect(url, bank='ana', session_id='chat')",
    "anthropic": "FoxingMemoryTool.connect(url, bank='ana'); AsyncFoxingMemoryTool.connect(url, bank='ana')",
    "langchain": "FoxingRetriever.connect(url, bank='ana'); "
    "FoxingChatMessageHistory.connect(url, bank='ana', session_id='chat')",
    "llamaindex": "FoxingMemoryBlock.connect(url, bank='ana')",
    "google_adk": "FoxingMemoryService.connect(url, bank='ana'); FoxingSessionService.connect(url, bank='ana')",
    "pydantic_ai": "FoxingCapability.connect(url, bank='ana'); FoxingToolset.connect(url, bank='ana')",
}
#: Frameworks that do not fit with the dependencies of others.
ALONE = {"google_adk"}
#: Integrations of frameworks that are installed here.
INSTALLED = [name for name in sorted(RANGES) if _is_installed(RANGES[name].distribution)]


#: Connects to a service with each integration in a process of its own, forked once the client is imported, and prints
#: what that process has imported.
PROGRAM = """
import os, sys
import foxing.integrations.client

for name, connect in {connect!r}.items():
    process = os.fork()
    if process == 0:
        exec(f"from foxing.integrations.{{name}} import *; url = 'http://127.0.0.1:9'; {{connect}}")
        print(name, *{{module.partition(".")[0] for module in sys.modules}}, flush=True)
        os._exit(0)
    if os.waitpid(process, 0)[1]:
        sys.exit(1)
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Top-level packages that each integration imports when it is used over HTTP."""
    program = PROGRAM.format(connect={name: CONNECT[name] for name in INSTALLED})
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: set(packages) for name, *packages in map(str.split, done.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTALLED)
def test_an_integration_used_over_http_imports_no_other_framework_and_no_torch(
    imported: dict[str, set[str]], name: str
) -> None:
    assert imported[name] & (FOREIGN | HEAVY) - FRAMEWORKS[name] == set()


@pytest.mark.parametrize("name", sorted(RANGES))
def test_extras_and_dev_have_the_tested_ranges(repository: Path, name: str) -> None:
    engine, client = (
        tomllib.loads((repository / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in ("", "clients/python")
    )
    extra = name.replace("_", "-")
    required = set(client["optional-dependencies"][extra])
    assert RANGES[name].requirement in required
    assert engine["optional-dependencies"][extra] == [f"foxing-client[{extra}]"]
    known = {*engine["dependencies"], *engine["optional-dependencies"]["dev"]}
    assert (required <= known) == (name not in ALONE)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize(
    ("offset", "word"), [("older", "is installed"), ("newer", "is installed"), ("missing", "not installed")]
)
def test_a_framework_outside_of_the_tested_range_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, name: str, offset: str, word: str
) -> None:
    tested = RANGES[name]

    def installed(distribution: str) -> str:
        assert distribution == tested.distribution
        if offset == "missing":
            raise versions.PackageNotFoundError(distribution)
        return {"older": "0.0.9", "newer": f"{tested.below}.0rc1"}[offset]

    require(name)
    monkeypatch.setattr(versions, "version", installed)
    with pytest.raises(UnsupportedFramework, match=word) as caught:
        require(name)
    assert f"pip install 'foxing-client[{name.replace('_', '-')}]'" in str(caught.value)
    assert isinstance(caught.value, ImportError)
