"""Conversations of a bank: their list, each as a chat, and the search over titles and messages."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from foxing.api.dependencies import Service
from foxing.memory import RecalledMessage
from foxing.memory.text.terms import query_terms

from .forms import form_fields, leads_to
from .markdown import markdown, markdown_text
from .rendering import HEADERS, ConsolePage, url
from .views import LISTED_CHARS, MESSAGES, Views
from .words import GAP_MARK, visible

LISTED = 40
#: Conversations and messages that a search shows at once.
FOUND_TITLES = 6
FOUND_MESSAGES = 20
FILTERS = ("q", "person", "source", "since", "until")
#: Characters of a tool call on its line.
CALL_CHARS = 90
#: Heights of the bars of months, of which the highest is that of the month with the most messages.
BARS = 8


@dataclass(frozen=True)
class Block:
    """A part of a message in a chat."""

    #: "words", "call", "result" or "image".
    kind: str
    words: Any
    #: Line of a tool call or a result; name of an image.
    line: str = ""
    #: Address of an image; empty where it is not held.
    address: str = ""
    #: Tier of an image.
    tier: str | None = None


@dataclass(frozen=True)
class Month:
    """A month with messages."""

    #: Its first day.
    first: date
    messages: int
    #: Height of its bar, 1 to `BARS`; 0 for none.
    height: int


class ConversationPages:
    """Builds the pages. Each method takes the parameters of the URL."""

    def __init__(self, service: Service, views: Views) -> None:
        self.service = service
        self.memory = service.memory
        self.views = views

    async def page(self, request: Request) -> ConsolePage:
        """Conversations, the newest first, that meet the filters of the URL."""
        bank = request.path_params["bank"]
        chosen = {name: request.query_params.get(name, "").strip() for name in FILTERS}
        conditions = {name: value for name, value in chosen.items() if value}
        cursor = request.query_params.get("cursor")
        listed = await self.service.run_codec(
            self.memory.threads, bank, limit=LISTED, cursor=cursor or None, **conditions
        )
        values = {
            "bank": bank,
            "listed": listed,
            "filters": chosen,
            "conditions": conditions,
            "without": {name: {k: v for k, v in conditions.items() if k != name} for name in conditions},
            "cursor": cursor,
        }
        alone = request.headers.get("hx-request") == "true"
        return ConsolePage("conversation_rows.html" if alone else "conversations.html", values, listed)

    async def conversation(self, request: Request) -> ConsolePage:
        """A conversation as a chat."""
        bank = request.path_params["bank"]
        query = request.query_params
        thread = query.get("thread", "")
        since, cursor = (query.get(name, "").strip() for name in ("since", "cursor"))
        info = await self.service.run_codec(self.memory.operations.thread, bank, thread)
        result = await self.views._recall(
            bank, thread=thread, since=since or None, cursor=cursor or None, limit=MESSAGES, gap_mark=GAP_MARK
        )
        alone = request.headers.get("hx-request") == "true"
        days = Counter() if alone else await self.service.run(self.memory.operations.message_days, bank, thread)
        values = {
            "bank": bank,
            "info": info,
            "since": since,
            "cursor": cursor,
            "result": result,
            "messages": [(span, self._blocks(span, ())) for span in result.spans],
            "years": years(days),
        }
        return ConsolePage("chat.html" if alone else "conversation.html", values, result)

    async def search(self, request: Request) -> ConsolePage | Response:
        """Conversations whose titles have the words of a query, and messages that are relevant to it."""
        bank = request.path_params["bank"]
        question = request.query_params.get("q", "").strip()
        if not question:
            return RedirectResponse(url("/banks/{}/conversations", bank), 303, HEADERS)
        cursor = request.query_params.get("cursor", "")
        titles = await self.service.run_codec(self.memory.threads, bank, limit=FOUND_TITLES, q=question[:200])
        result = await self.views._search(bank, question, FOUND_MESSAGES, cursor=cursor or None, gap_mark=GAP_MARK)
        names = list(dict.fromkeys(span.thread for span in result.spans))
        threads = await self.service.run_codec(self._titles, bank, names)
        terms = list(query_terms(question))
        values = {
            "bank": bank,
            "q": question,
            "cursor": cursor,
            "titles": titles,
            "result": result,
            "threads": threads,
            "messages": [(span, markdown(span, GAP_MARK, terms, LISTED_CHARS)) for span in result.spans],
        }
        data = {"threads": titles.model_dump(mode="json"), "messages": result.model_dump(mode="json")}
        return ConsolePage("search.html", values, data)

    async def rename(self, request: Request) -> Response:
        """Gives a conversation a title, or the one that it came with."""
        bank = request.path_params["bank"]
        form = await form_fields(request)
        thread = form.get("thread", "")
        title = None if form.get("do") == "reset" else form.get("title", "")
        await self.service.run_codec(self.memory.operations.rename_thread, bank, thread, title)
        return leads_to("/banks/{}/conversation", bank, thread=thread)

    def _titles(self, bank: str, threads: Sequence[str]) -> dict[str, str]:
        """Returns name → title of threads."""
        infos = (self.memory.operations.thread(bank, thread) for thread in threads)
        return {info.thread: info.title or info.thread for info in infos}

    def _blocks(self, span: RecalledMessage, terms: Sequence[str]) -> list[Block]:
        """Returns the parts of a message; one without parts is one, with what is doubtful in it."""
        if not span.parts:
            return [Block("words", markdown(span, GAP_MARK, terms))]
        return [self._block(part.model_dump(mode="json"), terms) for part in span.parts]

    def _block(self, part: Mapping[str, Any], terms: Sequence[str]) -> Block:
        kind = part.get("type")
        if kind == "tool_call":
            arguments = part["arguments"]
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, indent=2, ensure_ascii=False)
            return Block("call", visible(text[:20_000]), f"{part['name']} · {one_line(text)}")
        if kind == "tool_result":
            text = str(part["content"])
            return Block("result", visible(text[:20_000]), one_line(text))
        if kind == "image":
            data = part.get("data")
            address = ""
            if data:
                digest = self.views.images.add(str(part.get("media_type") or "image/png"), str(data))
                address = url("/images/{}", digest)
            name = str(part.get("alt") or part.get("name") or "")
            return Block("image", Markup(""), name, address, part.get("tier"))
        return Block("words", markdown_text(str(part.get("text", "")), terms))


def one_line(text: str) -> str:
    """Returns the beginning of a text in one line."""
    line = " ".join(visible(text[: 4 * CALL_CHARS]).split())
    return line if len(line) <= CALL_CHARS else f"{line[:CALL_CHARS].rstrip()}…"


def years(days: Mapping[date, int]) -> list[tuple[int, int, list[Month]]]:
    """Returns the years with messages, the newest first: the year, its number of messages, and its twelve months."""
    months = Counter[date]()
    for day, number in days.items():
        months[day.replace(day=1)] += number
    highest = max(months.values(), default=1)
    rows = []
    for year in sorted({month.year for month in months}, reverse=True):
        firsts = [date(year, month, 1) for month in range(1, 13)]
        of_year = [Month(first, months[first], -(-BARS * months[first] // highest)) for first in firsts]
        rows.append((year, sum(month.messages for month in of_year), of_year))
    return rows
