"""The `foxing` command."""

import errno
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from foxing.api.plugins.commands import as_command, command_names, find_command
from foxing.renderer import FoxingError
from foxing.renderer.errors import NoEngine, is_of_engine
from foxing.renderer.plugins import CLIENT

from .context import state_of

#: Built-in command → its module in this package, and its function or group there. The module is imported when the
#: command runs, or when all are listed.
COMMANDS = {
    "serve": ".serve:serve",
    "console": ".console:console",
    "worker": ".worker:worker",
    "import": ".import_export:import_messages",
    "export": ".import_export:export_messages",
    "watch": ".watch:watch",
    "recall": ".recall:recall",
    "context": ".readers.prompt:context",
    "fetch": ".fetch:fetch",
    "facts": ".facts:fact_commands",
    "read": ".pages:read",
    "preview": ".pages:preview",
    "pages": ".pages:pages",
    "banks": ".banks:banks",
    "threads": ".threads:threads",
    "seal": ".lifecycle:seal",
    "age": ".lifecycle:age",
    "undo": ".lifecycle:undo",
    "erase": ".lifecycle:erase",
    "policy": ".lifecycle:policy",
    "quarantine": ".quarantine:quarantine_commands",
    "reencode": ".reencode:reencode",
    "render": ".readers.render:render",
    "calibrate": ".readers.calibrate:calibrate",
    "reindex": ".reindex:reindex",
    "savings": ".savings:savings",
    "usage": ".usage:usage",
    "codec": ".codec:codec_commands",
    "bundle": ".bundle:bundle_commands",
    "hold": ".hold:hold_commands",
    "keys": ".keys:key_commands",
    "audit": ".audit:audit_commands",
    "db": ".db:database_commands",
}
OUT_OF_MEMORY = (
    "out of memory; everything stored so far is intact. Raise the memory limit of the process (such as ulimit -v), or "
    "stop other processes"
)
#: Environment variables with a number of threads: of OpenMP, which torch uses, and of the libraries of BLAS.
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
NO_SPACE = "no space is left for the output or for temporary files; free some and run the command again"


class FoxingGroup(TyperGroup):
    """The built-in commands, followed by those of other packages (entry points `foxing.commands`). Reports a
    `FoxingError` as one sentence or a problem document, without a traceback."""

    #: True to omit the commands of other packages.
    own_only = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands that are installed, built-in ones first."""
        built_in = [name for name, place in COMMANDS.items() if find_spec(place.partition(":")[0], __package__)]
        return [*built_in, *(name for name in command_names(self.own_only) if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command called `cmd_name`; None if there is none."""
        if cmd_name not in COMMANDS:
            return find_command(cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        return as_command(cmd_name, vars(import_module(module, __package__))[name])

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. Raises `typer.Exit` after an error was printed."""
        try:
            return super().invoke(ctx)
        except FoxingError as error:
            raise typer.Exit(state_of(ctx).fail(error)) from error
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # of pydantic, by which typer checks values
            raise
        except (MemoryError, ImportError, OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise typer.Exit(state_of(ctx).fail(FoxingError(NO_SPACE))) from error
            if isinstance(error, ImportError) and is_of_engine(error):
                raise typer.Exit(state_of(ctx).fail(NoEngine())) from error
            if not _is_out_of_memory(error):
                raise
            raise typer.Exit(state_of(ctx).fail(FoxingError(OUT_OF_MEMORY))) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Returns True if memory allocation failed: for objects, for a shared library, or for a thread's stack."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).casefold()
    return any(words in text for words in ("failed to map segment", "cannot allocate memory", "can't start new thread"))


app = typer.Typer(
    cls=FoxingGroup,
    name="foxing",
    help="Long-context optical memory for LLM agents: stores conversations as page images that fade with age.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"foxing {version(CLIENT)}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(help="Path or URL of the database (FOXING_DATABASE_URL).", show_default=False),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Sets the options that precede the command."""
    state_of(ctx).database = database


def limit_threads() -> None:
    """Limits the libraries of linear algebra to one thread per call, for the life of this process and for those that it
    starts. They read it when they are loaded, so call it before numpy is imported. What the user has set stays.

    A service computes many small products in many threads: split among threads that wait for each other, each takes
    several times as long.
    """
    for name in THREAD_LIMITS:
        os.environ.setdefault(name, "1")


def main() -> None:
    """Runs the `foxing` command; the entry point of the script."""
    limit_threads()
    # A plug-in of pydantic would be looked for in all packages that are installed. None changes what a command does.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for stream in (sys.stdout, sys.stderr):
        # Messages are Unicode in any locale; characters that a stream cannot encode are escaped.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
