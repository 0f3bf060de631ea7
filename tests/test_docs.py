"""The documentation matches the code: generated pages are current, and other pages name only what exists."""

import ast
import importlib
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tokenize
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer.main

from foxing.api.cli.main import app
from foxing.api.metrics import Metrics
from foxing.api.settings import ENV_PREFIX, Settings, load_settings
from foxing.api.settings.names import NOT_SETTINGS, environment_name
from foxing.encoder import CODECS
from foxing.memory import Memory
from foxing.memory.ingest.importers.jsonl import HEADER
from foxing.memory.values.policy import Policy
from foxing.renderer import DENSE_PAGE
from foxing.renderer.plugins import OWN_PACKAGES
from foxing.renderer.tiers import OWN_TIERS

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
REFERENCE, EXPLANATION = DOCS / "reference", DOCS / "explanation"
#: Pages that docs/generate.py writes as a whole.
GENERATED = tuple(
    f"reference/{name}"
    for name in ("cli.md", "http.md", "openapi.json", "permissions.md", "python.md", "readers.md", "settings.md")
)
PACKAGES = ("foxing.memory", "foxing.encoder", "foxing.renderer")
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
# LOG.md is history: it may name commands and settings that no longer exist.
WRITTEN = [page for page in PAGES if page not in {DOCS / name for name in (*GENERATED, "LOG.md")}]

_CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]*\ssrc(?:set)?=\"([^\"]+)\"")


def generate(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def code_blocks(page: Path, *languages: str) -> list[str]:
    """The texts of the page's code blocks in `languages`."""
    blocks = _CODE_BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in blocks if name in languages]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the page's headings."""
    counts: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", _CODE_BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        kept = (c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
        name = "".join(kept).replace(" ", "-")
        count = counts.get(name, 0)
        counts[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


@pytest.mark.slow
def test_the_generated_pages_are_current(tmp_path: Path) -> None:
    checked = generate("--check", cwd=tmp_path)
    if checked.returncode == 1 and "libraries changed" in checked.stderr:
        pytest.skip(f"the pages were generated with other versions; {checked.stderr.splitlines()[-1]}")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.slow
def test_pages_do_not_depend_on_the_environment_and_stale_pages_are_named(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (tmp_path / "foxing.toml").write_text('port = 1\napi_key = "secret"\n', encoding="utf-8")
    written = generate("--folder", str(pages), cwd=tmp_path, COLUMNS="30", TERM="dumb", FOXING_HOST="::1")
    assert written.returncode == 0, written.stderr
    assert {path.relative_to(pages).as_posix() for path in pages.rglob("*.*")} == {
        *GENERATED,
        "explanation/traces.md",
    }

    (pages / "reference" / "settings.md").unlink()
    cli = pages / "reference" / "cli.md"
    cli.write_text(cli.read_text(encoding="utf-8").replace("--dry-run", "--dry"), encoding="utf-8")
    checked = generate("--check", "--folder", str(pages), cwd=REPOSITORY, COLUMNS="200")
    assert checked.returncode == 1
    assert {name for name in GENERATED if name in checked.stderr} == {"reference/cli.md", "reference/settings.md"}
    assert not (pages / "reference" / "settings.md").exists()


def commands() -> Iterator[tuple[str, Any]]:
    """(full name, click command) of every command."""
    pending = [("foxing", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        inner = getattr(command, "list_commands", None)
        if inner is None:
            yield name, command
        else:
            context = command.make_context(name, [], resilient_parsing=True)
            pending += [(f"{name} {key}", command.get_command(context, key)) for key in inner(context)]


def test_the_cli_reference_has_every_command_and_option() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^##+ `(foxing .+?)`\n(.*?)(?=^##+ |\Z)", text, re.DOTALL | re.MULTILINE))
    known = dict(commands())
    assert set(sections) == set(known) | {
        f"foxing {group}" for group in ("audit", "bundle", "codec", "db", "facts", "hold", "keys", "quarantine")
    }
    for name, command in known.items():
        options = {option for p in command.params for option in (*p.opts, *p.secondary_opts) if option.startswith("-")}
        rows = re.findall(r"^\* `(-[^`]*)`", sections[name], re.MULTILINE)
        documented = {word for row in rows for word in re.split(r"[ ,/]+", row) if word.startswith("-")}
        assert documented == options | {"--help"}, name


@pytest.mark.parametrize("package", PACKAGES)
def test_the_python_reference_has_every_exported_name(package: str) -> None:
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{package}\n")]
    headings = set(re.findall(r"^### (\w+)$", own, re.MULTILINE))
    rows = set(re.findall(r"^\| `(\w+)` \|", own, re.MULTILINE))
    assert set(importlib.import_module(package).__all__) <= headings | rows


def test_the_python_reference_has_signatures_fields_and_their_documentation() -> None:
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    assert "class Memory(\n    database: str | Path | DatabaseOptions | None = None,\n    *,\n" in text
    assert "#### Memory.recall\n" in text
    fields = {name: row for row in text.splitlines() for name in re.findall(r"^\| `(\w+)` \|", row)}
    new_message = text.partition("### NewMessage\n")[2].partition("\n### ")[0]
    assert "| `content` | `Content` |" in new_message
    assert fields["RELEVANCE_FLOOR"].rstrip(" |").rpartition("| ")[2]


def test_the_settings_example_has_every_setting_with_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = code_blocks(REFERENCE / "settings.md", "toml")
    monkeypatch.setenv("FOXING_SETTINGS_FILE", str(tmp_path / "foxing.toml"))
    (tmp_path / "foxing.toml").write_text(example, encoding="utf-8")
    settings = load_settings()
    assert settings.model_copy(update={"codecs": {}}) == Settings.model_construct()
    own = [plugin.value for plugin in CODECS.working() if plugin.package in OWN_PACKAGES]
    own = [plugin for plugin in own if plugin.options.model_fields]
    assert list(settings.codecs) == [plugin.name for plugin in own]
    for plugin in own:
        required = {"url": "http://h", "model": "m"} if plugin.name == "remote" else {}
        assert plugin.parse({**settings.codecs[plugin.name], **required}) == plugin.parse(required)
    (tmp_path / "foxing.toml").write_text(example.replace("# ", ""), encoding="utf-8")
    settings = load_settings()
    assert settings.model_fields_set == set(Settings.model_fields) - {"readers"}
    for plugin in own:
        assert plugin.parse(settings.codecs[plugin.name]).model_fields_set == set(plugin.options.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_has_a_target(page: Path) -> None:
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


@cache
def metric_names() -> set[str]:
    with TemporaryDirectory() as folder, Memory(Path(folder, "foxing.db")) as memory:
        metrics = Metrics()
        metrics.watch(memory)
        types = re.findall(r"^# TYPE (\w+) (\w+)", metrics.expose().decode(), re.MULTILINE)
    return {name for name, _ in types} | {f"{name}_count" for name, kind in types if kind == "histogram"}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_named_commands_settings_and_metrics_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    settings = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | {
        environment_name(name) for name in NOT_SETTINGS
    }
    for plugin in CODECS.working():
        settings |= {environment_name(f"codecs.{plugin.name}.{option}") for option in plugin.value.options.model_fields}
    assert set(re.findall(r"\bFOXING_[A-Z0-9_]*[A-Z0-9]\b", text)) <= settings
    mentioned = {re.sub("_bucket$", "", name) for name in re.findall(r"\bfoxing_[a-z_]+\b", text)}
    assert mentioned <= metric_names() | {HEADER}
    shell = "".join(code_blocks(page, "sh", "bash", "shell", "console"))
    usages = [*re.findall(r"`(foxing [^`\n]+)`", text), *re.findall(r"^.*?\b(foxing [a-z].*)$", shell, re.M)]
    known = {name.split()[1] for name, _ in commands()}
    assert {usage.split()[1] for usage in usages if not usage.split()[1].startswith("-")} <= known


def test_the_readme_shows_what_its_first_lines_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,), (output,) = (code_blocks(REPOSITORY / "README.md", language) for language in ("python", "text"))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == output


def test_a_newcomer_reads_little_before_the_first_lines_and_their_output() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.partition("```")[0].split()) <= 80
    assert len(text.partition("```text")[0].split()) <= 160


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_command_lines_in_examples_are_parsed(page: Path) -> None:
    known = dict(commands())
    for line in re.findall(r"^.*?\b(foxing [a-z].*)$", "".join(code_blocks(page, "", "sh")), re.MULTILINE):
        words = list(takewhile(lambda word: word not in ("|", ">", "&&"), shlex.split(line, comments=True)))
        name = next(" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in known)
        known[name].make_context(name, words[len(name.split()) :])


def test_the_policies_in_the_operations_page_are_valid() -> None:
    examples = [json.loads(text) for text in code_blocks(REFERENCE / "operations.md", "json")]
    assert len(examples) >= 3
    for example in examples:
        Policy.parse(example)


@pytest.mark.parametrize("name", ["explanation/architecture.md", "contributing/recipes.md"])
def test_what_the_map_names_is_where_it_says(name: str) -> None:
    page = DOCS / name
    links = re.findall(r"\[`([\w.]+)`\]\((\.\./[^)]+\.py)\)", page.read_text(encoding="utf-8"))
    assert len(links) > 15
    for named, path in links:
        tree = ast.parse((page.parent / path).read_text(encoding="utf-8"))
        defined: dict[str, ast.AST] = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                defined[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        owner, _, method = named.partition(".")
        assert owner in defined, f"{path} has no {named}"
        if method:
            holder = defined[owner]
            assert isinstance(holder, ast.ClassDef)
            functions = {node.name for node in holder.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert method in functions, named


def test_the_table_of_tiers_is_that_of_the_code() -> None:
    fading = (EXPLANATION / "fading.md").read_text(encoding="utf-8")
    for tier in OWN_TIERS:
        columns, rows = DENSE_PAGE.columns_per_token(tier.name), DENSE_PAGE.rows_per_token(tier.name)
        cells = f"{columns} × {rows} = {columns * rows}"
        assert f"| `{tier.name}` | {tier.side_px} px | {tier.tokens} | {cells} |" in fading


@pytest.mark.parametrize("way", ["Store", "Seal", "Age", "Recall"])
def test_every_step_that_the_architecture_tells_was_traced(way: str) -> None:
    """At least one of the functions that a step names is entered by the call."""
    page = (EXPLANATION / "architecture.md").read_text(encoding="utf-8")
    steps = re.search(rf"^### {way}: .*?\n\n(.*?)(?=^#)", page, re.MULTILINE | re.DOTALL)
    traces = (EXPLANATION / "traces.md").read_text(encoding="utf-8")
    trace = re.search(rf"^<summary>{way.lower()}: .*?</details>", traces, re.MULTILINE | re.DOTALL)
    assert steps is not None
    assert trace is not None
    traced = set(re.findall(r"`([\w.]+)`", trace[0]))
    told = [re.findall(r"\[`([\w.]+)`\]", step) for step in re.findall(r"^\d+\. .*$", steps[1], re.MULTILINE)]
    assert len(told) > 5
    missing = [names for names in told if names and traced.isdisjoint(names)]
    assert missing == []


#: Names in backticks that are those of other programs and packages, or of examples.
OTHER_NAMES = frozenset(
    {
        *("ProcessHistory", "RunnableWithMessageHistory", "SqliteSaver", "bcm90245nmd", "claude_desktop_config.json"),
        *(
            "aa522ed016a5",
            "fail_open",
            "faketime",
            "fe9def641054",
            "op.batch_alter_table",
            "pg_amcheck",
            "pg_basebackup",
            "pg_wal",
            "structuredContent",
        ),
        "update_plan",
    }
)


def test_the_index_of_plug_ins_has_their_signatures() -> None:
    page = (DOCS / "guides" / "plugins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(foxing\.[\w.]+)` \| (`\w+\(.*?) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) >= 4
    for place, methods, attributes in rows:
        module, _, name = place.rpartition(".")
        members = vars(getattr(importlib.import_module(module), name))
        functions = {key: value for key, value in members.items() if inspect.isfunction(value) and key[0] != "_"}
        signatures = {name: list(inspect.signature(function).parameters)[1:] for name, function in functions.items()}
        shown = [f"{name}({', '.join(parameters)})" for name, parameters in signatures.items()]
        assert methods.strip("`").split("` `") == shown
        properties = [key for key, value in members.items() if isinstance(value, property)]
        assert attributes.strip("`").split("` `") == [*members["__annotations__"], *properties]


@pytest.fixture(scope="module")
def names_of_code() -> frozenset[str]:
    """The names of files and folders, and those in the code: of Python without comments and docstrings."""
    names = set[str]()
    for path in REPOSITORY.rglob("*"):
        parts = path.relative_to(REPOSITORY).parts
        if parts[0].startswith(".v") or parts[0] in {".git", "build"} or "node_modules" in parts:
            continue
        names |= {path.stem, *parts}
        if path.suffix == ".py":
            with path.open("rb") as file:
                for token in tokenize.tokenize(file.readline):
                    if token.type == tokenize.NAME:
                        names.add(token.string)
                    elif token.type == tokenize.STRING and "\n" not in token.string:
                        names |= set(re.findall(r"\w+", token.string))
        elif path.suffix in {".toml", ".html", ".c", ".ts"} or path.name == "Makefile":
            names |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return frozenset(names)


@pytest.mark.parametrize(
    "page",
    [page for page in WRITTEN if page.name != "traces.md"],  # generated
    ids=lambda page: page.relative_to(REPOSITORY).as_posix(),
)
def test_names_in_backticks_are_those_of_the_code(page: Path, names_of_code: frozenset[str]) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`(_?[A-Za-z][\w.]*)`", text)) - OTHER_NAMES
    named = {name for name in named if not name.startswith(ENV_PREFIX)}  # checked above
    assert {name for name in named if not names_of_code.issuperset(filter(None, name.split(".")))} == set()
