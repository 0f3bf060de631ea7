"""`codec check`: test the selected codec on this machine."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.encoder.diagnostics import CodecCheck


def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Load the selected codec, encode and decode a page of plain English at every tier, and show the results.

    Exits with status 1 if the codec cannot be loaded or reached, or misreads the page at its sharpest tier. A codec
    behind an endpoint is called once per tier.
    """
    from foxing.encoder import load_codec
    from foxing.encoder.diagnostics import check_codec

    state = state_of(context)
    settings = state.settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
    with state.progress("checking") as progress:
        result = check_codec(codec, progress)
    state.answer(result.to_dict(), lambda console: show_check(console, result))
    if not result.passed:
        raise typer.Exit(1)


def show_check(console: Console, result: "CodecCheck") -> None:
    """Prints the codec, its weights and a table of the tiers."""
    console.print(f"{result.codec}, weights {result.weights}, pages of {result.layout}")
    for name, value in result.runs_on.items():
        console.print(f"  {name}: {value}")
    has_positions = any(row.positions is not None for row in result.tiers)
    has_prompt_tokens = any(row.prompt_tokens is not None for row in result.tiers)
    columns = (
        "tier, >px, >accuracy, >confidence, >flagged, >vision tokens, "
        f"{'>positions, ' if has_positions else ''}{'>prompt tokens, ' if has_prompt_tokens else ''}"
        ">bytes, >encode s, >decode s"
    )
    rows = [
        (
            *(row.tier, row.side_px, "unread" if row.unread else f"{row.accuracy:.2%}"),
            *(f"{row.confidence:.1%}", f"{row.flagged_share:.1%}", row.vision_tokens),
            *((row.positions,) if has_positions else ()),
            *((row.prompt_tokens,) if has_prompt_tokens else ()),
            *(row.token_bytes, f"{row.encode_s:.2f}", f"{row.decode_s:.2f}"),
        )
        for row in result.tiers
    ]
    console.print(table(columns, rows))
    console.print("Passed." if result.passed else "Failed: the codec misreads plain English at its sharpest tier.")
