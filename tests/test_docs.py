"""The documentation says what the code does: generated pages are current, and what the others name is there."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from foxing.api.cli.main import app
from foxing.api.metrics import Metrics
from foxing.api.settings import ENV_PREFIX, Settings, load_settings
from foxing.memory.policy import Policy

REPOSITORY = Path(__file__).resolve().parents[1]
GENERATED = ("cli.md", "http.md", "settings.md", "openapi.json")
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
WRITTEN = [page for page in PAGES if page.name not in GENERATED]

_CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]*\ssrc(?:set)?=\"([^\"]+)\"")


def generate(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "docs" / "generate.py"), *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def blocks(page: Path, language: str) -> list[str]:
    found = _CODE_BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", _CODE_BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
        name = "".join(kept).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def test_the_generated_pages_are_current(tmp_path: Path) -> None:
    done = generate("--check", cwd=tmp_path)
    if done.returncode == 1 and "libraries changed" in done.stderr:
        pytest.skip(f"the pages were written with other versions; {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def test_terminal_environment_and_settings_make_no_difference_and_stale_pages_are_named(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (tmp_path / "foxing.toml").write_text('port = 1\napi_key = "secret"\n', encoding="utf-8")
    written = generate("--folder", str(pages), cwd=tmp_path, COLUMNS="30", TERM="dumb", FOXING_HOST="::1")
    assert written.returncode == 0, written.stderr
    assert sorted(path.name for path in pages.iterdir()) == sorted(GENERATED)

    checked = generate("--check", "--folder", str(pages), cwd=REPOSITORY, COLUMNS="200")
    assert (checked.returncode, checked.stderr) == (0, "")

    (pages / "settings.md").unlink()
    cli = pages / "cli.md"
    cli.write_text(cli.read_text(encoding="utf-8").replace("--dry-run", "--dry"), encoding="utf-8")
    checked = generate("--check", "--folder", str(pages), cwd=tmp_path)
    assert checked.returncode == 1
    assert {name for name in GENERATED if name in checked.stderr} == {"cli.md", "settings.md"}
    assert not (pages / "settings.md").exists()


def commands() -> Iterator[tuple[str, Any]]:
    """The commands as typer has them, with their full names."""
    waiting = [("foxing", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            waiting += [(f"{name} {key}", value) for key, value in inner.items()]


def test_the_reference_of_the_command_has_every_command_and_option() -> None:
    text = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (foxing .+?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    known = dict(commands())
    assert set(sections) == set(known)
    for name, command in known.items():
        there = {option for p in command.params for option in (*p.opts, *p.secondary_opts) if option.startswith("-")}
        rows = re.findall(r"^\| `(-[^`]*)` \|", sections[name], re.MULTILINE)
        written = {word for row in rows for word in re.split(r"[ ,]+", row) if word.startswith("-")}
        assert written == there, name


def test_the_settings_example_is_all_settings_with_their_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = blocks(REPOSITORY / "docs" / "settings.md", "toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foxing.toml").write_text(example, encoding="utf-8")
    assert load_settings() == Settings.model_construct()
    (tmp_path / "foxing.toml").write_text(example.replace("# ", ""), encoding="utf-8")
    assert load_settings().model_fields_set == set(Settings.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = _CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for groups in _LINK.findall(text):
        link = groups[0] or groups[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_commands_settings_and_metrics_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    settings = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | {"FOXING_DATA"}
    assert set(re.findall(r"\bFOXING_[A-Z_]+\b", text)) <= settings
    metrics = set(re.findall(r"^# TYPE (\w+)", Metrics().expose().decode(), re.MULTILINE))
    named = {re.sub("_bucket$", "", name) for name in re.findall(r"\bfoxing_[a-z_]+\b", text)}
    assert named <= metrics
    known = {name.split()[1] for name, _ in commands()}
    code = [
        *re.findall(r"`(foxing [^`\n]+)`", text),
        *re.findall(r"^.*?\b(foxing [a-z].*)$", "".join(_shell(page)), re.M),
    ]
    assert {line.split()[1] for line in code if not line.split()[1].startswith("-")} <= known


def _shell(page: Path) -> list[str]:
    return [text for language in ("sh", "bash", "shell", "console") for text in blocks(page, language)]


def test_the_policies_in_the_operations_page_can_be_used() -> None:
    examples = [json.loads(text) for text in blocks(REPOSITORY / "docs" / "operations.md", "json")]
    assert len(examples) >= 3
    for example in examples:
        Policy.parse(example)
