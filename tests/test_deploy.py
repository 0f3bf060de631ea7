"""Files for operators: alerts, dashboard, units and their guide."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.service import metric_samples, serve
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.api.settings import load_settings

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "deploy"
#: A metric of ours or of the process; Prometheus itself makes `up`.
METRIC = re.compile(r"\b(?:foxing|process)_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    alerts: list[dict[str, Any]] = document["groups"][0]["rules"]
    return alerts


def test_alerts_and_dashboard_ask_for_metrics_that_a_service_has(database_url: str) -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    with serve(database_url=database_url) as client:
        client.get("/v1/banks")
        body = {"messages": [{"role": "user", "content": "x"}]}
        client.post("/v1/banks/b/messages", json=body)
        client.post("/v1/banks/b/recall", json={})
        text = client.get("/metrics").text
        samples = metric_samples(client)
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    names = {name.partition("{")[0] for name in samples} | declared
    asked = {name for query in [rule["expr"] for rule in rules()] + queries for name in METRIC.findall(query)}
    assert asked <= names
    assert len(rules()) == 13


def test_each_alert_has_its_section_in_the_guide(repository: Path) -> None:
    guide = (repository / "docs" / "guides" / "alerts.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)", guide, re.MULTILINE) == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["annotations"]["runbook_url"] == f"docs/guides/alerts.md#{rule['alert'].lower()}"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_each_alert_fires_at_its_fault() -> None:
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        subprocess.run(["promtool", *command], cwd=FOLDER, check=True)


@pytest.mark.parametrize("name", ["foxing", "foxing-worker"])
def test_units_run_commands_and_settings_that_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(FOLDER / "systemd" / f"{name}.service")
    program, command, *options = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/foxing")
    assert CliRunner().invoke(app, [command, *options, "--help"]).exit_code == 0
    for setting in shlex.split(unit["Service"].get("Environment", "")):
        monkeypatch.setenv(*setting.split("=", 1))
    load_settings({"worker_http": options[1]} if options else {})


def test_manifests_run_commands_and_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
    deployments = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
    assert [manifest["metadata"]["name"] for manifest in deployments] == ["foxing", "foxing-worker"]
    for manifest in deployments:
        [container] = manifest["spec"]["template"]["spec"]["containers"]
        assert CliRunner().invoke(app, [*container["command"][1:], "--help"]).exit_code == 0
        for entry in container["env"]:
            monkeypatch.setenv(entry["name"], entry["value"])
    settings = load_settings({})
    assert settings.worker_http == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    assert settings.drain_s == 5
