"""The distribution `foxing-client`: what is in it works without the engine, and no file is in both wheels."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from support.command_line import start_anew

CLIENT = Path("clients", "python")
#: Bounds of `pip install foxing-client`: distributions, this one included, and bytes of their files.
MOST_PACKAGES, MOST_BYTES = 14, 20_000_000
#: What only the engine needs, and no client loads.
ENGINE = ("PIL", "alembic", "fastapi", "numpy", "sqlalchemy", "torch")
#: Imports each module, with those of the engine out of reach, and prints which of these are missing.
WITHOUT_ENGINE = """
import importlib, json, sys
names = json.load(sys.stdin)

class Fence:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("foxing.") and name not in names:
            raise ModuleNotFoundError(f"{name} is of the engine", name=name)

sys.meta_path.insert(0, Fence())
missing = {}
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if "is of the engine" in str(error):
            missing[name] = str(error)
print(json.dumps(missing))
"""


def project(repository: Path, folder: Path = Path()) -> dict[str, Any]:
    return tomllib.loads((repository / folder / "pyproject.toml").read_text(encoding="utf-8"))


def client_files(repository: Path) -> Iterator[Path]:
    """The Python files of the client, relative to the root of the repository."""
    for name in project(repository, CLIENT)["tool"]["hatch"]["build"]["only-include"]:
        path = Path(name).relative_to("foxing")
        assert (repository / path).exists(), f"{CLIENT}/pyproject.toml names {name}, which does not exist"
        yield from ([path] if path.suffix else (repository / path).rglob("*.py"))


@pytest.mark.slow
def test_the_client_imports_no_engine(repository: Path) -> None:
    files = [path.relative_to(repository) if path.is_absolute() else path for path in client_files(repository)]
    parts = [path.with_suffix("").parts for path in files if path.suffix == ".py"]
    names = [".".join(("foxing", *(each[:-1] if each[-1] == "__init__" else each))) for each in parts]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_ENGINE],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout.splitlines()[-1]) == {}
    assert len(names) > 100


def test_the_engine_requires_the_client_of_its_version(repository: Path) -> None:
    engine, client = project(repository)["project"], project(repository, CLIENT)["project"]
    assert client["version"] == engine["version"] == distribution("foxing-client").version
    (required,) = [each for each in map(Requirement, engine["dependencies"]) if each.name == "foxing-client"]
    assert str(required.specifier) == f"=={client['version']}"
    ours = (repository / "LICENSE").read_bytes()
    assert (repository / CLIENT / "LICENSE").read_bytes() == ours


def requirements(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """The distributions that installing `name` takes, itself included."""
    names, todo = set[str](), [(name, extras)]
    while todo:
        name, extras = todo.pop()
        names.add(name)
        for each in map(Requirement, distribution(name).requires or ()):
            environments = [{"extra": extra} for extra in (*extras, "")]
            if (each.marker is None or any(map(each.marker.evaluate, environments))) and each.name not in names:
                todo.append((each.name, frozenset(each.extras)))
    return {each.lower().replace("_", "-") for each in names}


def wheel(repository: Path, folder: Path, source: Path) -> Path:
    """Builds the wheel of a project without the network, as pip does."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    pip = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(repository / source)]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def client_wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel(repository, tmp_path_factory.mktemp("client"), CLIENT)


class Environment:
    """An interpreter with foxing-client and what it requires, and nothing else."""

    def __init__(self, folder: Path, client: Path, extras: frozenset[str]) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        self.site = next((folder / "lib").glob("python*")) / "site-packages"
        self.names = set[str]()
        with zipfile.ZipFile(client) as archive:
            archive.extractall(self.site)
        self.install("foxing-client", extras)

    def install(self, package: str, extras: frozenset[str] = frozenset()) -> None:
        """Adds what a package requires, and the package itself but for foxing-client, from where the tests run."""
        new = requirements(package, extras) - self.names
        self.names |= new
        for name in new - {"foxing-client"}:
            for file in distribution(name).files or ():
                place = self.site / file
                if ".." not in file.parts and file.suffix != ".pyc":
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(Path(str(distribution(name).locate_file(file))), place)

    @property
    def bytes(self) -> int:
        """Size of all files, with the compiled ones that pip adds."""
        subprocess.run([str(self.python), "-m", "compileall", "-q", str(self.site)], check=True)
        return sum(path.stat().st_size for path in self.site.rglob("*") if path.is_file())

    def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """stdout of a program, which must succeed."""
        done = self.fail(program, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(self.python), "-c", program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.site.parent,
            env=environment,
        )

    def foxing(self, *arguments: str, stdin: str = "") -> str:
        """stdout of the command."""
        return self.run("from foxing.api.cli import main; main()", *arguments, stdin=stdin)


@pytest.mark.slow
def test_no_file_is_in_both_wheels_and_none_is_missing(repository: Path, client_wheel: Path, tmp_path: Path) -> None:
    both = []
    for path in (client_wheel, wheel(repository, tmp_path, Path())):
        with zipfile.ZipFile(path) as archive:
            both.append({name for name in archive.namelist() if name.startswith("foxing/")})
    assert both[0] & both[1] == set()
    rooms = project(repository)["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    listed = subprocess.run(
        ["git", "ls-files", *rooms], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {f"foxing/{name}" for name in listed} <= both[0] | both[1]


@pytest.mark.slow
def test_the_client_is_small(client_wheel: Path, tmp_path: Path) -> None:
    alone = Environment(tmp_path / "alone", client_wheel, frozenset())
    assert len(alone.names) <= MOST_PACKAGES, sorted(alone.names)
    assert alone.bytes <= MOST_BYTES
    failed = alone.fail("from foxing.memory import Memory")
    assert "only foxing-client is installed here, and this needs the whole of Foxing" in failed.stderr
    without = alone.fail("from foxing.api.cli import main; main()", "mcp")
    assert without.stderr.strip() == "foxing: typer is not installed; run: pip install 'foxing-client[cli]'"


PROGRAM = """
import json, sys
from foxing.integrations.client import Client
from foxing.integrations.wrap import wrap

url, upstream, *engine = sys.argv[1:]
with Client(url) as memory:
    memory.store("ana", [{"role": "user", "content": "We ship Titan on 14 March, without offline maps."}])
    print(memory.recall("ana", "when do we ship Titan?").rendered)
    print(memory.context("ana", reader="text", budget=500, query="Titan").model_dump_json())
from openai import OpenAI
client = wrap(OpenAI(api_key="k", base_url=f"{upstream}/v1"), bank="ana", memory=url)
client.responses.create(model="gpt-5", input="When do we ship Titan?")
print(json.dumps([name for name in engine if name in sys.modules]))
"""
CLIENT_INFO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.mark.slow
def test_what_talks_to_a_service_works_with_the_client_alone(client_wheel: Path, tmp_path: Path) -> None:
    from tests.upstream import Upstream

    environment = Environment(tmp_path / "environment", client_wheel, frozenset({"cli", "mcp", "wrap", "hooks"}))
    environment.install("openai")
    database = tmp_path / "a.db"
    with start_anew("--database", str(database), "serve", "--port", "0", "--json", FOXING_EMBEDDER="none") as service:
        try:
            assert service.stdout is not None
            url = json.loads(service.stdout.readline())["url"]
            with Upstream() as upstream:
                *said, loaded = environment.run(PROGRAM, url, upstream.url, *ENGINE).splitlines()
                assert "without offline maps" in json.dumps(upstream.exchanges[-1].value)
            assert sum("14 March" in line for line in said) >= 2
            assert json.loads(loaded) == []
            assert "14 March" in environment.foxing("--database", str(database), "recall", "Titan", "--bank", "ana")
            calls = [
                {"method": "initialize", "params": CLIENT_INFO},
                {"method": "tools/call", "params": {"name": "recall", "arguments": {"query": "Titan"}}},
            ]
            lines = "".join(json.dumps({"jsonrpc": "2.0", "id": n, **call}) + "\n" for n, call in enumerate(calls))
            assert "14 March" in environment.foxing("mcp", url, "--bank", "ana", stdin=lines)
            hook = "import sys; from foxing.integrations.hooks.client import main; sys.exit(main())"
            event = json.dumps({"session_id": "s", "prompt": "When do we ship Titan?", "cwd": str(tmp_path)})
            options = ("claude-code", "UserPromptSubmit", "--bank", "ana", "--database", str(database))
            assert "14 March" in environment.run(hook, *options, stdin=event)
        finally:
            service.terminate()
    failed = environment.fail("from foxing.api.cli import main; main()", "--database", str(database), "banks")
    assert failed.returncode == 1
    assert "run: pip install foxing" in failed.stderr
