"""Commands, from the entry point group `foxing.commands`.

    [project.entry-points."foxing.commands"]
    tea = "tea_timer.command:tea"

An entry point refers to a function, which becomes a command, or to a `typer.Typer`, which becomes a group of commands.
Its module is imported when the command runs or is listed, so it should import heavy packages inside the function.
"""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from foxing.renderer import PluginError, Plugins
from foxing.renderer.plugins import OWN_PACKAGES

GROUP = "foxing.commands"
Command = TyperCommand | TyperGroup


def as_command(name: str, value: object) -> Command:
    """Returns the command called `name` of a function or a `typer.Typer`. Raises `PluginError` for another object."""
    if isinstance(value, typer.Typer):
        host = typer.Typer(rich_markup_mode=None)
        host.add_typer(value, name=name)
        return _only_command(host, name)
    if not callable(value):
        raise PluginError(f"its entry point refers to a {type(value).__name__}, not a function or a typer.Typer")
    return _function_command(name, value)


#: The commands of installed packages.
COMMANDS: Plugins[Command] = Plugins(GROUP, as_command)


def command_names(own_only: bool = False) -> list[str]:
    """Returns the names of all commands by entry point, or with `own_only` only those of Foxing, without importing
    them."""
    return [name for name in COMMANDS.names() if not own_only or COMMANDS.package_of(name) in OWN_PACKAGES]


def find_command(name: str) -> Command | None:
    """Returns the command called `name`, or None if no package has it. The help of a broken command shows the reason;
    running it raises `PluginError`."""
    if name not in COMMANDS:
        return None
    try:
        return COMMANDS.get(name).value
    except PluginError as error:
        return _broken_command(name, error)


def _broken_command(name: str, error: PluginError) -> Command:
    def fail() -> None:
        raise error

    fail.__doc__ = f"Cannot be used: {error}"
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    return _function_command(name, fail, context_settings=settings)


def _function_command(name: str, function: Callable[..., Any], **options: Any) -> Command:
    host = typer.Typer(rich_markup_mode=None)  # as of the built-in commands, and --help of one shows URLs whole
    host.command(name, **options)(function)
    return _only_command(host, name)


def _only_command(host: typer.Typer, name: str) -> Command:
    command = get_group(host).commands[name]
    assert isinstance(command, TyperCommand | TyperGroup)
    return command
