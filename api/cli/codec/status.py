"""`codec list`: every codec, and whether it can be used here."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.api.settings import Settings
    from foxing.encoder import CodecEntry


@dataclass(frozen=True)
class RequiredSetting:
    """A setting without which a codec cannot be loaded."""

    #: Its environment variable.
    setting: str
    #: Whether it has a value.
    set: bool


@dataclass(frozen=True)
class CodecStatus:
    """A codec, and what it still lacks here."""

    codec: str
    #: One sentence.
    about: str
    #: Whether FOXING_CODEC selects it.
    chosen: bool
    #: The extra of the package that installs its dependencies; None if it needs none.
    extra: str | None
    #: Whether its dependencies are installed.
    installed: bool
    #: Modules that are not installed.
    missing: tuple[str, ...]
    needs: tuple[RequiredSetting, ...]
    #: Whether its dependencies are installed and its required settings are set.
    ready: bool


def list_codecs(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the codecs, whether their dependencies are installed, and the settings they require.

    `ready` means that dependencies are installed and required settings are set; run `codec check` to see whether the
    codec works.
    """
    from foxing.encoder import CODECS

    state = state_of(context)
    settings = state.settings()
    rows = [_status(entry.decoded(settings.codec_decoder), settings) for entry in CODECS.values()]
    state.answer({"codecs": [asdict(row) for row in rows]}, lambda console: _show(console, rows))


def _status(entry: "CodecEntry", settings: "Settings") -> CodecStatus:
    from foxing.api.settings import ENV_PREFIX

    needs = tuple(
        RequiredSetting(name, getattr(settings, name.removeprefix(ENV_PREFIX).lower()) is not None)
        for name in entry.needs
    )
    installed = not entry.missing
    return CodecStatus(
        codec=entry.name,
        about=entry.about,
        chosen=settings.codec == entry.name,
        extra=entry.extra,
        installed=installed,
        missing=entry.missing,
        needs=needs,
        ready=installed and all(need.set for need in needs),
    )


def _show(console: Console, rows: list[CodecStatus]) -> None:
    shown = table("codec", "selected", "installed", "requires", "description")
    for row in rows:
        installed = "yes" if row.installed else f"no: pip install 'foxing[{row.extra}]'"
        requires = ", ".join(f"{need.setting} ({'set' if need.set else 'not set'})" for need in row.needs)
        shown.add_row(row.codec, "yes" if row.chosen else "", installed, requires, row.about)
    console.print(shown)
