"""MCP tools, which a model calls to use its memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from inspect import Parameter
from typing import Annotated, Literal, TypeVar, Unpack

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import Field

from foxing.memory import (
    RELEVANCE_FLOOR,
    BankInfo,
    ContextRequest,
    Fields,
    ImageQueryFields,
    NotFound,
    PageInfo,
    Pages,
    RecalledMessage,
    RecallQuery,
    TextQueryFields,
)
from foxing.memory.context.headings import heading_tokens
from foxing.memory.recall.transcript import transcript
from foxing.memory.text.times.window import parse_since
from foxing.memory.values.base import Tier
from foxing.memory.values.facts import MAX_FACT_TOKENS
from foxing.memory.values.messages import REPLACES
from foxing.memory.values.recall import BANKS_DESCRIPTION, MAX_OTHER_BANKS, Shape, fields_only_for
from foxing.memory.values.signatures import parameters_of, takes
from foxing.renderer import FoxingError, utc_now

from .banks import BankCall, ConnectionOf, answer_of
from .documents import document, results
from .recent import recent
from .results import (
    BuiltContext,
    Erased,
    ListedFacts,
    PageList,
    PageText,
    Recalled,
    RecentText,
    Remembered,
    answer,
    images_of,
)
from .wording import (
    NOTHING_RELEVANT,
    QUOTED,
    forecast_text,
    found_text,
    image_text,
    messages_text,
    page_text,
    recent_text,
    standing_text,
    timeline_text,
)

R = TypeVar("R")

TIMELINE_PAGES = 100
SEARCH_RESULTS = 10
#: Tokens of what stands around the messages of a recall: the heading, the tags and a remark.
_AROUND = heading_tokens(QUOTED) + 25
NOTHING_YET = "Nothing is remembered yet."
PINNED = "pinned, so that it is kept exactly"

#: Fields of a `RecallQuery` that are not arguments of the tools; all other fields are.
_NOT_ASKED = (
    *("query", "now", "timezone", "metadata", "limit", "cursor", "min_relevance"),
    *fields_only_for("text"),
    *fields_only_for("images"),
)
_FILTERS = parameters_of(RecallQuery, leave_out=_NOT_ASKED)
_READER = [parameter for parameter in parameters_of(RecallQuery) if parameter.name == "reader"]
#: References by default: other tools take them.
_IDS = [
    parameter.replace(default=True) if parameter.name == "refs" else parameter
    for parameter in parameters_of(RecallQuery)
    if parameter.name in ("shape", "banks", "ids", "refs")
]
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
    """The tools that a model needs, for the bank of the request."""

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
        when: Annotated[
            str | None,
            Field(description="Time at which it was said, such as 2026-03-02 or “yesterday”. Default: now."),
        ] = None,
        pin: Annotated[
            bool, Field(description="Keep it exactly and for ever: standing instructions, names, preferences.")
        ] = False,
        replaces: Annotated[
            str | None, Field(description="Id or reference of the remembered message that this one replaces.")
        ] = None,
    ) -> Annotated[CallToolResult, Remembered]:
        """Store a text in long-term memory, verbatim. It can be recalled immediately; as it ages it fades, with names,
        numbers and dates kept the longest. Do not store secrets."""
        message: Fields = {"role": role, "content": text, "name": name, "id": message_id}
        if when is not None:
            message["created_at"] = _time(when)
        if replaces is not None:
            message["metadata"] = {REPLACES: await self._id_of(replaces)}
        stored = await self._run(lambda memory, bank: memory.store(bank, [message], thread=thread))
        key = stored.ids[0]
        if pin:
            await self._pin(key)
        until = None if pin or stored.ageing is None else stored.ageing.exact_until
        result = Remembered(id=key, new=stored.ageing is not None, exact_until=until, pinned=pin)
        if stored.ageing is None:
            return answer(result, f"{key} is already stored{' and pinned' if pin else ''}.")
        return answer(result, f"Remembered as {key}: {PINNED if pin else forecast_text(stored.ageing)}.")

    @takes([*_FILTERS, _RELEVANCE, _TEXT_TOKENS, *_IDS])
    async def recall(
        self,
        query: Annotated[
            str | None, Field(description="Question or search terms. Default: all messages of the time window.")
        ] = None,
        **fields: Unpack[TextQueryFields],
    ) -> Annotated[CallToolResult, Recalled]:
        """Find earlier messages and list them by time. … marks text that has faded, and characters that may be misread
        are listed: do not guess either. Images of the best matches are returned as well."""
        fields.setdefault("min_relevance", RELEVANCE_FLOOR)
        fields["max_tokens"] = max(1, (fields.get("max_tokens") or _TEXT_TOKENS.default) - _AROUND)
        result = await self._recalled(lambda memory, bank: memory.recall(bank, query, **fields), lambda it: it.spans)
        if result is None:
            return answer(Recalled(text=NOTHING_YET), NOTHING_YET)
        text = found_text(result.rendered if result.spans else "", result.spans, result.left_out, result.notes)
        return answer(Recalled(text=text, left_out=len(result.left_out)), text, *images_of(result.spans))

    async def build_context(
        self,
        query: _Query,
        reader: Annotated[str, Field(description=ContextRequest.model_fields["reader"].description)] = "text",
        budget: Annotated[
            int, Field(ge=100, le=100_000, description=ContextRequest.model_fields["budget"].description)
        ] = 4_000,
        thread: Annotated[str | None, Field(description=ContextRequest.model_fields["thread"].description)] = None,
        refs: Annotated[bool, Field(description=ContextRequest.model_fields["refs"].description)] = False,
        shape: Annotated[Shape, Field(description=ContextRequest.model_fields["shape"].description)] = "auto",
        facts: Annotated[
            int, Field(ge=0, le=MAX_FACT_TOKENS, description=ContextRequest.model_fields["facts"].description)
        ] = 0,
        banks: Annotated[
            list[str] | None, Field(description=BANKS_DESCRIPTION, min_length=1, max_length=MAX_OTHER_BANKS)
        ] = None,
    ) -> Annotated[CallToolResult, BuiltContext]:
        """Get the context for answering a question: the latest messages verbatim and earlier messages that match the
        question, within a token budget."""
        request = ContextRequest(
            reader=reader,
            budget=budget,
            query=query,
            thread=thread,
            refs=refs,
            shape=shape,
            facts=facts,
            banks=tuple(banks) if banks is not None else None,
            form="blocks",
        )
        context = await self._recalled(lambda memory, bank: memory.context(bank, request), lambda it: it.content)
        blocks: list[ContentBlock] = []
        for block in context.content if context is not None else ():
            if block.get("type") == "image":
                data = str(block.get("data"))
                media_type = str(block.get("media_type"))
                blocks.append(ImageContent(type="image", data=data, mime_type=media_type))
            else:
                blocks.append(_text(str(block.get("text", ""))))
        blocks = blocks or [_text(NOTHING_YET if context is None else NOTHING_RELEVANT)]
        blocks += [_text(f"({note})") for note in (context.notes if context is not None else ())]
        result = BuiltContext(
            text="\n\n".join(block.text for block in blocks if isinstance(block, TextContent)),
            images=sum(isinstance(block, ImageContent) for block in blocks),
            billed_tokens=context.billed_tokens if context is not None else 0,
        )
        return answer(result, *blocks)

    async def facts(
        self,
        subject: Annotated[
            str | None, Field(description="Whom they are about: a name, a role, or a word in them.", min_length=1)
        ] = None,
        at: Annotated[
            str | None, Field(description="Time of which to tell what held, such as 2026-03-02. Default: now.")
        ] = None,
        max_tokens: Annotated[int, Field(ge=50, le=MAX_FACT_TOKENS, description="Maximum text tokens.")] = 1_000,
    ) -> Annotated[CallToolResult, ListedFacts]:
        """List what people have said that still holds: states, goals, values, constraints and promises. Rules recognise
        them, which miss what is only implied: recall finds the rest."""
        result = await self._run_or_none(
            lambda memory, bank: memory.facts(bank, at=at, subject=subject, max_tokens=max_tokens)
        )
        if result is None:
            return answer(ListedFacts(text=NOTHING_YET, refs=[]), NOTHING_YET)
        text = standing_text(result)
        refs = [fact.ref for fact in result.facts]
        return answer(ListedFacts(text=text, refs=refs, left_out=result.left_out), text)

    async def recent(
        self,
        since: Annotated[
            str | None, Field(description="Start time, such as “yesterday” or 2026-03-02. Default: the last threads.")
        ] = None,
    ) -> Annotated[CallToolResult, RecentText]:
        """List the last conversations, the newest first, with their last messages and the number of new ones."""
        try:
            newest = await recent(self._call, since)
        except NotFound:
            return answer(RecentText(text=NOTHING_YET, messages=0), NOTHING_YET)
        except FoxingError as error:
            raise ToolError(str(error)) from error
        text = recent_text(newest)
        return answer(RecentText(text=text, messages=newest.messages), text)

    async def search(self, query: _Query) -> CallToolResult:
        """Find earlier messages and list them with their references, best first. Call fetch with the reference of a
        result for its exact words."""
        result = await self._run_or_none(
            lambda memory, bank: memory.recall(bank, query, limit=SEARCH_RESULTS, min_relevance=RELEVANCE_FLOOR)
        )
        spans = {span.message_id: span for span in (result.spans if result is not None else ())}
        return CallToolResult(content=[_text(results(spans.values()))])

    async def fetch(
        self,
        id: Annotated[
            str,
            Field(min_length=1, description="Reference, such as k7q, from search, a page image or a text, or an id."),
        ],
        max_tokens: Annotated[
            int, Field(ge=100, le=1_000_000, description="Text tokens at which the text is cut.")
        ] = 20_000,
    ) -> CallToolResult:
        """Get the exact words of a message whose reference, such as [k7q], you saw in search, on a page image or in a
        text. Scan for the messages that matter, then fetch those before you quote a name, number or identifier."""
        message = await self._message(id)
        return CallToolResult(content=[_text(document(message, max_tokens)), *images_of([message])])

    async def forget(
        self,
        message_id: Annotated[
            str | None, Field(description="Id or reference of the message to erase, from recall, search or recent.")
        ] = None,
        thread: Annotated[str | None, Field(description="Name of a thread to erase with all its messages.")] = None,
    ) -> Annotated[CallToolResult, Erased]:
        """Permanently erase a message or a whole thread from memory. This cannot be undone. Use it only when the user
        asks for it."""
        if (message_id is None) == (thread is None):
            raise ToolError("Give either message_id or thread.")
        if message_id is not None:
            key = await self._id_of(message_id)
            await self._run(lambda memory, bank: memory.erase_message(bank, key))
            result = Erased(message_id=key, thread=None, messages=1)
            return answer(result, f"Message {key} was permanently erased.")
        name = thread or ""
        erased = await self._run(lambda memory, bank: memory.erase_thread(bank, name))
        result = Erased(message_id=None, thread=name, messages=erased.messages)
        return answer(result, f"Thread {thread} was permanently erased: {erased.messages} messages.")

    async def _pin(self, key: str) -> None:
        """Seals the message `key`, and pins its pages."""
        while not (pages := (await self._run(lambda memory, bank: memory.message(bank, key))).page_ids):
            await self._run(lambda memory, bank: memory.seal(bank))
        for page_id in pages:
            await self._run(lambda memory, bank, page_id=page_id: memory.pin(bank, page_id))  # type: ignore[misc]

    async def _id_of(self, reference: str) -> str:
        return (await self._message(reference)).message_id

    async def _message(self, reference: str) -> RecalledMessage:
        """Returns the message of a reference or an id. Raises `ToolError` if there is none."""
        try:
            result = await self._call(lambda memory, bank: memory.fetch(bank, [reference]))
            return result.messages[0]
        except FoxingError as error:
            reason = error
        try:
            return await self._call(lambda memory, bank: memory.message(bank, reference))
        except FoxingError:
            raise ToolError(str(reason)) from reason

    async def _call(self, call: BankCall[R]) -> R:
        """Runs a call for the bank of the request and returns its result. Raises the errors of the call."""
        return await answer_of(self._connection_of, call)

    async def _run(self, call: BankCall[R]) -> R:
        """Like `_call`, but raises `ToolError`, which the model sees."""
        try:
            return await self._call(call)
        except FoxingError as error:
            raise ToolError(str(error)) from error

    async def _recalled(self, call: BankCall[R], content_of: Callable[[R], Sequence[object]]) -> R | None:
        """Returns what a call finds; None if it finds nothing because there is no bank yet."""
        result = await self._run_or_none(call)
        if result is None or content_of(result):
            return result
        return result if await self._run_or_none(lambda memory, bank: memory.bank(bank)) is not None else None

    async def _run_or_none(self, call: BankCall[R]) -> R | None:
        """Like `_run`, but returns None if the call raises `NotFound`."""
        try:
            return await self._call(call)
        except NotFound:
            return None
        except FoxingError as error:
            raise ToolError(str(error)) from error


class PageTools(Tools):
    """The tools of an operator, for pages and their ageing, beside those that a model needs."""

    @takes([*_FILTERS, _RELEVANCE, _FEW_PAGES, *_READER])
    async def recall_pages(
        self, query: _Query, **fields: Unpack[ImageQueryFields]
    ) -> Annotated[CallToolResult, PageList]:
        """Find earlier messages and return images of their pages. Requires a model that reads images. Messages that are
        not on a page yet are returned as text."""
        fields.setdefault("min_relevance", RELEVANCE_FLOOR)
        result = await self._recalled(
            lambda memory, bank: memory.recall_images(bank, query, **fields),
            lambda it: [*it.images, *it.open_spans, *it.whole_spans],
        )
        if result is None:
            return answer(PageList(page_ids=[], text=NOTHING_YET), NOTHING_YET)
        blocks: list[ContentBlock] = []
        for image in result.images:
            blocks.append(_text(image_text(image)))
            blocks.append(ImageContent(type="image", data=image.data, mime_type=image.media_type))
        if result.whole_spans:
            whole = messages_text(result.whole_spans)
            blocks.append(_text(f"Full text of the messages that these images show in part:\n{whole}"))
        if result.open_spans or result.left_out or not blocks:
            spans = sorted(result.open_spans, key=lambda span: span.created_at)
            blocks.append(_text(found_text(transcript(spans), spans, result.left_out, result.notes)))
        text = "\n".join(block.text for block in blocks if isinstance(block, TextContent))
        return answer(PageList(page_ids=[image.page_id for image in result.images], text=text), *blocks)

    async def read_page(
        self,
        page_id: _PageId,
        tier: Annotated[Tier | None, Field(description="A lower tier, to preview what would remain there.")] = None,
    ) -> Annotated[CallToolResult, PageText]:
        """Read all messages on a page, as remembered now."""
        reading = await self._run(lambda memory, bank: memory.read_page(bank, page_id, tier))
        page = await self._run(lambda memory, bank: memory.page(bank, page_id))
        return _page(page_id, reading.tier, page.pinned, page_text(reading))

    async def timeline(self) -> Annotated[CallToolResult, PageList]:
        """List the pages of the memory from oldest to newest, with time range, threads, tier and confidence, and the
        number of messages that are not on a page yet."""
        bank, pages = await self.held()
        text = NOTHING_YET if bank is None else timeline_text(bank, pages)
        return answer(PageList(page_ids=[page.id for page in pages], text=text), text)

    async def pin_page(self, page_id: _PageId) -> Annotated[CallToolResult, PageText]:
        """Pin a page, so that it no longer fades."""
        page = await self._run(lambda memory, bank: memory.pin(bank, page_id))
        return _page(page.id, page.tier, page.pinned, f"Page {page.id} is pinned at tier {page.tier}.")

    async def unpin_page(self, page_id: _PageId) -> Annotated[CallToolResult, PageText]:
        """Unpin a page, so that it fades again as it ages."""
        page = await self._run(lambda memory, bank: memory.pin(bank, page_id, pinned=False))
        return _page(page.id, page.tier, page.pinned, f"Page {page.id} ages again; it is at tier {page.tier}.")

    async def age_pages(
        self,
        dry_run: Annotated[bool, Field(description="Only report which pages are due; change nothing.")] = True,
    ) -> Annotated[CallToolResult, PageList]:
        """Age the pages that are due, so that they fade, or list them. The operator can undo this for a few days; after
        that, what has faded is lost."""
        aged = await self._run(lambda memory, bank: memory.age(bank, dry_run=dry_run))
        moves = [f"page {move.page_id}: {move.from_tier} to {move.to_tier}" for move in aged.moved]
        lines = [f"{'Would age' if aged.dry_run else 'Aged'}: {'; '.join(moves)}" if moves else "No page is due."]
        lines += [f"page {page.page_id} at {page.tier}: {forecast_text(page)}" for page in aged.upcoming]
        text = "\n".join(lines)
        return answer(PageList(page_ids=[move.page_id for move in aged.moved], text=text), text)

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
        result = await self._run_or_none(lambda memory, bank: memory.pages(bank, limit=500, cursor=cursor))
        return result or Pages(pages=[], next_cursor=None)


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _page(page_id: str, tier: str, pinned: bool, text: str) -> CallToolResult:
    return answer(PageText(page_id=page_id, tier=tier, pinned=pinned, text=text), text)


def _time(when: str) -> datetime:
    """Returns the start of a time in words, as a date or in RFC 3339, in UTC. Raises `ToolError`."""
    try:
        return parse_since(when, utc_now(), None)
    except FoxingError as error:
        raise ToolError(f"when: {error}") from error
