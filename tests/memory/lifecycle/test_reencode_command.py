"""`foxing reencode`."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.other_weights import BANK, DAY, END, BothWeights, SampleBank, of_unknown_weights
from support.plugins import InstallPlugin
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.encoder import CODECS, CodecOptions, CodecPlugin
from foxing.memory import Memory

Run = Callable[..., Any]


@pytest.fixture
def run(bank: SampleBank, install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command with a codec that reads the tokens of both weights."""
    plugin = CodecPlugin("both-weights", "For tests.", lambda device, options: BothWeights(bank.codec), CodecOptions)
    install_plugin(CODECS, plugin.name, plugin)
    monkeypatch.setenv("FOXING_CODEC", plugin.name)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["--database", str(bank.database), "reencode", *arguments])


@pytest.mark.slow
def test_the_command_reencodes_all_banks(bank: SampleBank, run: Run) -> None:
    first: datetime = END - 40 * DAY
    with Memory(bank.database, device="cpu", clock=lambda: first + DAY) as memory:
        memory.store("bo", [{"role": "user", "content": "hello", "created_at": first}])
        memory.seal("bo")
    preview = run("--dry-run", "--json")
    assert preview.exit_code == 0, preview.output
    banks = {report["bank"]: report for report in json.loads(preview.stdout)["banks"]}
    assert [(name, len(banks[name]["reencoded"]), banks[name]["current"]) for name in ("ana", "bo")] == [
        ("ana", 3, 0),
        ("bo", 0, 1),
    ]
    shown = run("--dry-run")
    assert "3 pages would be reencoded" in shown.stdout

    done = run("--bank", BANK)
    assert done.exit_code == 0, done.output
    assert "3 pages reencoded" in done.stdout
    again = run("--json")
    assert again.exit_code == 0
    assert [len(report["reencoded"]) for report in json.loads(again.stdout)["banks"]] == [0, 0]


def test_the_command_reports_pages_left_as_they_are(bank: SampleBank, run: Run) -> None:
    bank.change_tokens(bank.tiny, of_unknown_weights)
    assert run("--dry-run").exit_code == 0
    done = run()
    assert done.exit_code == 1
    assert f"page {bank.tiny.id} was skipped" in done.stdout
    assert "2 pages reencoded" in done.stdout
    left = run("--json")
    assert left.exit_code == 1
    assert [page["page_id"] for page in json.loads(left.stdout)["banks"][0]["unreadable"]] == [bank.tiny.id]
    unknown = run("--bank", "nobody", "--json")
    assert unknown.exit_code == 1
    assert json.loads(unknown.stderr)["type"] == "urn:foxing:problem:not-found"
