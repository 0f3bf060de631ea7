"""`pages`, `read` and `preview`: list the pages of a bank, read a page, and preview its fading."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import PageInfo

from .context import BankOption, JsonOption, TimezoneOption, all_pages, state_of
from .output import jsonable, printable, table, underlined

#: Explains the marks on a page.
LEGEND = (
    "◆ thread, ▶ message (▶▶ begins on an earlier page, > continues on a later one), ¶ new line, ⇥ tab, ⟦…⟧ code "
    "point; times on the page are in UTC (+00:00)"
)


def read(
    context: typer.Context,
    page: Annotated[str, typer.Argument(help="Id of the page.", show_default=False)],
    bank: BankOption,
    tier: Annotated[
        str | None,
        typer.Option(
            help="Tier to read the page at: its current tier or a lower one.", show_default="the current tier"
        ),
    ] = None,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decode a page and print its text. Uncertain characters are underlined."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        reading = memory.read_page(bank, page, tier)

    def show(console: Console) -> None:
        head = f"page {reading.page_id}, {reading.source} at {reading.tier}, {reading.kept_percent}% kept"
        head += f", confidence {reading.confidence:.1%}"
        times = sorted(message.created_at for message in reading.messages)
        if times:
            head += f", {zone.show(times[0])} to {zone.show(times[-1])}"
        console.print(printable(head), style="dim")
        console.print(LEGEND, style="dim")
        console.print(underlined(reading.text, reading.uncertain))

    state.answer(reading, show)


def preview(
    context: typer.Context,
    page: Annotated[str, typer.Argument(help="Id of the page.", show_default=False)],
    bank: BankOption,
    tier: Annotated[
        str | None, typer.Option(help="Tier below the current one to preview.", show_default="the next lower tier")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what would remain of a page at a lower tier, without changing it."""
    state = state_of(context)
    with state.memory() as memory:
        result = memory.preview_page(bank, page, tier)

    def show(console: Console) -> None:
        console.print(
            f"page {result.page_id}, {result.from_tier} → {result.to_tier}: vision tokens "
            f"{result.vision_tokens_before:,} → {result.vision_tokens_after:,}, bytes {result.token_bytes_before:,} → "
            f"{result.token_bytes_after:,}",
        )
        rows = [
            (name.replace("_", " "), count.words, count.kept, f"{count.kept / count.words:.0%}")
            for name, count in result.words.items()
        ]
        console.print(table("class, >words, >kept, >share", rows))
        for message in result.messages:
            console.print()
            ends = (
                ("begins on an earlier page", message.begins_before),
                ("continues on a later page", message.continues_after),
            )
            if note := " and ".join(words for words, so in ends if so):
                console.print(f"partial: {note}", style="dim")
            if message.before == message.after:
                console.print(printable(f"same:   {message.before}"))
                continue
            console.print(printable(f"before: {message.before}"), style="dim")
            console.print(printable(f"after:  {message.after}"))

    state.answer(result, show)


def _flags(page: PageInfo) -> str:
    flags = {"pinned": page.pinned, "text": page.text_kept, "facts faded": page.facts_faded}
    return ", ".join(name for name, on in flags.items() if on)


def pages(
    context: typer.Context, bank: BankOption, timezone: TimezoneOption = None, as_json: JsonOption = False
) -> None:
    """List the pages of a bank with their tiers and sizes."""
    state = state_of(context)
    zone = state.timezone(timezone)
    with state.memory() as memory:
        infos = all_pages(memory, bank)

    def show(console: Console) -> None:
        rows = [
            (
                *(page.id, page.tier, zone.show(page.first_at), zone.show(page.last_at)),
                *(page.messages, page.vision_tokens, page.bytes, f"{page.confidence:.2%}"),
                _flags(page),
            )
            for page in infos
        ]
        columns = "page, tier, from, to, >messages, >tokens, >bytes, >confidence, flags"
        console.print(table(columns, rows))
        if infos:
            console.print(
                "confidence refers to the remaining text; `foxing read PAGE` shows how much remains", style="dim"
            )

    state.answer({"pages": [jsonable(page) for page in infos], "next_cursor": None}, show)
