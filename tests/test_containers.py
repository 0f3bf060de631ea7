"""The files for containers: they are parsed, and what they would run is run here, without Docker."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.command_line import start_anew
from support.databases import PostgresServer

from foxing.api.settings import load_settings

KEY = "a-long-random-text"
TIMEOUT_S = 600  # reached only by a test that fails
RETRIES = 20  # of the health check, which waits four seconds for a service that may be busy
SECRETS = {"POSTGRES_PASSWORD": "hunter2", "FOXING_API_KEY": KEY}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    root = Path(__file__).resolve().parents[1]
    document: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the image: their names and arguments."""
    root = Path(__file__).resolve().parents[1]
    lines = (root / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    stripped = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in stripped)]


def last_stage(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    first = max(number for number, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[first:]


def image_environment(instructions: list[tuple[str, str]]) -> dict[str, str]:
    """The variables that the image sets for Foxing."""
    given = " ".join(rest for name, rest in last_stage(instructions) if name == "ENV")
    pairs = (pair.partition("=") for pair in shlex.split(given))
    return {name: value for name, _, value in pairs if name.startswith("FOXING_")}


def environment_of(compose: dict[str, Any], service: str, url: str) -> dict[str, str]:
    """The environment of a service, with secrets, and with the database `url` in place of its own."""
    found: dict[str, str] = compose["services"][service]["environment"]
    for name, value in found.items():
        if value.startswith("${"):
            found = {**found, name: SECRETS[value[2:].partition(":?")[0]]}
    return {**found, "FOXING_DATABASE_URL": url}


def test_the_image_is_made_of_what_is_here_and_runs_without_root(
    repository: Path, dockerfile: list[tuple[str, str]]
) -> None:
    copied = [
        word for name, rest in dockerfile if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert all((repository / path).exists() for path in copied)
    build = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {*build["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"], "pyproject.toml"}
    assert needed <= set(copied)
    ignored = (repository / ".dockerignore").read_text(encoding="utf-8").split()
    assert {f"!{path}" for path in copied} <= set(ignored)
    extras = (
        next(rest for name, rest in dockerfile if name == "RUN" and ".[" in rest).partition("[")[2].partition("]")[0]
    )
    assert set(extras.split(",")) <= set(build["project"]["optional-dependencies"])
    final = dict(last_stage(dockerfile))
    assert final["USER"] not in ("root", "0")
    assert json.loads(final["CMD"]) == ["foxing", "serve"]
    settings = image_environment(dockerfile)
    assert load_settings({}).port == int(settings["FOXING_PORT"]) == int(final["EXPOSE"])


def test_services_wait_for_each_other_and_have_no_secrets(compose: dict[str, Any], repository: Path) -> None:
    services = compose["services"]
    assert set(services) == {"database", "upgrade", "api", "worker"}
    for service in services.values():
        for name in service.get("depends_on", {}):
            assert name in services
    assert services["upgrade"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["api"]["ports"] == ["127.0.0.1:8765:8765"]
    for service in ("upgrade", "api", "worker"):
        assert services[service]["read_only"] is True
        assert services[service]["cap_drop"] == ["ALL"]
    text = (repository / "compose.yaml").read_text(encoding="utf-8")
    secret = [line.split(":", 1) for line in text.splitlines() if "PASSWORD:" in line or "_KEY:" in line]
    assert len(secret) == 4
    assert all(value.strip().startswith("${") and ":?" in value for _, value in secret)


@contextmanager
def running(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = start_anew(*arguments, **environment)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=120)


@pytest.mark.slow
def test_the_commands_of_the_services_work_on_postgresql(
    compose: dict[str, Any],
    dockerfile: list[tuple[str, str]],
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, services = postgres_server.new_database(migrated=False), compose["services"]
    image_port = image_environment(dockerfile)["FOXING_PORT"]  # that the health check of the image asks
    for name, value in image_environment(dockerfile).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FOXING_PORT", "0")  # others may use the port of the image

    with running(*services["upgrade"]["command"][1:], environment=environment_of(compose, "upgrade", url)) as upgrade:
        assert upgrade.wait(TIMEOUT_S) == 0
    serving = environment_of(compose, "api", url)
    working = {**environment_of(compose, "worker", url), "FOXING_WORKER_HTTP": "0.0.0.0:0"}
    assert services["worker"]["environment"]["FOXING_WORKER_HTTP"] == f"0.0.0.0:{image_port}"
    with running(*services["api"]["command"][1:], "--json", environment=serving) as api:
        assert api.stdout is not None
        address = json.loads(api.stdout.readline())["url"]
        with httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {KEY}"}, timeout=TIMEOUT_S, trust_env=False
        ) as client:
            client.get("/healthz")  # it listens before it has started
            check = health_check(dockerfile, address)
            assert any(subprocess.run(**check).returncode == 0 for _ in range(RETRIES))
            client.put("/v1/banks/ana/policy", json={"age_from": "message"}).raise_for_status()
            message = {"role": "user", "content": "We ship Titan on 14 March.", "created_at": "2026-01-05T09:00:00Z"}
            assert client.post("/v1/banks/ana/messages", json={"messages": [message]}).status_code == 201
            assert client.get("/v1/banks", headers={"Authorization": ""}).status_code == 401
        with running(*services["worker"]["command"][1:], environment=working) as worker:
            assert worker.stderr is not None
            events = (json.loads(line) for line in worker.stderr)
            own = next(event["url"] for event in events if event["event"] == "listening")
            assert next(event for event in events if event["event"] == "job")  # the message is due
            probe = health_check(dockerfile, own)
            assert any(subprocess.run(**probe).returncode == 0 for _ in range(RETRIES))
            assert worker.poll() is None
            worker.terminate()
    assert (api.returncode, worker.returncode) == (0, 0)
    assert subprocess.run(**check, capture_output=True).returncode != 0


def health_check(dockerfile: list[tuple[str, str]], address: str) -> dict[str, Any]:
    """What `subprocess.run` takes to check a service as the image does."""
    command = json.loads(dict(last_stage(dockerfile))["HEALTHCHECK"].partition("CMD ")[2])
    environment = {**os.environ, "FOXING_PORT": address.rpartition(":")[2]}
    return {"args": [sys.executable, *command[1:]], "env": environment}
