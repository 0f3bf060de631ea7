"""The `foxing` command."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import import_export as messages
from . import lifecycle as ageing
from . import recall as reading
from . import reencode, service, tools
from .codec import codec_commands
from .context import state_of


class Commands(TyperGroup):
    """Says an error of Foxing in one sentence, or as a problem document, instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        from foxing.renderer import FoxingError

        try:
            return super().invoke(ctx)
        except FoxingError as error:
            raise typer.Exit(state_of(ctx).fail(error)) from error


app = typer.Typer(
    cls=Commands,
    name="foxing",
    help="Long-context optical memory for LLM agents: conversations kept as page images that fade with age.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"foxing {version('foxing')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(help="Path or SQLAlchemy URL of the database (FOXING_DATABASE_URL).", show_default=False),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    state_of(context).database = database


app.command("demo")(tools.demo)
app.command("serve")(service.serve)
app.command("worker")(service.worker)
app.command("import")(messages.import_messages)
app.command("export")(messages.export_messages)
app.command("recall")(reading.recall)
app.command("read")(reading.read)
app.command("pages")(reading.pages)
app.command("banks")(reading.banks)
app.command("seal")(ageing.seal)
app.command("age")(ageing.age)
app.command("policy")(ageing.policy)
app.command("reencode")(reencode.reencode)
app.add_typer(codec_commands)
app.add_typer(tools.database_commands)


def main() -> None:
    """Entry point of the `foxing` command."""
    for stream in (sys.stdout, sys.stderr):
        # Whatever the locale says: messages are Unicode, and a terminal that cannot show one shows an escape.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
