"""`codec`: which codecs there are, and whether the chosen one works here."""

from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from . import codec_bench as bench
from .context import JsonOption, state_of, table

if TYPE_CHECKING:
    from foxing.api.settings import Settings
    from foxing.encoder import CodecEntry

codec_commands = typer.Typer(name="codec", help="Which codecs there are, and how they do here.", no_args_is_help=True)
codec_commands.command("bench")(bench.codec)


@codec_commands.command("list")
def list_codecs(context: typer.Context, as_json: JsonOption = False) -> None:
    """Every codec, whether what it needs is installed, and the settings it cannot do without.

    `ready`: its packages are installed and its settings are set, which does not say that it works; `codec check` does.
    """
    from foxing.encoder import CODECS

    state = state_of(context)
    settings = state.settings()
    rows = [_entry(entry.decoded(settings.codec_decoder), settings) for entry in CODECS.values()]

    def show(console: Console) -> None:
        shown = table("codec", "chosen", "installed", "needs", "what it is")
        for row in rows:
            installed = "yes" if row["installed"] else f"no: pip install 'foxing[{row['extra']}]'"
            needs = ", ".join(f"{need['setting']} ({'set' if need['set'] else 'not set'})" for need in row["needs"])
            shown.add_row(row["codec"], "yes" if row["chosen"] else "", installed, needs, row["about"])
        console.print(shown)

    state.answer({"codecs": rows}, show)


@codec_commands.command("check")
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Load the chosen codec, take a page of plain English through each tier and back, and tell what ran on what.

    The exit status is 1 when it cannot be loaded or asked, or does not read the page at its sharpest tier. A codec that
    reads elsewhere is asked once for each tier.
    """
    from foxing.encoder import load_codec
    from foxing.encoder.diagnostics import check_codec

    state = state_of(context)
    settings = state.settings()
    chosen = load_codec(settings.codec, settings.device, settings.token_bytes, settings.codec_options)
    with state.progress("checking") as progress:
        result = check_codec(chosen, progress).to_dict()
    state.answer(result, lambda console: _show_check(console, result))
    if not result["passed"]:
        raise typer.Exit(1)


def _entry(entry: "CodecEntry", settings: "Settings") -> dict[str, Any]:
    from foxing.api.settings import ENV_PREFIX

    needs = [
        {"setting": name, "set": getattr(settings, name.removeprefix(ENV_PREFIX).lower()) is not None}
        for name in entry.needs
    ]
    installed = not entry.missing
    return {
        "codec": entry.name,
        "about": entry.about,
        "chosen": settings.codec == entry.name,
        "extra": entry.extra,
        "installed": installed,
        "missing": list(entry.missing),
        "needs": needs,
        "ready": installed and all(need["set"] for need in needs),
    }


def _show_check(console: Console, result: dict[str, Any]) -> None:
    console.print(f"{result['codec']}, weights {result['weights']}, pages of {result['layout']}", markup=False)
    for name, value in result["runs_on"].items():
        console.print(f"  {name}: {value}", markup=False, soft_wrap=True)
    counted = {"positions": "positions", "prompt_tokens": "prompt tokens"}  # columns that few codecs have
    counted = {key: name for key, name in counted.items() if any(row[key] is not None for row in result["tiers"])}
    numbers = ("px", "accuracy", "sure", "flagged", "vision tokens", *counted.values(), "bytes", "encode s", "decode s")
    shown = table("tier", *numbers, right=numbers)
    for row in result["tiers"]:
        counts = ("" if row[key] is None else f"{row[key]:,}" for key in counted)
        shown.add_row(
            *(row["tier"], f"{row['side_px']:,}", "unread" if row["unread"] else f"{row['accuracy']:.2%}"),
            *(f"{row['confidence']:.1%}", f"{row['flagged_share']:.1%}", f"{row['vision_tokens']:,}", *counts),
            *(f"{row['token_bytes']:,}", f"{row['encode_s']:.2f}", f"{row['decode_s']:.2f}"),
        )
    console.print(shown)
    console.print("It works." if result["passed"] else "It does not read plain English at its sharpest tier.")
