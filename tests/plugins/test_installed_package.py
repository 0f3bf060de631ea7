"""A package that pip installs adds a codec, a search index, a command and an app, without a change here."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CODEC = '''
from dataclasses import replace
from pydantic import Field
from foxing.encoder import CodecOptions, CodecPlugin

class EchoOptions(CodecOptions):
    label: str = Field(description="What it calls itself.")

class EchoCodec:
    """The native codec under another name."""

    def __init__(self, inner, label):
        self.inner, self.label, self.name = inner, label, "echo"
        self.weights, self.layout, self.repertoire = inner.weights, inner.layout, inner.repertoire
        self.tiers, self.context_rows = inner.tiers, inner.context_rows

    def runs_on(self):
        return {"label": self.label}

    def encode(self, images, tier):
        return [replace(tokens, codec="echo") for tokens in self.inner.encode(images, tier)]

    def decode(self, tokens):
        return self.inner.decode([replace(item, codec="native") for item in tokens])

def load(device, options):
    from foxing.encoder import load_codec
    return EchoCodec(load_codec("native", device), options.label)

PLUGIN = CodecPlugin("echo", "Repeats what it hears.", load, EchoOptions, bundled=True)
'''
COMMANDS = '''
from typing import Annotated
import typer

def tea(minutes: Annotated[int, typer.Option(help="How long it draws.")] = 3) -> None:
    """Say when the tea is ready."""
    typer.echo(f"tea in {minutes} minutes")

pots = typer.Typer(help="Manage pots.")

@pots.command("list")
def list_pots() -> None:
    """List the pots."""
    typer.echo("one pot")
'''
APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

def make_app(memory):
    async def banks(request):
        return JSONResponse([bank.id for bank in memory.banks().banks])
    return Starlette(routes=[Route("/banks", banks)])
"""
SEARCH = """
from foxing.memory.index.packed_index import PackedIndex

class LoudIndex(PackedIndex):
    name = "loud"

    def search(self, connection, query, *, after=None, limit):
        after = after and after._replace(score=after.score - 1000)
        hits = super().search(connection, query, after=after, limit=limit)
        return [hit._replace(score=hit.score + 1000) for hit in hits]
"""
ENTRY_POINTS = """\
[foxing.search_indexes]
loud = echo_plugin.search:LoudIndex

[foxing.codecs]
echo = echo_plugin.codec:PLUGIN
cracked = echo_plugin.missing:PLUGIN
native = echo_plugin.codec:PLUGIN

[foxing.commands]
tea = echo_plugin.commands:tea
pots = echo_plugin.commands:pots
cracked-command = echo_plugin.missing:command

[foxing.apps]
tea = echo_plugin.app:make_app
"""


def build_wheel(folder: Path) -> Path:
    """A wheel of the package `foxing-echo`."""
    info = "foxing_echo-1.0.dist-info"
    files = {
        "echo_plugin/__init__.py": "",
        "echo_plugin/codec.py": CODEC,
        "echo_plugin/commands.py": COMMANDS,
        "echo_plugin/app.py": APP,
        "echo_plugin/search.py": SEARCH,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: foxing-echo\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": ENTRY_POINTS,
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text.encode())}\n"
    path = folder / "foxing_echo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the package into."""
    folder = tmp_path_factory.mktemp("echo")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    wheel = build_wheel(folder)
    pip = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    return folder / "site"


class Installation:
    """The command in an environment that has the package."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
        self.environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}

    def python(self, program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.python("from foxing.api.cli.main import main; main()", *arguments, **environment)

    def json(self, *arguments: str, **environment: str) -> Any:
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def installation(site: Path, tmp_path: Path) -> Installation:
    return Installation(site, tmp_path)


def test_the_codec_is_listed_with_what_it_requires_and_broken_ones_with_the_reason(installation: Installation) -> None:
    document = installation.json("codec", "list")
    echo = next(entry for entry in document["codecs"] if entry["codec"] == "echo")
    assert (echo["package"], echo["description"]) == ("foxing-echo", "Repeats what it hears.")
    assert echo["requires"] == [{"setting": "FOXING_CODECS__ECHO__LABEL", "set": False}]
    native = [entry["package"] for entry in document["codecs"] if entry["codec"] == "native"]
    assert native == ["foxing"], "a package cannot replace a codec of ours"
    reasons = {entry["name"]: entry["reason"] for entry in document["broken"]}
    assert "No module named 'echo_plugin.missing'" in reasons["cracked"]
    assert "declares the same name" in reasons["native"]
    assert "cracked (from foxing-echo) cannot be used" in installation.run("codec", "list").stdout


def test_the_codec_takes_its_options_from_the_settings_and_works(installation: Installation) -> None:
    missing = installation.run("codec", "check", FOXING_CODEC="echo")
    assert missing.returncode == 1
    assert "needs the option 'label' (setting FOXING_CODECS__ECHO__LABEL)" in missing.stderr
    (installation.folder / "foxing.toml").write_text('codec = "echo"\n[codecs.echo]\nlabel = "hello"\n')
    checked = installation.json("codec", "check", FOXING_SETTINGS_FILE="foxing.toml")
    assert (checked["codec"], checked["passed"], checked["runs_on"]["label"]) == ("echo", True, "hello")
    wrong = installation.run("codec", "list", FOXING_CODECS__ECHO__LABLE="x", FOXING_SETTINGS_FILE="foxing.toml")
    assert (wrong.returncode, "did you mean 'label'?" in wrong.stderr) == (2, True)


def test_the_commands_are_listed_and_run_and_a_broken_one_is_reported(installation: Installation) -> None:
    shown = installation.run("--help").stdout
    assert "Say when the tea is ready." in shown
    assert "Manage pots." in shown
    assert "cracked-command" in shown
    assert installation.run("tea", "--minutes", "4").stdout == "tea in 4 minutes\n"
    assert installation.run("pots", "list").stdout == "one pot\n"
    broken = installation.run("cracked-command", "--any", "thing")
    assert broken.returncode == 1
    assert "foxing.commands, from the package foxing-echo, cannot be used" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_listing_imports_neither_torch_nor_other_commands(installation: Installation) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from foxing.api.cli.main import app\n"
        "result = CliRunner().invoke(app, sys.argv[1:]); assert result.exit_code == 0, result.output\n"
        "print([name for name in ('torch', 'echo_plugin.commands') if name in sys.modules])"
    )
    assert installation.python(program, "--help").stdout == "['echo_plugin.commands']\n"
    assert installation.python(program, "codec", "list").stdout == "[]\n"


def test_the_app_is_mounted_behind_the_key(installation: Installation) -> None:
    program = (
        "from starlette.testclient import TestClient\n"
        "from foxing.api.app import create_app\n"
        "from foxing.api.settings import load_settings\n"
        "key = {'Authorization': 'Bearer k'}\n"
        "with TestClient(create_app(load_settings({'api_key': 'k', 'ageing_enabled': False}))) as client:\n"
        "    body = {'messages': [{'role': 'user', 'content': 'hi'}]}\n"
        "    assert client.post('/v1/banks/ana/messages', json=body, headers=key).status_code == 201\n"
        "    print(client.get('/x/tea/banks').status_code, client.get('/x/tea/banks', headers=key).json())\n"
    )
    done = installation.python(program, FOXING_DATABASE_URL=str(installation.folder / "foxing.db"))
    assert done.stdout == "401 ['ana']\n", done.stderr


def test_the_search_index_is_listed_and_finds_messages(installation: Installation) -> None:
    database = {"FOXING_DATABASE_URL": str(installation.folder / "foxing.db"), "FOXING_EMBEDDER": "none"}
    (installation.folder / "in.jsonl").write_text('{"role": "user", "content": "the march team"}\n')
    installation.json("import", "in.jsonl", "--bank", "ana", **database, FOXING_SEARCH_INDEX="loud")
    found = installation.json("recall", "team", "--bank", "ana", **database, FOXING_SEARCH_INDEX="loud")
    assert [(span["text"], span["score"] > 1000) for span in found["spans"]] == [("the march team", True)]
    unknown = installation.run("recall", "team", "--bank", "ana", **database, FOXING_SEARCH_INDEX="louder")
    assert unknown.returncode == 1
    assert "unknown search index 'louder'; choose one of loud, packed" in unknown.stderr
