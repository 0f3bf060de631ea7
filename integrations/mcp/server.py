"""The MCP server: tools, resources and prompts for one bank, or for the bank in the path of the request."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from inspect import getdoc

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from .banks import ConnectionOf, note_bank
from .prompts import Prompts, add_prompts
from .resources import Resources, add_resources
from .tool import MemoryTool
from .tools import PageTools

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


def make_server(connection_of: ConnectionOf, *, all_tools: bool = False) -> MCPServer:
    """Returns a server for the bank that `connection_of` selects per request; see `banks.fixed` and
    `banks.by_address`. `all_tools`: whether it has the tools of an operator too, for pages and their ageing."""
    tools = PageTools(connection_of)
    needed = (
        (tools.remember, "Remember", _ADDS),
        (tools.recall, "Recall", _READS),
        (tools.build_context, "Build context", _READS),
        (tools.recent, "Recent conversations", _READS),
        (tools.search, "Search", _READS),
        (tools.fetch, "Fetch a message", _READS),
        (tools.forget, "Erase permanently", _DESTROYS),
    )
    for_operators = (
        (tools.recall_pages, "Recall page images", _READS),
        (tools.read_page, "Read a page", _READS),
        (tools.timeline, "Timeline", _READS),
        (tools.pin_page, "Pin a page", _SETS),
        (tools.unpin_page, "Unpin a page", _SETS),
        (tools.age_pages, "Age pages", _DESTROYS),
    )
    listed = (*needed, *for_operators) if all_tools else needed
    with _root_logger_unchanged():
        server: MCPServer = MCPServer(
            "foxing",
            title="Foxing memory",
            description="Long-term memory that fades with age",
            instructions=INSTRUCTIONS,
            version=version("foxing"),
            tools=[
                MemoryTool.from_function(tool, title=title, description=getdoc(tool), annotations=annotations)
                for tool, title, annotations in listed
            ],
            middleware=[note_bank],
            log_level="WARNING",
        )
    add_resources(server, Resources(connection_of, tools))
    add_prompts(server, Prompts(tools))
    return server


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
