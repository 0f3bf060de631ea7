"""`import` of several files, dry runs, and what its errors say."""

import json
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.histories import json_lines

from foxing.memory import Operations
from foxing.memory.ingest.importers import importer

NAIVE = '{"role": "user", "content": "x", "created_at": "2026-01-05T09:00:00"}\n'


def said(folder: Path, name: str, count: int = 3) -> Path:
    path = folder / name
    path.write_text(json_lines(*({"id": f"{name}{n}", "role": "user", "content": f"note {n}"} for n in range(count))))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_fails_does_not_end_the_others(foxing: Foxing, tmp_path: Path, dry_run: bool) -> None:
    files = [said(tmp_path, "a"), tmp_path / "unknown.xyz", said(tmp_path, "c"), tmp_path / "missing"]
    files[1].write_text("nothing that anybody knows")
    arguments = ("import", *map(str, files), "--bank", "b", *(["--dry-run"] if dry_run else []))
    shown = foxing.run(*arguments)
    assert shown.exit_code == 1
    assert f"{files[0]}: " in shown.stdout
    assert f"{files[2]}: " in shown.stdout
    assert "unknown.xyz is not recognised" in shown.stderr
    assert "missing cannot be read" in shown.stderr
    assert "2 of 4 files were not imported" in shown.stderr
    listed = foxing.run(*arguments, "--json")
    assert listed.exit_code == 1
    found = {
        Path(each["file"]).name: each.get("error", {}).get("status") for each in json.loads(listed.stdout)["files"]
    }
    assert found == {"a": None, "unknown.xyz": 422, "c": None, "missing": 422}


def test_a_dry_run_compares_with_the_bank_and_creates_nothing(foxing: Foxing, tmp_path: Path) -> None:
    foxing.database = str(tmp_path / "none.db")
    path = said(tmp_path, "a", 5)
    first = foxing.json("import", str(path), "--bank", "b", "--dry-run")["files"][0]
    assert (first["stored"], first["duplicates"]) == (5, 0)
    assert not (tmp_path / "none.db").exists()
    long = tmp_path / "long.jsonl"
    long.write_text(json_lines({"role": "user", "content": "x" * 2_000_000}))
    arguments = ("import", str(long), "-b", "b", "--format", "jsonl", "--dry-run")
    assert "line 1: has 2,000,000 bytes" in foxing.failure(*arguments)["detail"]
    assert "bank's name" in foxing.failure("import", str(path), "-b", "no such name", "--dry-run")["detail"]
    foxing.text("import", str(path), "--bank", "b")
    again = foxing.json("import", str(said(tmp_path, "a", 7)), "--bank", "b", "--dry-run")["files"][0]
    assert (again["stored"], again["duplicates"]) == (2, 5)
    assert "7 messages in 1 threads; 2 are new" in foxing.text("import", str(path), "--bank", "b", "--dry-run")
    path.write_text(json_lines({"id": "a3", "role": "user", "content": "another"}))
    assert "belongs to another message" in foxing.failure("import", str(path), "-b", "b", "--dry-run")["detail"]


def test_an_import_says_that_it_used_no_language_model(foxing: Foxing, tmp_path: Path) -> None:
    path = said(tmp_path, "a")
    assert "remembering costs no model tokens" in foxing.text("import", str(path), "--bank", "b")
    assert "model tokens" not in foxing.text("import", str(path), "--bank", "b")  # nothing was new


def test_errors_name_the_options_of_the_command(foxing: Foxing, tmp_path: Path) -> None:
    path = tmp_path / "naive.jsonl"
    path.write_text(NAIVE)
    assert foxing.failure("import", str(path), "-b", "b")["detail"].endswith("that of the file (option --timezone)")
    path.write_text("nothing that anybody knows")
    assert foxing.failure("import", str(path), "-b", "b")["detail"].endswith("(option --format)")


def test_a_disk_that_fills_up_ends_the_command_and_says_what_was_not_tried(
    foxing: Foxing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foxing.memory.errors import StorageError

    monkeypatch.setattr(importer, "MESSAGES_AT_ONCE", 2)
    prepare, calls = Operations.prepare, []

    def full(self: Operations, bank: str, messages: object) -> object:
        calls.append(1)
        if len(calls) > 1:
            raise StorageError("the disk is full; free space")
        return prepare(self, bank, messages)  # type: ignore[arg-type]

    monkeypatch.setattr(Operations, "prepare", full)
    files = [said(tmp_path, name, 5) for name in "abc"]
    result = foxing.run("import", *map(str, files), "--bank", "b")
    assert result.exit_code == 1
    assert "the disk is full; free space; 2 of 5 messages are stored; import it again" in result.stderr
    assert f"3 of 3 files were not imported; not tried: {files[1]}, {files[2]}" in result.stderr
