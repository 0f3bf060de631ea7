"""`usage`: show usage by day, tenant and key."""

from typing import Annotated

import typer
from rich.console import Console

from .context import JsonOption, state_of
from .output import table


def usage(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Number of days, today included.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Show requests, recalls, messages and bytes stored, and tokens of images, by day of UTC, tenant and key."""
    state = state_of(context)
    with state.memory() as memory:
        answer = memory.operations.limits.usage(days=days)

    def show(console: Console) -> None:
        rows = [
            (
                *(str(row.day), row.tenant or "", row.key_id or ""),
                *(f"{number:,}" for number in (row.requests, row.recalls, row.messages, row.bytes, row.image_tokens)),
            )
            for row in answer.rows
        ]
        console.print(table("day, tenant, key, >requests, >recalls, >messages, >bytes, >image tokens", rows))

    state.answer(answer, show)
