"""`codec list`: list the codecs and their requirements."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable, table

if TYPE_CHECKING:
    from foxing.api.settings import Settings
    from foxing.encoder import CodecPlugin
    from foxing.renderer import BrokenPlugin, Plugin


@dataclass(frozen=True)
class RequiredSetting:
    """A setting that a codec requires."""

    #: Its environment variable.
    setting: str
    #: True if it has a value.
    set: bool


@dataclass(frozen=True)
class CodecStatus:
    """A codec and the state of its requirements on this machine."""

    codec: str
    #: One sentence.
    description: str
    #: The distribution that provides it.
    package: str
    #: True if FOXING_CODEC selects it.
    selected: bool
    #: The extra of the package that installs its dependencies; None if it needs none.
    extra: str | None
    #: True if its dependencies are installed.
    installed: bool
    #: Modules that are not installed.
    missing: tuple[str, ...]
    #: True if the package includes its weights.
    bundled: bool
    requires: tuple[RequiredSetting, ...]
    #: True if its dependencies are installed and its required settings are set.
    ready: bool


def list_codecs(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the codecs, the state of their dependencies, and the settings they require.

    `ready` means that all dependencies are installed and all required settings are set; run `codec check` to test the
    codec itself. `broken` lists the codecs of other packages that cannot be used, each with the reason.
    """
    from foxing.encoder import CODECS

    state = state_of(context)
    settings = state.settings()
    rows = [_status(plugin, settings) for plugin in CODECS.working()]
    broken = CODECS.broken()
    document = {"codecs": [asdict(row) for row in rows], "broken": [asdict(item) for item in broken]}
    state.answer(document, lambda console: _show(console, rows, broken))


def _status(plugin: "Plugin[CodecPlugin[Any]]", settings: "Settings") -> CodecStatus:
    from foxing.api.settings.names import environment_name

    codec = plugin.value
    options = settings.codecs.get(plugin.name, {})
    requires = tuple(
        RequiredSetting(environment_name(f"codecs.{plugin.name}.{needed.option}"), needed.given)
        for needed in codec.required(options)
    )
    missing = codec.missing()
    return CodecStatus(
        codec=plugin.name,
        description=codec.about,
        package=plugin.package,
        selected=settings.codec == plugin.name,
        extra=None if codec.needs is None else codec.needs.extra,
        installed=not missing,
        missing=missing,
        bundled=codec.bundled,
        requires=requires,
        ready=not missing and all(setting.set for setting in requires),
    )


def _show(console: Console, rows: "list[CodecStatus]", broken: "list[BrokenPlugin]") -> None:
    cells = [
        (
            row.codec,
            "yes" if row.selected else None,
            "yes" if row.installed else f"no: pip install '{row.package}[{row.extra}]'",
            ", ".join(f"{need.setting} ({'set' if need.set else 'not set'})" for need in row.requires),
            row.description,
        )
        for row in rows
    ]
    console.print(table("codec, selected, installed, requires, description", cells))
    for item in broken:
        console.print(printable(f"{item.name} (from {item.package}) cannot be used: {item.reason}"))
