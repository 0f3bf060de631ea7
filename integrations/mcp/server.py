"""The MCP server: tools, resources and prompts for one bank, or for the bank in the path of the request."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from inspect import getdoc
from typing import Any, cast

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from foxing.memory import Forbidden, KeyRole

from .banks import ConnectionOf, note_bank, note_refusal
from .prompts import Prompts, add_prompts
from .resources import Resources, add_resources
from .tool import MemoryTool
from .tools import PageTools, Tools

INSTRUCTIONS = """\
Long-term memory of earlier conversations. Call recall before answering a question about what was said, decided or done
before, recent to pick up where the last conversation ended, and build_context at the start of a task. Call remember for
facts, decisions, preferences and results that will be needed again: one or a few full sentences, with names and dates.
Old memories fade: … marks text that has been lost. Do not guess the lost text; say that you do not know. On page images
each message begins with its reference, such as [k7q]: scan the images, then fetch the messages that matter, and quote
only those.
"""
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_SETS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
#: Tool → its title, its annotations, and the role that a caller over HTTP needs; first those that a model needs, then
#: those of an operator, for pages and their ageing.
TOOLS: dict[str, tuple[str, ToolAnnotations, KeyRole]] = {
    "remember": ("Remember", _ADDS, "write"),
    "recall": ("Recall", _READS, "read"),
    "build_context": ("Build context", _READS, "read"),
    "facts": ("What holds", _READS, "read"),
    "recent": ("Recent conversations", _READS, "read"),
    "search": ("Search", _READS, "read"),
    "fetch": ("Fetch a message", _READS, "read"),
    "forget": ("Erase permanently", _DESTROYS, "write"),
    "recall_pages": ("Recall page images", _READS, "read"),
    "read_page": ("Read a page", _READS, "read"),
    "timeline": ("Timeline", _READS, "read"),
    "pin_page": ("Pin a page", _SETS, "write"),
    "unpin_page": ("Unpin a page", _SETS, "write"),
    "age_pages": ("Age pages", _DESTROYS, "admin"),
}


def make_server(connection_of: ConnectionOf, *, all_tools: bool = False) -> MCPServer:
    """Returns a server for the bank that `connection_of` selects per request; see `banks.fixed` and
    `banks.by_address`. `all_tools`: whether it has the tools of an operator too, for pages and their ageing."""

    async def refuse(tool: str, error: Forbidden) -> None:
        await note_refusal(connection_of, tool, error)

    tools = PageTools(connection_of)
    listed = TOOLS if all_tools else {name: row for name, row in TOOLS.items() if hasattr(Tools, name)}
    with _root_logger_unchanged():
        server: MCPServer = MCPServer(
            "foxing",
            title="Foxing memory",
            description="Long-term memory that fades with age",
            instructions=INSTRUCTIONS,
            version=version("foxing"),
            tools=[
                _tool(getattr(tools, name), title, annotations, {"role": role, "refuse": refuse})
                for name, (title, annotations, role) in listed.items()
            ],
            middleware=[note_bank],
            log_level="WARNING",
        )
    add_resources(server, Resources(connection_of, tools))
    add_prompts(server, Prompts(tools))
    return server


def _tool(call: Callable[..., Any], title: str, annotations: ToolAnnotations, access: dict[str, Any]) -> MemoryTool:
    tool = MemoryTool.from_function(call, title=title, description=getdoc(call), annotations=annotations)
    return cast("MemoryTool", tool.model_copy(update=access))


@contextmanager
def _root_logger_unchanged() -> Iterator[None]:
    """Restores the root logger, which the `mcp` package configures, at the end of the block."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    level = root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
