"""The command `proxy`."""

import json
import signal
from pathlib import Path

import httpx
import pytest
from support.command_line import Foxing, start

from foxing.integrations.hooks.projects import default_bank
from tests.upstream import Upstream


@pytest.fixture
def foxing(tmp_path: Path) -> Foxing:
    return Foxing(str(tmp_path / "foxing.db"))


def test_other_addresses_need_a_key(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOXING_API_KEY", raising=False)
    refused = foxing.failure("proxy", "--upstream", "http://127.0.0.1:9", "--host", "0.0.0.0")
    assert "FOXING_API_KEY" in refused["detail"]
    assert "URL" in foxing.failure("proxy", "--upstream", "api.anthropic.com")["detail"]


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, upstream: Upstream) -> None:
    database = str(tmp_path / "foxing.db")
    environment = {"XDG_DATA_HOME": str(tmp_path), "FOXING_EMBEDDER": "none"}
    arguments = ["--database", database, "proxy", "--upstream", upstream.url, "--port", "0", "--json"]
    with start(*arguments, **environment) as process:
        announced = json.loads(process.stdout.readline())
        url, bank = announced["url"], announced["bank"]
        assert bank == default_bank(Path.cwd())
        body = {"model": "gpt-5.6", "messages": [{"role": "user", "content": "Weather?"}]}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk"}, timeout=60)
        assert answer.status_code == 200
        assert httpx.get(f"{url}/foxing/status").json()["calls"]["requests"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    stored = Foxing(database).json("recall", "Weather?", "--bank", bank)
    assert [span["text"] for span in stored["spans"]]
