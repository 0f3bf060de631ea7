"""The benchmarks of tenants beside each other."""

import json
import time
from pathlib import Path

import pytest

from benchmarks import isolation, tenants
from benchmarks.load.processes import Service

pytestmark = pytest.mark.slow


def test_tenants_are_given_nothing_of_each_other(tmp_path: Path) -> None:
    report = isolation.measure_isolation(tmp_path, seconds=10, callers=4)
    assert not report.leaks
    assert {"200", "201", "404", "422"} <= set(report.answers)
    assert sum(report.foreign.values())


def test_callers_who_share_banks_are_noticed(tmp_path: Path) -> None:
    shared = isolation.Shared()
    with Service(tmp_path, environment={"FOXING_API_KEY": isolation.OPERATOR}) as service:
        url = service.url()
        for tenant in isolation.WORDS:
            isolation.TenantCaller(url, tenant, isolation.OPERATOR, shared, 1).run(time.monotonic() + 4)
    assert any(isolation.WORDS["acme"] in leak for leak in shared.leaks)


def test_a_tenant_is_timed_beside_another(tmp_path: Path) -> None:
    result = tenants.neighbours(tmp_path, 1.0, calls=10, rounds=1)
    assert result["answers_of_the_other"][429] > 0
    assert set(result["ratios"]) == {"store", "recall"}


def test_keys_and_limits_are_timed(tmp_path: Path) -> None:
    assert set(tenants.overhead(tmp_path, 1, 2)) == {"store", "recall"}
    assert json.dumps(tenants.message(1))
