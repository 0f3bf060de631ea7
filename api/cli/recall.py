"""`recall`, `read`, `pages` and `banks`: what the memory holds."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from .context import (
    BankOption,
    JsonOption,
    TimezoneOption,
    day,
    marked,
    moment,
    plain,
    printable,
    show_span,
    state_of,
    table,
)


def recall(
    context: typer.Context,
    bank: BankOption,
    query: Annotated[
        str | None, typer.Argument(help="What is asked for; without it, the whole window.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Begin of the window: a time, or words as “3 weeks ago”.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="End of the window, likewise.", show_default=False)] = None,
    now: Annotated[
        str | None, typer.Option(help="The time that words are read against.", show_default="the clock")
    ] = None,
    timezone: TimezoneOption = None,
    thread: Annotated[str | None, typer.Option(help="Only this conversation.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The most messages.")] = 20,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="The most text tokens of all messages together.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find messages by query and time. What may be misread is underlined."""
    state = state_of(context)
    with state.memory() as memory:
        found = memory.recall(
            bank,
            query,
            since=since,
            until=until,
            now=moment(now, "--now"),
            timezone=timezone,
            thread=thread,
            limit=limit,
            max_tokens=max_tokens,
        )

    def show(console: Console) -> None:
        for span in found.spans:
            show_span(console, span)
        more = "" if found.next_cursor is None else "; there is more, ask with a higher --limit"
        console.print(f"{len(found.spans)} messages, {found.text_tokens} text tokens{more}")

    state.answer(found, show)


def read(
    context: typer.Context,
    page: Annotated[str, typer.Argument(help="The page's id.", show_default=False)],
    bank: BankOption,
    tier: Annotated[
        str | None, typer.Option(help="A tier at or below the one it is held at.", show_default="as held")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a page from what the memory holds of it. What may be misread is underlined."""
    state = state_of(context)
    with state.memory() as memory:
        reading = memory.read_page(bank, page, tier)

    def show(console: Console) -> None:
        head = f"page {reading.page_id}, {reading.source} at {reading.tier}, {reading.confidence:.1%} sure"
        console.print(Text(printable(head), style="dim"), soft_wrap=True)
        console.print(marked(reading.text, reading.uncertain), soft_wrap=True)

    state.answer(reading, show)


def pages(context: typer.Context, bank: BankOption, as_json: JsonOption = False) -> None:
    """List the pages of a bank and how they are held."""
    state = state_of(context)
    found: list[Any] = []
    with state.memory() as memory:
        cursor: str | None = None
        while True:
            part = memory.pages(bank, limit=500, cursor=cursor)
            found.extend(part.pages)
            cursor = part.next_cursor
            if cursor is None:
                break

    def show(console: Console) -> None:
        rows = table(
            *("page", "tier", "from", "to", "messages", "tokens", "bytes", "sure", "held"),
            right=("messages", "tokens", "bytes", "sure"),
        )
        for page in found:
            held = ", ".join(word for word, yes in (("pinned", page.pinned), ("text", page.text_kept)) if yes)
            rows.add_row(
                *(page.id, page.tier, day(page.first_at), day(page.last_at), f"{page.messages:,}"),
                *(f"{page.vision_tokens:,}", f"{page.bytes:,}", f"{page.confidence:.2%}", held),
            )
        console.print(rows)

    state.answer({"pages": [plain(page) for page in found], "next_cursor": None}, show)


def banks(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the banks and what they hold."""
    state = state_of(context)
    found: list[Any] = []
    with state.memory() as memory:
        cursor: str | None = None
        while True:
            part = memory.banks(limit=500, cursor=cursor)
            found.extend(part.banks)
            cursor = part.next_cursor
            if cursor is None:
                break

    def show(console: Console) -> None:
        rows = table(
            *("bank", "messages", "open", "threads", "pages", "tiers", "bytes", "from", "to"),
            right=("messages", "open", "threads", "pages", "bytes"),
        )
        for bank in found:
            tiers = ", ".join(f"{held.pages} {tier}" for tier, held in bank.tiers.items() if held.pages)
            rows.add_row(
                *(printable(bank.id), f"{bank.messages:,}", f"{bank.open_messages:,}", f"{bank.threads:,}"),
                *(f"{bank.pages:,}", tiers, f"{bank.bytes.total:,}"),
                *(day(bank.first_at), day(bank.last_at)),
            )
        console.print(rows)

    state.answer({"banks": [plain(bank) for bank in found], "next_cursor": None}, show)
