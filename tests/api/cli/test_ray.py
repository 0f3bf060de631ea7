"""Commands that Ray carries out."""

import json
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command_line import Foxing, start_anew

from foxing.memory import Memory

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra 'ray'")


def write_talk(path: Path) -> Path:
    lines = [
        {"id": str(n), "role": "user", "content": f"Note {n}", "created_at": (_now() - timedelta(days=9)).isoformat()}
        for n in range(5)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def _now() -> datetime:
    return datetime.now(UTC)


@needs_ray
def test_age_reencode_and_import_by_actors(database_path: Path, tmp_path: Path) -> None:
    """As processes: Ray is started, and stopped with the command; stdout is one document."""
    talk = write_talk(tmp_path / "talk.jsonl")
    imported = _run(database_path, "import", str(talk), "--bank", "b")
    assert imported["files"][0]["stored"] == 5
    with Memory(database_path) as memory:
        memory.seal("b")
    aged = _run(database_path, "age", "--bank", "b")
    assert [move["to_tier"] for move in aged["moved"]] == ["small"]
    assert _run(database_path, "reencode")["banks"][0]["current"] == 1


def _run(database: Path, *arguments: str) -> dict[str, list[dict[str, object]]]:
    process = start_anew("--database", str(database), *arguments, "--ray", "--actors", "1", "--json")
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    document: dict[str, list[dict[str, object]]] = json.loads(out)
    return document


@pytest.mark.parametrize("command", [["age", "--bank", "b"], ["reencode"], ["import", "talk.jsonl", "--bank", "b"]])
def test_without_ray_the_command_names_the_extra(
    foxing: Foxing, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    problem = foxing.failure(*command, "--ray")
    assert problem["type"] == "urn:foxing:problem:pool"
    assert "foxing[ray]" in problem["detail"]


@pytest.mark.parametrize("options", [["--actors", "2"], ["--actor-gpus", "1"], ["--ray", "--dry-run"]])
def test_options_that_do_not_go_together(foxing: Foxing, options: list[str]) -> None:
    result = foxing.run("age", "--bank", "b", *options)
    assert result.exit_code == 2
    assert "--ray" in result.stderr
