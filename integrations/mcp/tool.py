"""A tool of the MCP server, whose errors a model can act on."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import Field, ValidationError

from foxing.memory import Access, Forbidden, KeyRole
from foxing.memory.values.base import first_error


class MemoryTool(Tool):
    """A tool that refuses arguments that it does not have, and says in a sentence what is wrong with others."""

    #: Role that a caller over HTTP needs.
    role: KeyRole = "admin"
    #: Called with the name of the tool when a caller lacks the role.
    refuse: Callable[[str, Forbidden], Awaitable[None]] | None = Field(default=None, exclude=True)

    def model_post_init(self, context: Any, /) -> None:
        """Closes the schema of the arguments."""
        self.parameters["additionalProperties"] = False

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """See `Tool.run`. Raises `ToolError` with a message of its own, without the prefix of the package."""
        try:
            Access.current().check(self.role, f"the tool {self.name}")
        except Forbidden as error:
            if self.refuse is not None:
                await self.refuse(self.name, error)
            raise ToolError(str(error)) from error
        properties = self.parameters.get("properties", {})
        for name in arguments:
            if name not in properties:
                raise ToolError(f"{self.name} has no argument '{name}'; its arguments are {', '.join(properties)}")
        try:
            return await super().run(arguments, context, convert_result)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(f"{self.name}: {first_error(cause)[1]}") from cause
            if type(cause) is ToolError:
                raise cause from cause.__cause__
            raise
