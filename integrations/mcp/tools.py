"""MCP tools, which a model calls to use its memory."""

from collections.abc import Sequence
from inspect import Parameter
from typing import Annotated, Literal, TypeVar, Unpack

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ContentBlock, ImageContent, TextContent
from pydantic import Field

from foxing.memory.errors import NotFound
from foxing.memory.recall.answer import NOTHING_FOUND
from foxing.memory.recall.transcript import transcript
from foxing.memory.values.banks import BankInfo
from foxing.memory.values.base import Fields, Tier
from foxing.memory.values.context import ContextRequest
from foxing.memory.values.messages import MAX_REFS
from foxing.memory.values.pages import PageInfo, Pages
from foxing.memory.values.recall import (
    RELEVANCE_FLOOR,
    ImageQueryFields,
    RecallQuery,
    TextQueryFields,
    fields_only_for,
)
from foxing.memory.values.signatures import parameters_of, takes
from foxing.renderer.errors import FoxingError

from .banks import BankCall, ConnectionOf, answer_of
from .wording import (
    fetched_text,
    forecast_text,
    found_text,
    image_text,
    messages_text,
    page_text,
    timeline_text,
)

R = TypeVar("R")

TIMELINE_PAGES = 100
NOTHING_YET = "Nothing is remembered yet."

#: Fields of a `RecallQuery` that are not arguments of the tools; all other fields are.
_NOT_ASKED = (
    *("query", "now", "timezone", "metadata", "limit", "cursor", "min_relevance"),
    *fields_only_for("text"),
    *fields_only_for("images"),
)
_FILTERS = parameters_of(RecallQuery, leave_out=_NOT_ASKED)
_READER = [each for each in parameters_of(RecallQuery) if each.name == "reader"]
_IDS = [each for each in parameters_of(RecallQuery) if each.name in ("ids", "refs")]
_TEXT_TOKENS = Parameter(
    "max_tokens",
    Parameter.KEYWORD_ONLY,
    default=2_000,
    annotation=Annotated[int, Field(ge=100, le=100_000, description="Maximum text tokens of the result.")],
)
_RELEVANCE = Parameter(
    "min_relevance",
    Parameter.KEYWORD_ONLY,
    default=RELEVANCE_FLOOR,
    annotation=Annotated[
        float,
        Field(ge=0, le=1, description="Minimum relevance of the best match; below it, nothing is found. 0 for any."),
    ],
)
_FEW_PAGES = Parameter(
    "limit",
    Parameter.KEYWORD_ONLY,
    default=3,
    annotation=Annotated[int, Field(ge=1, le=20, description="Maximum number of pages.")],
)
_Query = Annotated[str, Field(description="Question or search terms; may contain a time such as “last week”.")]
_PageId = Annotated[str, Field(description="Id of the page, from timeline.")]


class Tools:
    """The tools of a server, for the bank of the request."""

    def __init__(self, connection_of: ConnectionOf) -> None:
        self._connection_of = connection_of

    async def remember(
        self,
        text: Annotated[str, Field(min_length=1, description="Text to remember, in full sentences with names.")],
        role: Annotated[
            Literal["user", "assistant", "system", "tool"], Field(description="Role of the speaker.")
        ] = "user",
        name: Annotated[str | None, Field(description="Name of the speaker.")] = None,
        thread: Annotated[str | None, Field(description="Name of the conversation.")] = None,
        message_id: Annotated[
            str | None, Field(description="Id of the message; storing the same text and id again has no effect.")
        ] = None,
    ) -> str:
        """Store a text in long-term memory, verbatim. It can be recalled immediately; as it ages it fades, with names,
        numbers and dates kept the longest. Do not store secrets."""
        message: Fields = {"role": role, "content": text, "name": name, "id": message_id}
        stored = await self._run(lambda memory, bank: memory.store(bank, [message], thread=thread))
        if stored.ageing is None:
            return f"{stored.ids[0]} is already stored."
        return f"Remembered as {stored.ids[0]}: {forecast_text(stored.ageing)}."

    @takes([*_FILTERS, _RELEVANCE, _TEXT_TOKENS, *_IDS])
    async def recall(
        self,
        query: Annotated[
            str | None, Field(description="Question or search terms. Default: all messages of the time window.")
        ] = None,
        **fields: Unpack[TextQueryFields],
    ) -> str:
        """Find earlier messages and list them by time. … marks text that has faded, and characters that may be misread
        are listed: do not guess either."""
        fields.setdefault("min_relevance", RELEVANCE_FLOOR)
        found = await self._run_or_none(lambda memory, bank: memory.recall(bank, query, **fields))
        if found is None:
            return NOTHING_YET
        return found_text(found.rendered, found.spans, found.left_out, found.notes)

    @takes([*_FILTERS, _RELEVANCE, _FEW_PAGES, *_READER])
    async def recall_pages(self, query: _Query, **fields: Unpack[ImageQueryFields]) -> list[ContentBlock]:
        """Find earlier messages and return images of their pages. Requires a model that reads images. Messages that are
        not on a page yet are returned as text."""
        fields.setdefault("min_relevance", RELEVANCE_FLOOR)
        found = await self._run_or_none(lambda memory, bank: memory.recall_images(bank, query, **fields))
        if found is None:
            return [_text(NOTHING_YET)]
        blocks: list[ContentBlock] = []
        for image in found.images:
            blocks.append(_text(image_text(image)))
            blocks.append(ImageContent(type="image", data=image.data, mime_type=image.media_type))
        if found.whole_spans:
            whole = messages_text(found.whole_spans)
            blocks.append(_text(f"Full text of the messages that these images show in part:\n{whole}"))
        if found.open_spans or found.left_out or not blocks:
            spans = sorted(found.open_spans, key=lambda span: span.created_at)
            blocks.append(_text(found_text(transcript(spans), spans, found.left_out, found.notes)))
        return blocks

    async def build_context(
        self,
        query: _Query,
        reader: Annotated[str, Field(description=ContextRequest.model_fields["reader"].description)] = "text",
        budget: Annotated[
            int, Field(ge=100, le=100_000, description=ContextRequest.model_fields["budget"].description)
        ] = 4_000,
        thread: Annotated[str | None, Field(description=ContextRequest.model_fields["thread"].description)] = None,
        refs: Annotated[bool, Field(description=ContextRequest.model_fields["refs"].description)] = False,
    ) -> list[ContentBlock]:
        """Get the context for answering a question: the latest messages verbatim and earlier messages that match the
        question, within a token budget."""
        request = ContextRequest(reader=reader, budget=budget, query=query, thread=thread, refs=refs, form="blocks")
        found = await self._run_or_none(lambda memory, bank: memory.context(bank, request))
        blocks: list[ContentBlock] = []
        for block in found.content if found is not None else ():
            if block.get("type") == "image":
                data, media_type = str(block.get("data")), str(block.get("media_type"))
                blocks.append(ImageContent(type="image", data=data, mime_type=media_type))
            else:
                blocks.append(_text(str(block.get("text", ""))))
        return blocks or [_text(NOTHING_YET if found is None else NOTHING_FOUND)]

    async def fetch(
        self,
        refs: Annotated[
            list[str],
            Field(min_length=1, max_length=MAX_REFS, description="References, such as k7q, from page images or texts."),
        ],
        max_tokens: Annotated[
            int, Field(ge=100, le=1_000_000, description="Text tokens at which the result is cut, with a note.")
        ] = 20_000,
    ) -> str:
        """Get the exact words of messages whose references, such as [k7q], you saw on a page image or in a text. Scan
        pages for the messages that matter, then fetch those before you quote a name, number or identifier."""
        found = await self._run(lambda memory, bank: memory.fetch(bank, refs))
        return fetched_text(found, max_tokens)

    async def read_page(
        self,
        page_id: _PageId,
        tier: Annotated[Tier | None, Field(description="A lower tier, to preview what would remain there.")] = None,
    ) -> str:
        """Read all messages on a page, as remembered now."""
        return page_text(await self._run(lambda memory, bank: memory.read_page(bank, page_id, tier)))

    async def timeline(self) -> str:
        """List the pages of the memory from oldest to newest, with time range, threads, tier and confidence, and the
        number of messages that are not on a page yet."""
        bank, pages = await self.held()
        return NOTHING_YET if bank is None else timeline_text(bank, pages)

    async def pin_page(self, page_id: _PageId) -> str:
        """Pin a page, so that it no longer fades."""
        page = await self._run(lambda memory, bank: memory.pin(bank, page_id))
        return f"Page {page.id} is pinned at tier {page.tier}."

    async def unpin_page(self, page_id: _PageId) -> str:
        """Unpin a page, so that it fades again as it ages."""
        page = await self._run(lambda memory, bank: memory.unpin(bank, page_id))
        return f"Page {page.id} ages again; it is at tier {page.tier}."

    async def age_pages(
        self,
        dry_run: Annotated[bool, Field(description="Only report which pages are due; change nothing.")] = True,
    ) -> str:
        """Age the pages that are due, so that they fade, or list them. The operator can undo this for a few days; after
        that, what has faded is lost."""
        aged = await self._run(lambda memory, bank: memory.age(bank, dry_run=dry_run))
        moves = [f"page {move.page_id}: {move.from_tier} to {move.to_tier}" for move in aged.moved]
        lines = [f"{'Would age' if aged.dry_run else 'Aged'}: {'; '.join(moves)}" if moves else "No page is due."]
        lines += [f"page {page.page_id} at {page.tier}: {forecast_text(page)}" for page in aged.upcoming]
        return "\n".join(lines)

    async def forget(
        self,
        message_id: Annotated[
            str | None, Field(description="Id of the message to erase, from recall with ids, or read_page.")
        ] = None,
        thread: Annotated[str | None, Field(description="Name of a thread to erase with all its messages.")] = None,
    ) -> str:
        """Permanently erase a message or a whole thread from memory. This cannot be undone. Use it only when the user
        asks for it."""
        if (message_id is None) == (thread is None):
            raise ToolError("Give either message_id or thread.")
        if message_id is not None:
            key = message_id
            await self._run(lambda memory, bank: memory.erase_message(bank, key))
            return f"Message {message_id} was permanently erased."
        name = thread or ""
        erased = await self._run(lambda memory, bank: memory.erase_thread(bank, name))
        return f"Thread {thread} was permanently erased: {erased.messages} messages."

    async def held(self) -> tuple[BankInfo | None, Sequence[PageInfo]]:
        """Returns the statistics of the bank, None if it does not exist yet, and its newest pages, oldest first."""
        pages: list[PageInfo] = []
        cursor: str | None = None
        while True:
            part = await self._pages(cursor)
            pages = [*pages, *part.pages][-TIMELINE_PAGES:]
            cursor = part.next_cursor
            if cursor is None:
                return await self._run_or_none(lambda memory, bank: memory.bank(bank)), pages

    async def _pages(self, cursor: str | None) -> Pages:
        found = await self._run_or_none(lambda memory, bank: memory.pages(bank, limit=500, cursor=cursor))
        return found or Pages(pages=[], next_cursor=None)

    async def _run(self, call: BankCall[R]) -> R:
        """Runs a call for the bank of the request and returns its result. Raises `ToolError`, which the model sees."""
        try:
            return await answer_of(self._connection_of, call)
        except FoxingError as error:
            raise ToolError(str(error)) from error

    async def _run_or_none(self, call: BankCall[R]) -> R | None:
        """Like `_run`, but returns None if the call raises `NotFound`."""
        try:
            return await answer_of(self._connection_of, call)
        except NotFound:
            return None
        except FoxingError as error:
            raise ToolError(str(error)) from error


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
