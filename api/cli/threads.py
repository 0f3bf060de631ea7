"""`threads`: list the conversations of a bank, or rename one."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import InvalidInput

from .context import BankOption, JsonOption, TimezoneOption, state_of
from .output import printable, table


def threads(
    context: typer.Context,
    words: Annotated[
        str | None, typer.Argument(help="Words or parts of words, all of which the title has.", show_default="all")
    ] = None,
    *,
    bank: BankOption,
    person: Annotated[str | None, typer.Option(help="Speaker in the thread.", show_default="all")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Source with which the name of the thread begins, such as chatgpt.", show_default="all"),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Threads whose last message was said from this time on.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Threads whose last message was said until then.", show_default="all")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of threads.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="The next_cursor of an earlier list.", show_default="from the newest")
    ] = None,
    rename: Annotated[
        str | None, typer.Option(metavar="THREAD", help="Rename this thread to --title.", show_default="list")
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            help="Title for --rename; without it, that of its export or its first request.", show_default=False
        ),
    ] = None,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the threads of a bank with their titles, the newest first, or rename one."""
    state = state_of(context)
    zone = state.timezone(timezone)
    if title is not None and rename is None:
        raise InvalidInput("--title names no thread; add --rename THREAD")
    with state.memory() as memory:
        if rename is not None:
            thread = memory.operations.rename_thread(bank, rename, title)
            text = printable(f"The thread {thread.thread} is now called: {thread.title or thread.thread}")
            state.answer(thread, lambda console: console.print(text))
            return
        result = memory.threads(
            bank,
            limit=limit,
            cursor=cursor,
            q=words,
            person=person,
            source=source,
            since=since,
            until=until,
            timezone=timezone,
        )

    def show(console: Console) -> None:
        rows = [
            (
                *(info.title or "", ", ".join(info.persons), info.source or "", info.messages),
                *(zone.show(info.last_at), info.thread),
            )
            for info in result.threads
        ]
        console.print(table("title, persons, source, >messages, last, thread", rows))
        if result.next_cursor is not None:
            console.print(printable(f"More: --cursor {result.next_cursor}"), style="dim")

    state.answer(result, show)
