"""`context`: build the next prompt for a reader."""

import base64
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from foxing.api.cli.context import BankOption, JsonOption, NowOption, TimezoneOption, state_of
from foxing.api.cli.fields import help_of, options_of
from foxing.api.cli.output import printable
from foxing.api.cli.streams import refuse_stream, write_images
from foxing.memory import ContextRequest, ContextResult
from foxing.memory.values.signatures import takes

from .render import ReaderOption

#: `reader`, `query`, `now` and `timezone` are declared below; `messages` and `prices` are for programs.
_APART = ("reader", "query", "now", "timezone", "messages", "prices")


@takes(options_of(ContextRequest, leave_out=_APART))
def context(
    ctx: typer.Context,
    bank: BankOption,
    reader: ReaderOption,
    query: Annotated[str | None, typer.Argument(help=help_of(ContextRequest, "query"), show_default=False)] = None,
    now: NowOption = None,
    timezone: TimezoneOption = None,
    images: Annotated[Path | None, typer.Option(help="Folder to write the page images to.", show_default=False)] = None,
    as_json: JsonOption = False,
    **fields: object,
) -> None:
    """Build the next prompt for a reader: the latest messages verbatim, and recalled messages as text or page images.

    The prompt stays within --budget tokens, as the reader bills them.
    """
    refuse_stream("--images", images)
    state = state_of(ctx)
    zone = state.timezone(timezone)
    common = {"reader": reader, "query": query, "now": now, "timezone": zone.name}
    request = ContextRequest.from_fields({**common, **fields})
    blocks = request.model_copy(update={"form": "blocks"})
    needed = not as_json or images is not None  # to show them, or to write their images
    requests = [*([blocks] if needed else []), *([request] if as_json else [])]
    answers = [state.ask_service(bank, "context", part, ContextResult) for part in requests if now is None]
    results = [answer for answer in answers if answer is not None]
    if len(results) < len(requests):
        with state.memory() as memory:
            results = [memory.context(bank, part) for part in requests]
    plain, result = results[0], results[-1]

    def show(console: Console) -> None:
        for block in plain.content:
            if block["type"] == "text":
                console.print(printable(str(block["text"])))
            else:
                size = f"{block['width']} × {block['height']} px, {block['tokens']:,} tokens"
                console.print(f"[page image, {size}]", style="dim")
            console.print()
        for note in result.notes:
            console.print(printable(note), style="yellow")
        console.print(
            f"{reader}: {result.billed_tokens:,} tokens of {request.budget:,}, {result.text_tokens_instead:,} as text; "
            f"{result.formula}",
        )

    if images is not None:
        pictures = [str(block["data"]) for block in plain.content if block["type"] == "image"]
        pages = {f"page.{number}.png": base64.b64decode(data) for number, data in enumerate(pictures, 1)}
        write_images(images, pages)
    state.answer(result, show)
