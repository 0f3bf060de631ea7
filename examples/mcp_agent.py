"""An agent that uses the memory tools of an MCP server.

python examples/mcp_agent.py                                            # with a temporary database
python examples/mcp_agent.py http://127.0.0.1:8765/x/mcp/mcp-example    # with a running service
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp_types import TextContent

from foxing.integrations.client import connect
from foxing.integrations.mcp.banks import fixed
from foxing.integrations.mcp.server import make_server

SAID = ("We ship Titan on 14 March.", "When do we ship Titan?")


class ToolUse(NamedTuple):
    """A tool that the model wants to call."""

    name: str
    arguments: dict[str, Any]


def model(said: str, tools: set[str], result: str | None) -> ToolUse | str:
    """Returns a scripted answer or tool call. Replace it with a call of your model, with the tools of the server."""
    if result is not None:
        return f"Here is what I remember.\n{result}" if said.endswith("?") else "Noted."
    tool = "recall" if said.endswith("?") else "remember"
    assert tool in tools
    return ToolUse(tool, {"query": said} if tool == "recall" else {"text": said})


async def answer(client: Client, said: str) -> str:
    """Runs one turn of the agent: calls tools until the model answers with text, which is returned."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    result: str | None = None
    while True:
        step = model(said, tools, result)
        if isinstance(step, str):
            return step
        called = await client.call_tool(step.name, step.arguments)
        result = "\n".join(block.text for block in called.content if isinstance(block, TextContent))


async def talk(server: MCPServer | str) -> None:
    """Runs the conversation."""
    async with Client(server) as client:
        for said in SAID:
            print(f"user: {said}\nassistant: {await answer(client, said)}")


async def main(target: str) -> None:
    """Runs the example. `target`: the URL of an MCP server, or the path of a database."""
    if target.startswith("http"):
        await talk(target)
        return
    async with connect(target, "mcp-example") as connection:
        await talk(make_server(fixed(connection)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(str(Path(folder) / "agent.db")))
