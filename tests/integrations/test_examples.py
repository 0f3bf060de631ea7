"""The examples run, in process and over a service."""

import asyncio

import pytest

from foxing.integrations.client import Target
from foxing.integrations.client import example as client_example
from foxing.integrations.mcp import example as mcp_example

from .conftest import Service


def test_the_example_of_the_client(target: Target, bank: str, capsys: pytest.CaptureFixture[str]) -> None:
    client_example.main(target, bank)
    assert capsys.readouterr().out.endswith("assistant: You said: We ship Titan on 14 March.\n")


def test_the_example_of_the_mcp_server(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(mcp_example.main(f"{service.url}/x/mcp/mcp-example"))
    assert "We ship Titan on 14 March." in capsys.readouterr().out.splitlines()[-1]
