"""The release workflow: it is valid, pins what it uses, and calls what exists."""

import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foxing.api.cli.main import COMMANDS

DIGEST = re.compile(r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$")
VERSION = re.compile(r"^[\w.-]+/[\w.-]+@v\d+\.\d+\.\d+$")
#: Commands of runners.
SHELL = {"test", "mkdir", "tar", "cp"}


@pytest.fixture
def workflow(repository: Path) -> dict[str, Any]:
    text = (repository / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    found["on"] = found.pop(True, found.get("on"))  # YAML 1.1 reads `on` as true
    return found


def steps(workflow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield name, step


def commands(workflow: dict[str, Any]) -> list[list[str]]:
    """The commands of all steps, one list of words each."""
    lines = [line for _, step in steps(workflow) if "run" in step for line in step["run"].splitlines()]
    return [shlex.split(command) for line in lines for command in line.split("&&")]


def test_actions_are_pinned(workflow: dict[str, Any]) -> None:
    used = [step["uses"] for _, step in steps(workflow) if "uses" in step]
    assert len(used) > 10
    for action in used:
        owner = action.partition("/")[0]
        assert DIGEST.match(action) or (owner == "pypa" and VERSION.match(action)), action


def test_each_digest_names_one_version(repository: Path) -> None:
    text = (repository / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    named = re.findall(r"uses: ([\w./-]+@[0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", text, re.M)
    assert len(named) == len(re.findall(r"uses: .*@[0-9a-f]{40}", text))
    assert len(set(named)) == len({action for action, _ in named}) == len({a.partition("@")[0] for a, _ in named})


def test_commands_and_files_exist(repository: Path, workflow: dict[str, Any]) -> None:
    assert len(commands(workflow)) > 8
    for command in commands(workflow):
        program = command[0]
        if program.startswith(".ci/"):
            assert os.access(repository / program, os.X_OK), program
        elif program not in SHELL:
            assert Path(program).name == "python", command
            assert command[1] == "-m", command


def test_modules_are_installed_before_they_run_in_exact_versions(workflow: dict[str, Any]) -> None:
    modules = {"cyclonedx_py": "cyclonedx-bom", "build": "build", "auditwheel": "auditwheel"}
    for job in workflow["jobs"].values():
        installed: set[str] = set()
        for command in commands({"jobs": {"job": job}}):
            if command[1:4] == ["-m", "pip", "install"]:
                for requirement in command[4:]:
                    name, _, version = requirement.partition("==")
                    assert version or requirement.startswith("wheels/"), requirement
                    installed.add(name)
            elif command[1:2] == ["-m"] and command[2] != "venv":
                assert modules[command[2]] in installed, command


def test_jobs_need_jobs_that_exist_and_only_the_last_may_write(workflow: dict[str, Any]) -> None:
    jobs = workflow["jobs"]
    for job in jobs.values():
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(jobs)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert jobs["publish"]["permissions"] == {"attestations": "write", "id-token": "write"}
    assert set(jobs["publish"]["needs"]) == {"try", "sbom"}
    assert "tag" in jobs["publish"]["if"]
    assert set(workflow["on"]) == {"push", "workflow_dispatch"}


def test_artifacts_are_made_before_they_are_used(workflow: dict[str, Any]) -> None:
    made = {step["with"]["name"] for _, step in steps(workflow) if "upload-artifact" in step.get("uses", "")}
    used = {
        step["with"].get("name", step["with"].get("pattern"))
        for _, step in steps(workflow)
        if "download-artifact" in step.get("uses", "")
    }
    assert made == {"sdist", "wheel-${{ matrix.runner }}", "sbom"}
    assert used == {"sdist", "wheel-${{ matrix.runner }}", "wheel-ubuntu-24.04", "sbom", "{sdist,wheel-*}"}


def test_wheels_are_tried_on_the_python_versions_that_the_package_supports(
    repository: Path, workflow: dict[str, Any]
) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = project["requires-python"].removeprefix(">=")
    matrix = workflow["jobs"]["try"]["strategy"]["matrix"]
    assert matrix["python"][0] == lowest
    assert matrix["runner"] == workflow["jobs"]["wheel"]["strategy"]["matrix"]["runner"]


def test_commands_of_the_check_exist(repository: Path) -> None:
    script = (repository / ".ci" / "check-wheel").read_text(encoding="utf-8")
    used = re.findall(r"(?:/bin/foxing\"|\bfoxing) (codec check|demo|mcp)\b", script)
    assert {name.partition(" ")[0] for name in used} == {"codec", "demo", "mcp"}
    commands = set(COMMANDS)
    for folder in (repository, repository / "clients" / "python"):
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        commands |= project["entry-points"]["foxing.commands"].keys()
    assert {"codec", "demo", "mcp"} <= commands
    assert ".ci/check-wheel" in (repository / ".ci" / "run").read_text(encoding="utf-8")
