"""The benchmark of the service."""

import json

import pytest

from benchmarks.service import main


def test_storing_over_http_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--requests", "10", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert list(result) == ["requests", "p50_ms", "p95_ms", "max_ms"]
    assert result["requests"] == 10
    assert 0 < result["p50_ms"] <= result["p95_ms"] <= result["max_ms"]
