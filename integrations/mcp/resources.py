"""MCP resources, which a client can attach to a conversation without a tool call."""

from itertools import chain
from typing import TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from foxing.memory.errors import NotFound
from foxing.renderer.errors import FoxingError

from .banks import BankCall, ConnectionOf, answer_of
from .tools import Tools
from .wording import message_text, messages_text, page_text

R = TypeVar("R")

MAX_COMPLETIONS = 100  # MCP allows no more
THREAD_MESSAGES = 200
_TEXT, _PNG = "text/plain", "image/png"


class Resources:
    """The resources of a server, for the bank of the request."""

    def __init__(self, connection_of: ConnectionOf, tools: Tools) -> None:
        self._connection_of = connection_of
        self._tools = tools

    async def timeline(self) -> str:
        """List the pages of the memory by time, with their tiers and confidence."""
        try:
            return await self._tools.timeline()
        except ToolError as error:
            raise ResourceError(str(error)) from error

    async def page(self, page_id: str) -> str:
        """Read the messages on a page, as remembered now."""
        return page_text(await self._run(lambda memory, bank: memory.read_page(bank, page_id)))

    async def page_image(self, page_id: str) -> bytes:
        """Get a page as a PNG image, at its current tier."""
        return await self._run(lambda memory, bank: memory.page_image(bank, page_id))

    async def message(self, message_id: str) -> str:
        """Read one message, as remembered now."""
        return message_text(await self._run(lambda memory, bank: memory.message(bank, message_id)))

    async def thread(self, thread: str) -> str:
        """Read the first messages of a thread, in time order."""
        found = await self._run(lambda memory, bank: memory.recall(bank, thread=thread, limit=THREAD_MESSAGES))
        return messages_text(found.spans) if found.spans else "There are no messages in this thread."

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        """Returns ids of pages or names of threads that begin with the value of an argument, newest first."""
        if argument.name not in ("page_id", "thread"):
            return Completion(values=[])
        _, pages = await self._tools.held()
        newest = reversed(pages)
        names = ([page.id] if argument.name == "page_id" else page.threads for page in newest)
        found = [name for name in dict.fromkeys(chain.from_iterable(names)) if name.startswith(argument.value)]
        return Completion(values=found[:MAX_COMPLETIONS], total=len(found), has_more=len(found) > MAX_COMPLETIONS)

    async def _run(self, call: BankCall[R]) -> R:
        try:
            return await answer_of(self._connection_of, call)
        except FoxingError as error:
            raise _resource_error(error) from error


def add_resources(server: MCPServer, resources: Resources) -> None:
    """Registers `resources` with a server."""
    for uri, name, title, media_type, read in (
        ("foxing://timeline", "timeline", "Timeline", _TEXT, resources.timeline),
        ("foxing://pages/{page_id}", "page", "Page", _TEXT, resources.page),
        ("foxing://pages/{page_id}/image", "page_image", "Page image", _PNG, resources.page_image),
        ("foxing://messages/{message_id}", "message", "Message", _TEXT, resources.message),
        ("foxing://threads/{thread}", "thread", "Thread", _TEXT, resources.thread),
    ):
        server.resource(uri, name=name, title=title, mime_type=media_type)(read)
    server.completion()(resources.complete)  # type: ignore[no-untyped-call]


def _resource_error(error: FoxingError) -> ResourceError:
    return (ResourceNotFoundError if isinstance(error, NotFound) else ResourceError)(str(error))
