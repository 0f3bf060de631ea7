"""The example runs, in process and over a service."""

import pytest

from examples import client_agent
from foxing.integrations.client import Target


def test_the_example_answers_from_memory(target: Target, bank: str, capsys: pytest.CaptureFixture[str]) -> None:
    client_agent.main(target, bank)
    assert capsys.readouterr().out.endswith("assistant: You said: We ship Titan on 14 March.\n")
