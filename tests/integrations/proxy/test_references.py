"""References of folds: the model fetches what was folded, from the MCP server of the same project."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent
from support.command_line import Foxing, start

from tests.upstream import ScriptedCall, Text, Upstream

from .sessions import WORDS, PlayedSession

SESSION: dict[str, Any] = {"x-foxing-session": "s"}
#: Line of a folded result, which has its words once.
FOLDED = re.compile(r"\[(\w+)\] tool: \S+ … The build of module 2 wrote")


@contextmanager
def proxy_of(database: str, upstream: Upstream) -> Iterator[str]:
    """Runs the command in the current folder, and returns its URL."""
    arguments = ["--upstream", upstream.url, "--port", "0", "--budget", "8000", "--reader", "text", "--json"]
    with start("--database", database, "proxy", *arguments) as process:
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def fetched(written: list[str], reference: str) -> str:
    """Returns what the tool of the server says that `foxing install` has written. Its program is that of the tests."""
    command = ["-m", "foxing.api.cli.main", *written]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ), cwd=Path.cwd())

    async def fetch() -> str:
        async with Client(server) as client:
            result = await client.call_tool("fetch", {"id": reference})
            assert not result.is_error, result.content
            return "\n".join(block.text for block in result.content if isinstance(block, TextContent))

    return asyncio.run(fetch())


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["anthropic", "openai-responses"])
def test_the_model_fetches_what_was_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: Upstream, wire: str
) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "src").mkdir()
    for name, path in {"HOME": home, "XDG_DATA_HOME": home / "data", "CLAUDE_CONFIG_DIR": home}.items():
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("FOXING_EMBEDDER", "none")
    database = str(tmp_path / "bank.db")
    monkeypatch.chdir(project / "src")  # the proxy is started somewhere in the project, the agent at its root
    changes = Foxing(database).json("install", "claude-code", "--yes", "--no-past")["changes"]
    servers = json.loads(Path(changes[-1]["path"]).read_text())["mcpServers"]
    session = PlayedSession(wire, upstream)
    with proxy_of(database, upstream) as url, httpx.Client(timeout=60) as http:
        session.play(http, url, 30, **SESSION)
        reference = FOLDED.search(str(upstream.calls[-1].value))
        assert reference is not None
        monkeypatch.chdir(project)

        def send() -> None:
            headers = {**session.agent.headers, **SESSION}
            body = session.agent.body(session.agent.given())
            assert http.post(f"{url}{session.agent.path}", json=body, headers=headers).status_code == 200

        upstream.answer(Text("I need its words."), ScriptedCall("mcp__foxing__fetch", {"id": reference[1]}))
        send()
        said = upstream.calls[-1].answered
        assert said is not None
        session.agent.take(said, fetched(servers["foxing"]["args"], reference[1]))
        send()
    assert not upstream.refused
    assert (WORDS.format(2, 2) * 12).strip() in str(upstream.calls[-1].value)
