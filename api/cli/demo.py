"""`demo`: simulate a year of conversation in a temporary memory."""

from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, state_of
from .streams import refuse_stream


def demo(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the page images and decoded texts.")
    ] = Path("out/demo"),
    as_json: JsonOption = False,
) -> None:
    """Store a year of conversation in a temporary database, age it in simulated time, and recall from it."""
    from foxing.api.demo.run import run_demo

    refuse_stream("--output", output)
    run_demo(state_of(context), output)
