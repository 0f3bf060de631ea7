"""MCP resources, which a client can attach to a conversation without a tool call."""

from itertools import chain
from typing import TypeVar
from urllib.parse import quote

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from foxing.memory import NotFound, RecalledMessage
from foxing.renderer import FoxingError

from .banks import BankCall, ConnectionOf, answer_of
from .recent import recent
from .tools import NOTHING_YET, PageTools
from .wording import message_text, messages_text, page_text, timeline_text

R = TypeVar("R")

MAX_COMPLETIONS = 100  # MCP allows no more
#: Messages and text tokens of a part of a thread.
THREAD_MESSAGES = 200
THREAD_TOKENS = 10_000
_TEXT = "text/plain"
_PNG = "image/png"


class Resources:
    """The resources of a server, for the bank of the request."""

    def __init__(self, connection_of: ConnectionOf, tools: PageTools) -> None:
        self._connection_of = connection_of
        self._tools = tools

    async def timeline(self) -> str:
        """List the pages of the memory by time, with their tiers and confidence."""
        try:
            bank, pages = await self._tools.held()
        except ToolError as error:
            raise ResourceError(str(error)) from error
        return NOTHING_YET if bank is None else timeline_text(bank, pages)

    async def page(self, page_id: str) -> str:
        """Read the messages on a page, as remembered now."""
        return page_text(await self._run(lambda memory, bank: memory.read_page(bank, page_id)))

    async def page_image(self, page_id: str) -> bytes:
        """Get a page as a PNG image, at its current tier."""
        return await self._run(lambda memory, bank: memory.page_image(bank, page_id))

    async def message(self, message_id: str) -> str:
        """Read one message, as remembered now."""
        return message_text(await self._run(lambda memory, bank: memory.message(bank, message_id)))

    async def thread(self, thread: str, cursor: str | None = None) -> str:
        """Read the messages of a thread in time order, part by part: each names the address of the next one."""
        result = await self._run(
            lambda memory, bank: memory.recall(
                bank, thread=thread, limit=THREAD_MESSAGES, max_tokens=THREAD_TOKENS, cursor=cursor
            )
        )
        if not result.spans:
            return "There are no messages in this thread."
        text = messages_text(result.spans)
        if result.next_cursor is None:
            return text
        address = f"foxing://threads/{quote(thread, safe='')}?cursor={quote(result.next_cursor, safe='')}"
        return f"{text}\n(continues at {address})"

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        """Returns ids of pages or names of threads that begin with the value of an argument, newest first."""
        if argument.name not in ("page_id", "thread", "message_id"):
            return Completion(values=[])
        _, pages = await self._tools.held()
        newest = list(reversed(pages))
        if argument.name == "page_id":
            names = [page.id for page in newest]
        else:
            messages = await self._open_messages()
            if argument.name == "message_id":
                names = [span.message_id for span in messages]
            else:
                names = [*(span.thread for span in messages), *chain.from_iterable(page.threads for page in newest)]
        completions = [name for name in dict.fromkeys(names) if name.startswith(argument.value)]
        return Completion(
            values=completions[:MAX_COMPLETIONS], total=len(completions), has_more=len(completions) > MAX_COMPLETIONS
        )

    async def _open_messages(self) -> list[RecalledMessage]:
        """Returns the messages of the last conversations, open ones included, newest first; none without a bank."""
        try:
            newest = await recent(self._run, None)
        except ResourceNotFoundError:
            return []
        return sorted(
            chain.from_iterable(thread.last for thread in newest.threads),
            key=lambda span: span.created_at,
            reverse=True,
        )

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
        ("foxing://threads/{thread}{?cursor}", "thread", "Thread", _TEXT, resources.thread),
    ):
        server.resource(uri, name=name, title=title, mime_type=media_type)(read)
    server.completion()(resources.complete)  # type: ignore[no-untyped-call]


def _resource_error(error: FoxingError) -> ResourceError:
    return (ResourceNotFoundError if isinstance(error, NotFound) else ResourceError)(str(error))
