"""`context`: the next prompt for a reader."""

import base64
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foxing.api.cli.context import BankOption, JsonOption, NowOption, TimezoneOption, state_of
from foxing.api.cli.output import printable
from foxing.api.cli.streams import refuse_stream

from .render import ReaderOption

if TYPE_CHECKING:
    from foxing.memory import ContextResult


class FormOption(StrEnum):
    """Whose request bodies the content is for."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    GEMINI = "gemini"
    BLOCKS = "blocks"


def context(
    ctx: typer.Context,
    bank: BankOption,
    reader: ReaderOption,
    budget: Annotated[int, typer.Option(min=1, help="Tokens that the content may cost.", show_default=False)],
    query: Annotated[str | None, typer.Argument(help="What to recall.", show_default=False)] = None,
    thread: Annotated[
        str | None, typer.Option(help="Thread whose last messages are given exactly.", show_default="any")
    ] = None,
    now: NowOption = None,
    timezone: TimezoneOption = None,
    form: Annotated[
        FormOption | None,
        typer.Option("--as", help="Whose request bodies the content is for.", show_default="the reader's provider"),
    ] = None,
    keepsakes: Annotated[bool, typer.Option(help="Give identifiers as text beside the image that shows them.")] = True,
    images: Annotated[Path | None, typer.Option(help="Folder to write the page images to.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the next prompt for a reader: the last messages exactly, and what recall finds, as text or page image."""
    from foxing.memory import ContextRequest

    refuse_stream("--images", images)
    state = state_of(ctx)
    asker = state.timezone(timezone)
    request = ContextRequest(
        reader=reader, budget=budget, query=query, thread=thread, now=now, timezone=asker.name, keepsakes=keepsakes
    )
    with state.memory() as memory:
        result = plain = memory.context(bank, request.model_copy(update={"form": "blocks"}))
        if as_json:
            result = memory.context(bank, request.model_copy(update={"form": form and form.value}))

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
            f"{reader}: {result.billed_tokens:,} tokens of {budget:,}, {result.text_tokens_instead:,} as text; "
            f"{result.formula}",
        )

    if images is not None:
        _write_images(images, plain)
    state.answer(result, show)


def _write_images(folder: Path, result: "ContextResult") -> None:
    """Writes the images of `result`, whose form is "blocks". Raises `InvalidInput` if the folder cannot be written."""
    from foxing.memory.errors import InvalidInput

    shown = [str(block["data"]) for block in result.content if block["type"] == "image"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(shown, 1):
            (folder / f"page.{number}.png").write_bytes(base64.b64decode(data))
    except OSError as error:
        raise InvalidInput(f"the images cannot be written to {folder}: {error}") from error
