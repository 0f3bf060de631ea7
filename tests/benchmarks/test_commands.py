"""The benchmark of commands."""

import json

import pytest

from benchmarks.commands import main


@pytest.mark.slow
def test_a_command_is_measured_alone_and_beside_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--messages", "3", "--runs", "1", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["messages"], result["runs"]) == (3, 1)
    assert 0 < result["answered_mib"] < result["alone_mib"]
    assert min(result["answered_s"], result["alone_s"]) > 0
