"""`python -m foxing.integrations.testing`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CALL = """
from anthropic import Anthropic
from openai import OpenAI
Anthropic().messages.create(model="claude-opus-5", max_tokens=5, messages=[{"role": "user", "content": "hello"}])
print(OpenAI().responses.create(model="gpt-5.6", input="hello").output_text)
"""


@pytest.mark.slow
def test_a_benchmark_runs_against_it_in_one_line(tmp_path: Path) -> None:
    record = tmp_path / "calls.jsonl"
    command = [sys.executable, "-m", "foxing.integrations.testing", "--record", str(record), "--answer", "Fine."]
    done = subprocess.run(
        [*command, "--", sys.executable, "-c", CALL], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "Fine.\n"
    summary = json.loads(done.stderr.splitlines()[-1])
    assert summary["calls"] == 2
    assert summary["refused"] == 0
    first, second = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert first["bill"]["price"] + second["bill"]["price"] == summary["price"]
    assert json.loads(first["body"])["messages"] == [{"role": "user", "content": "hello"}]
    assert "x-api-key" not in first["headers"]


@pytest.mark.slow
def test_it_serves_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "foxing.integrations.testing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait() == 0
