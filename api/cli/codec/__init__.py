"""`codec`: list the codecs, check the selected one, and measure it."""

import typer

from .bench import bench
from .check import check
from .multivalue import MultiValueCommand
from .status import list_codecs

codec_commands = typer.Typer(name="codec", help="List, check and measure codecs.", no_args_is_help=True)
codec_commands.command("list")(list_codecs)
codec_commands.command("check", cls=MultiValueCommand)(check)
codec_commands.command("bench", cls=MultiValueCommand)(bench)
