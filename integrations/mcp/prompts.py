"""MCP prompts, which a user can insert by name."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, Prompt
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, InputRequiredResult, TextContent
from pydantic import Field

from .tools import Tools

CATCH_UP_TOKENS = 4_000


class MemoryPrompt(Prompt):
    """A prompt that says which argument is missing."""

    async def render(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        """See `Prompt.render`. Raises `MCPError` with the code of invalid parameters."""
        names = [argument.name for argument in self.arguments or ()]
        for name in arguments or {}:
            if name not in names:
                raise MCPError(INVALID_PARAMS, f"{self.name} has no argument '{name}'; it takes {', '.join(names)}")
        for argument in self.arguments or ():
            if argument.required and argument.name not in (arguments or {}):
                raise MCPError(INVALID_PARAMS, f"{self.name} needs the argument '{argument.name}'")
        return await super().render(arguments, context)


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
        memories = await self._remembered(since=since)
        return f"Summarise what was said since {since}: decisions, open questions, who does what.\n\n{memories}"

    async def _remembered(self, *, query: str | None = None, since: str | None = None) -> str:
        try:
            result = await self._tools.recall(query=query, since=since, max_tokens=CATCH_UP_TOKENS)
        except ToolError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def add_prompts(server: MCPServer, prompts: Prompts) -> None:
    """Registers `prompts` with a server."""
    server.add_prompt(MemoryPrompt.from_function(prompts.recall_topic, title="Recall a topic"))
    server.add_prompt(MemoryPrompt.from_function(prompts.catch_up, title="Catch up"))
