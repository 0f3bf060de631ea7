"""The benchmark of alerts: faults against real services that Prometheus scrapes."""

import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks.alerts import FAULTS, RULES, faster_rules, try_fault


def test_each_rule_has_a_fault() -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert {alert for alert, *_ in FAULTS} == {rule["alert"] for rule in rules}
    assert len({title for _, title, _ in FAULTS}) == len(FAULTS)


def test_rules_are_faster_and_otherwise_the_same() -> None:
    rules = {rule["alert"]: rule for rule in yaml.safe_load(faster_rules())["groups"][0]["rules"]}
    assert rules["FoxingErrors"]["expr"] == 'sum by (job) (rate(foxing_http_requests_total{status=~"5.."}[15s])) > 0.05'
    assert rules["FoxingErrors"]["for"] == "15s"
    assert rules["FoxingAgeingLate"]["expr"] == "max(foxing_oldest_due_page_seconds) > 3600"
    assert "for" not in rules["FoxingTicksFail"]


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus")
@pytest.mark.parametrize("alert", ["FoxingDown", "FoxingRefusals"])
def test_a_fault_fires_its_alert(tmp_path: Path, alert: str) -> None:
    fault = next(fault for fault in FAULTS if fault[0] == alert)
    fired = try_fault(tmp_path, "prometheus", *fault)
    assert fired.fired_s is not None, fired
    assert fired.error is None
