"""The prompts: what a user can insert by name."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from .tools import Tools

CATCH_UP_TOKENS = 4_000


class Prompts:
    """The prompts of a server, for the bank that a request is about."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def recall_topic(self, topic: Annotated[str, Field(description="What it is about.")]) -> str:
        """Insert what is remembered about a topic."""
        return f"What is remembered about {topic}:\n\n{await self._remembered(query=topic)}"

    async def catch_up(
        self, since: Annotated[str, Field(description="Since when, such as “last week” or 2026-03-02.")] = "last week"
    ) -> str:
        """Insert what was said since some time, to be summed up."""
        said = await self._remembered(since=since)
        return f"Sum up what was said since {since}: decisions, open questions, who does what.\n\n{said}"

    async def _remembered(self, *, query: str | None = None, since: str | None = None) -> str:
        try:
            return await self._tools.recall(query=query, since=since, max_tokens=CATCH_UP_TOKENS)
        except ToolError as error:
            raise ValueError(str(error)) from error


def add_prompts(server: MCPServer, prompts: Prompts) -> None:
    """Registers the prompts of a server."""
    server.prompt(title="Recall a topic")(prompts.recall_topic)
    server.prompt(title="Catch up")(prompts.catch_up)
