"""The reference of the `foxing` command, from the functions behind it.

It reads their signatures rather than the output of typer, whose wording and line breaks depend on its version and on
the terminal.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from foxing.api.cli.main import app

from .markdown import escaped, paragraphs, table

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The `foxing` command

Every command that works on a memory opens the database named by `--database`, `FOXING_DATABASE_URL` or `foxing.toml`
([settings](settings.md)) and upgrades it first. `--database` and `--version` go before the name of the command, all
other options after it.

Results go to stdout; progress, remarks and errors to stderr. With `--json`, the result is one JSON document, and an
error is a problem document on stderr ([problems](http.md#problems)). The exit status is 0 on success, 1 on failure and
2 if the command line or a setting is invalid.

`foxing --install-completion` installs completion of commands and options in your shell; `--show-completion` prints the
completion script.
"""
_KINDS = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH", bool: ""}


@dataclass(frozen=True)
class Parameter:
    """An option or argument of a command."""

    name: str
    info: OptionInfo | ArgumentInfo
    #: Its type, without `None`.
    annotation: Any
    default: Any
    required: bool

    @property
    def multiple(self) -> bool:
        """Whether it takes more than one value."""
        return get_origin(self.annotation) is list

    @property
    def kind(self) -> str:
        """The placeholder of its value."""
        if self.info.metavar:
            return self.info.metavar
        single = get_args(self.annotation)[0] if self.multiple else self.annotation
        if isinstance(single, type) and issubclass(single, Enum):
            return "|".join(str(choice.value) for choice in single)
        return _KINDS[single]

    @property
    def usage(self) -> str:
        """The usage, e.g. `--bank, -b TEXT`."""
        if isinstance(self.info, ArgumentInfo):
            return self.name.upper() + ("…" if self.multiple else "")
        return f"{', '.join(self.names)} {self.kind}".rstrip()

    @property
    def names(self) -> list[str]:
        """The names of an option, the longest first."""
        # Inside Annotated, typer takes the first name for the default.
        given = [name for name in (self.info.default, *(self.info.param_decls or ())) if isinstance(name, str)]
        long = self.name.replace("_", "-")
        derived = [f"--{long}", f"--no-{long}"] if self.annotation is bool else [f"--{long}"]
        return sorted(given or derived, key=len, reverse=True)

    @property
    def default_shown(self) -> str:
        shown = self.info.show_default
        if self.required:
            return "required"
        if isinstance(shown, str):
            return shown
        if not shown or self.default is None or self.default is False:
            return ""
        default = self.default.value if isinstance(self.default, Enum) else self.default
        return f"`{default.as_posix() if isinstance(default, Path) else default}`"

    @property
    def description(self) -> str:
        """Its help, the bounds of its value, and whether it may be repeated."""
        low, high = self.info.min, self.info.max
        bounds = ""
        if low is not None and high is not None:
            bounds = f" {low:,} to {high:,}."
        elif low is not None:
            bounds = f" At least {low:,g}."
        elif high is not None:
            bounds = f" At most {high:,g}."
        help_text = self.info.help or ""
        repeated = self.multiple and isinstance(self.info, OptionInfo) and "more than once" not in help_text
        return f"{help_text}{bounds}{' May be given more than once.' if repeated else ''}"


def cli_page() -> str:
    """Markdown: every command with its help, arguments and options."""
    parts = [HEAD]
    callback = app.registered_callback
    assert callback is not None
    assert callback.callback is not None
    parts += ["## Options before the command", _table("option", _parameters(callback.callback))]
    for name, function in _commands(app, "foxing"):
        parameters = list(_parameters(function))
        arguments = [p for p in parameters if isinstance(p.info, ArgumentInfo)]
        options = [p for p in parameters if isinstance(p.info, OptionInfo)]
        usage = " ".join(
            [
                name,
                *(p.usage if p.required else f"[{p.usage}]" for p in arguments),
                *(f"{p.names[0]} {p.kind}" for p in options if p.required),
                *(["[options]"] if any(not p.required for p in options) else []),
            ]
        )
        parts += [f"## {name}", f"    {usage}", paragraphs(inspect.cleandoc(function.__doc__ or ""))]
        if arguments:
            parts.append(_table("argument", arguments))
        parts.append(_table("option", options))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _commands(group: typer.Typer, name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{name} {command.name or command.callback.__name__}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        inner_name = inner.name if isinstance(inner.name, str) else inner.typer_instance.info.name
        yield from _commands(inner.typer_instance, f"{name} {inner_name}")


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        infos = [part for part in get_args(hint)[1:] if isinstance(part, (OptionInfo, ArgumentInfo))]
        if get_origin(hint) is not Annotated or not infos:
            continue  # the typer context
        required = parameter.default is inspect.Parameter.empty
        yield Parameter(name, infos[0], _bare(get_args(hint)[0]), None if required else parameter.default, required)


def _bare(annotation: Any) -> Any:
    """The annotation without `None`."""
    if get_origin(annotation) in (Union, UnionType):
        types = [part for part in get_args(annotation) if part is not NoneType]
        assert len(types) == 1, f"an option has one type, not {annotation}"
        return types[0]
    return annotation


def _table(head: str, parameters: Iterable[Parameter]) -> str:
    rows = [(f"`{p.usage}`", p.default_shown, escaped(p.description)) for p in parameters]
    return table((head, "default", "description"), rows)
