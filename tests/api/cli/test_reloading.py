"""SIGHUP: the settings that a process applies while it goes on."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.command_line import start
from support.processes import ForkedProcess
from support.service import check_problem

FIRST = "the-first-key"
SECOND = "the-second-key"


def events(process: ForkedProcess) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in process.stderr)


def reload(process: ForkedProcess, *names: str) -> list[dict[str, Any]]:
    """Sends SIGHUP and returns the next line of the log with each of these events."""
    process.send_signal(signal.SIGHUP)
    lines = events(process)
    return [next(line for line in lines if line["event"] == name) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_sighup_applies_the_key_and_the_level_and_names_the_rest(
    database_url: str, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'api_key = "{FIRST}"\n')
    options = ["--port", "0"] if command == "serve" else ["--http", "127.0.0.1:0"]
    process = start("--database", database_url, command, *options, "--json", FOXING_SETTINGS_FILE=str(file))
    try:
        if command == "serve":
            url = json.loads(process.stdout.readline())["url"]
        else:
            url = next(event["url"] for event in events(process) if event["event"] == "listening")
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:

            def status(key: str) -> int:
                return client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code

            assert client.get("/readyz").status_code == 200  # it has started
            assert (status(FIRST), status(SECOND)) == (200, 401)
            file.write_text(f'api_key = "{SECOND}"\nlog_level = "debug"\nthreads = 7\n')
            done, rest = reload(process, "settings reloaded", "settings need a restart")
            assert done["changed"] == ["api_key", "log_level"]
            assert rest["settings"] == ["threads"]
            assert (status(FIRST), status(SECOND)) == (401, 200)
            assert next(line for line in events(process) if line["event"] == "request")["level"] in ("info", "debug")
            file.write_text('log_level = "loud"\n')
            (refused,) = reload(process, "settings were not reloaded")
            assert "FOXING_LOG_LEVEL" in refused["reason"]
            check_problem(client.get("/metrics"), 401, "unauthorized")
            assert status(SECOND) == 200
        process.terminate()
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
