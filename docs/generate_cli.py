"""The reference of the `foxing` command, from the functions behind it.

It reads their signatures rather than what typer prints: how typer words types and ranges, and where it breaks lines,
changes with its version and with the terminal.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from foxing.api.cli.main import app

HEAD = """\
<!-- Written by docs/generate.py; do not edit. -->
# The `foxing` command

Every command that works on a memory opens the database that `--database`, `FOXING_DATABASE_URL` or `foxing.toml` names
([settings](settings.md)), and brings it up to date first. `--database` and `--version` stand before the name of the
command, every other option after it.

Answers go to stdout; progress, remarks and errors to stderr. With `--json` the answer is one JSON document, and what
went wrong is told on stderr as a problem document ([problems](http.md#problems)). The exit status is 0 when all went
well, 1 when the work could not be done, 2 when the command line or a setting is wrong.

`foxing --install-completion` sets up completion of commands and options in your shell; `--show-completion` prints what
it would set up.
"""
_KINDS = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH", bool: ""}


@dataclass(frozen=True)
class Parameter:
    """An option or argument. `annotation`: its type, without `None`; `default`: None where there is none."""

    name: str
    info: OptionInfo | ArgumentInfo
    annotation: Any
    default: Any
    required: bool

    @property
    def many(self) -> bool:
        return get_origin(self.annotation) is list

    @property
    def kind(self) -> str:
        """What stands for its value."""
        single = get_args(self.annotation)[0] if self.many else self.annotation
        if isinstance(single, type) and issubclass(single, Enum):
            return "|".join(str(choice.value) for choice in single)
        return _KINDS[single]

    @property
    def written(self) -> str:
        """How it is written on the command line."""
        if isinstance(self.info, ArgumentInfo):
            return self.name.upper() + ("…" if self.many else "")
        return f"{', '.join(self.names)} {self.kind}".rstrip()

    @property
    def names(self) -> list[str]:
        """Of an option, the long one first."""
        # in an Annotated, what stands where the default would be is the first name
        given = [name for name in (self.info.default, *(self.info.param_decls or ())) if isinstance(name, str)]
        long = self.name.replace("_", "-")
        made = [f"--{long}", f"--no-{long}"] if self.annotation is bool else [f"--{long}"]
        return sorted(given or made, key=len, reverse=True)

    @property
    def default_shown(self) -> str:
        told = self.info.show_default
        if self.required:
            return "needed"
        if isinstance(told, str):
            return told
        if not told or self.default is None or self.default is False:
            return ""
        default = self.default.value if isinstance(self.default, Enum) else self.default
        return f"`{default.as_posix() if isinstance(default, Path) else default}`"

    @property
    def what(self) -> str:
        """Its help, and the bounds of its value."""
        low, high = self.info.min, self.info.max
        bounds = ""
        if low is not None and high is not None:
            bounds = f" {low:,} to {high:,}."
        elif low is not None:
            bounds = f" At least {low:,g}."
        elif high is not None:
            bounds = f" At most {high:,g}."
        told = self.info.help or ""
        repeated = self.many and isinstance(self.info, OptionInfo) and "more than once" not in told
        return f"{told}{bounds}{' May be given more than once.' if repeated else ''}"


def cli_page() -> str:
    """Markdown: every command with its help, arguments and options."""
    parts = [HEAD]
    callback = app.registered_callback
    assert callback is not None
    assert callback.callback is not None
    parts += ["## Options before the command", _table("option", _parameters(callback.callback))]
    for name, function in _commands(app, "foxing"):
        found = list(_parameters(function))
        arguments = [p for p in found if isinstance(p.info, ArgumentInfo)]
        given = [p for p in found if isinstance(p.info, OptionInfo)]
        usage = " ".join(
            [
                name,
                *(p.written if p.required else f"[{p.written}]" for p in arguments),
                *(f"{p.names[0]} {p.kind}" for p in given if p.required),
                *(["[options]"] if any(not p.required for p in given) else []),
            ]
        )
        parts += [f"## {name}", f"    {usage}", _paragraphs(function)]
        if arguments:
            parts.append(_table("argument", arguments))
        parts.append(_table("option", given))
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
            continue  # the context
        required = parameter.default is inspect.Parameter.empty
        yield Parameter(name, infos[0], _bare(get_args(hint)[0]), None if required else parameter.default, required)


def _bare(annotation: Any) -> Any:
    """The type without `None`."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        assert len(kinds) == 1, f"an option has one type, not {annotation}"
        return kinds[0]
    return annotation


def _paragraphs(function: Callable[..., Any]) -> str:
    text = inspect.cleandoc(function.__doc__ or "")
    return "\n\n".join(_visible(" ".join(block.split())) for block in text.split("\n\n"))


def _table(head: str, parameters: Iterator[Parameter] | list[Parameter]) -> str:
    rows = [f"| {head} | default | what it does |", "|---|---|---|"]
    for p in parameters:
        rows.append(f"| `{_cell(p.written)}` | {_cell(p.default_shown)} | {_cell(_visible(p.what))} |")
    return "\n".join(rows)


def _visible(text: str) -> str:
    """Nothing of it is taken for HTML."""
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
