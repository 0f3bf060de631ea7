"""`demo`: a year of conversation in a temporary memory."""

from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, state_of
from .streams import refuse_stream


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page images.")] = Path("out/demo"),
    as_json: JsonOption = False,
) -> None:
    """Store a year of conversation, let it age, and recall from what is left. Uses a temporary database."""
    from foxing.api.demo.run import run_demo

    refuse_stream("--output", output)
    run_demo(state_of(context), output)
