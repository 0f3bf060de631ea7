"""MCP prompts, which a user can insert by name."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from .tools import Tools

CATCH_UP_TOKENS = 4_000


class Prompts:
    """The prompts of a server, for the bank of the request."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def recall_topic(self, topic: Annotated[str, Field(description="The topic.")]) -> str:
        """Insert what is remembered about a topic."""
        return f"What is remembered about {topic}:\n\n{await self._remembered(query=topic)}"

    async def catch_up(
        self, since: Annotated[str, Field(description="Start time, such as “last week” or 2026-03-02.")] = "last week"
    ) -> str:
        """Insert the messages since a time, with a request to summarise them."""
        said = await self._remembered(since=since)
        return f"Summarise what was said since {since}: decisions, open questions, who does what.\n\n{said}"

    async def _remembered(self, *, query: str | None = None, since: str | None = None) -> str:
        try:
            return await self._tools.recall(query=query, since=since, max_tokens=CATCH_UP_TOKENS)
        except ToolError as error:
            raise ValueError(str(error)) from error


def add_prompts(server: MCPServer, prompts: Prompts) -> None:
    """Registers `prompts` with a server."""
    server.prompt(title="Recall a topic")(prompts.recall_topic)
    server.prompt(title="Catch up")(prompts.catch_up)
