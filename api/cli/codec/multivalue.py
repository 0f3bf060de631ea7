"""Options that take several values: `--texts a b --json`. Click options take a fixed number."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand

#: Ends the metavar of an option that takes several values.
ELLIPSIS = "…"


class MultiValueCommand(TyperCommand):
    """A command whose options with a metavar ending in `…` take all arguments up to the next option.

    `--texts a b` is parsed as `--texts=a --texts=b`. `--texts=a` takes exactly one value, which may begin with a dash.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses `args`, one option per value."""
        names = {name for param in self.params if (param.metavar or "").endswith(ELLIPSIS) for name in param.opts}
        return super().parse_args(ctx, list(_expanded(ctx, args, names)))


def _expanded(ctx: Any, args: list[str], names: set[str]) -> Iterator[str]:
    """Yields `args` with one `--option=value` per value of the options in `names`. Raises `BadParameter` for an option
    without a value."""
    index = 0
    while index < len(args):
        name = args[index]
        index += 1
        if name == "--":
            yield from args[index - 1 :]
            return
        if name not in names:
            yield name
            continue
        first = index
        while index < len(args) and (args[index] == "-" or not args[index].startswith("-")):
            yield f"{name}={args[index]}"
            index += 1
        if index == first and not ctx.resilient_parsing:
            raise typer.BadParameter(
                f"give at least one value, or {name}=VALUE if it begins with a dash", ctx, param_hint=[name]
            )
