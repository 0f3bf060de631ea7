"""The benchmarks of the service under load, on small inputs."""

import json
from pathlib import Path

import pytest

from benchmarks.load import process_kills, scaling
from benchmarks.load.__main__ import main
from benchmarks.load.kills import measure_kills
from benchmarks.load.process_kills import measure_process_kills

#: Messages of few passages, and an erasure as the first change.
SEED = 18

forked = pytest.mark.usefixtures("forked_services")


def test_stores_and_recalls_are_timed_together(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--only", "mixed", "--messages", "100", "--clients", "2", "--seconds", "1", "--json"])
    result = json.loads(capsys.readouterr().out)["mixed"]
    assert result["errors"] == []
    assert min(result["stores"], result["recalls"]) > 0
    assert 0 < result["store_p50_ms"] <= result["store_p99_ms"] <= result["store_max_ms"]
    assert 0 < result["recall_p50_ms"] <= result["recall_p99_ms"]
    assert result["health_p99_ms"] > 0
    assert min(result["memory_mib"]) > 0


@forked
def test_stores_alone_are_counted(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--store-clients", "2", "--store-seconds", "1", "--database", database_url]
    main(["--only", "stores", *options, "--json"])
    result = json.loads(capsys.readouterr().out)["stores"]
    assert result["errors"] == []
    assert result["stored"] == result["stores"] > 0
    assert min(result["service_ms_per_message"], result["clients_ms_per_message"]) > 0
    assert (result["database_ms_per_message"] or 0) > 0 or result["database"] == "sqlite"


@forked
def test_stores_of_several_messages_are_counted_by_message(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--store-clients", "2", "--store-seconds", "1", "--batch", "20", "--database", database_url]
    main(["--only", "batches", *options, "--json"])
    result = json.loads(capsys.readouterr().out)["batches"]
    assert result["errors"] == []
    assert result["stored"] == 20 * result["stores"] > 0
    assert result["messages_per_s"] == pytest.approx(result["stored"], abs=0.1)


@forked
def test_a_stop_in_the_middle_of_ageing_leaves_whole_pages(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--only", "stop", "--pages", "2", "--json"])
    result = json.loads(capsys.readouterr().out)["stop"]
    assert (result["leases"], result["faults"]) == (0, [])
    assert 0 < result["moved"] <= result["moved_later"] <= result["pages"]


@forked
def test_killed_processes_lose_nothing(tmp_path: Path) -> None:
    result = measure_kills(tmp_path, 1, settle=False)
    assert result.acknowledged > 0
    assert (result.rounds, result.lost, result.duplicates, result.faults) == (1, 0, 0, [])


@forked
def test_several_processes_are_measured_beside_one(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "START_S", 0.2)
    monkeypatch.setattr(scaling, "MESSAGES", 60)
    options = ["--pairs", "1", "--pair-seconds", "1", "--database", database_url]
    main(["--only", "processes", *options, "--json"])
    result = json.loads(capsys.readouterr().out)["processes"]
    assert result["errors"] == []
    assert [pair["load"] for pair in result["pairs"]] == list(scaling.CALLERS)
    for pair in result["pairs"]:
        assert pair["ratio"] == pytest.approx(pair["several"] / pair["one"], abs=0.01)
        assert min(pair["one_cpu_ms"], pair["several_cpu_ms"]) > 0


@forked
def test_killed_processes_of_a_service_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_kills, "KILLS", 1)
    result = measure_process_kills(tmp_path, 1, 2)
    assert result.acknowledged > 0
    assert (result.process_kills, result.parent_kills, result.lost, result.duplicates) == (1, 1, 0, 0)
    assert result.faults == []
