"""`calibrate`: measure which type a model behind an endpoint reads, and keep its profile."""

import json
import os
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable, table
from foxing.api.settings.measured_readers import measured_folder
from foxing.api.settings.model import plain_text
from foxing.memory import InvalidInput

#: API → variable with the key, as the SDKs of the providers read it.
_KEYS: dict[Literal["anthropic", "openai"], str] = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


def calibrate(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Option(
            "--url", "--upstream", help="Base URL of the endpoint, such as that of a proxy or SDK.", show_default=False
        ),
    ],
    model: Annotated[str, typer.Option(help="Name of the model at the endpoint.", show_default=False)],
    base: Annotated[
        str | None,
        typer.Option(
            help="Existing reader to copy billing and image limits from.",
            show_default="that of the model, or the most similar one of its provider",
        ),
    ] = None,
    api: Annotated[
        Literal["openai", "anthropic"] | None,
        typer.Option(help="API of the endpoint.", show_default="that of the provider of --base, or openai"),
    ] = None,
    extra: Annotated[
        str,
        typer.Option(help="JSON object of fields to merge into each request; null removes a field."),
    ] = "{}",
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Timeout of a request, in seconds.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest type that a model behind an endpoint reads without silent errors, and keep its profile.

    Sends sample pages for at most 60,000 tokens, in about a minute. The profile is kept in the user's data folder, with
    its date, and context, folds and proxies use it. The key is `reader_api_key`, else ANTHROPIC_API_KEY or
    OPENAI_API_KEY, as for an SDK.
    """
    from foxing.encoder import measure_reader
    from foxing.renderer import Readers

    state = state_of(context)
    settings = state.settings()
    own_key = plain_text(settings.reader_api_key)
    result = measure_reader(
        Readers(settings.readers),
        model,
        url,
        base=base,
        api=api,
        keys={name: own_key or os.environ.get(variable) for name, variable in _KEYS.items()},
        extra=_fields(extra),
        timeout_s=timeout_s,
        day=datetime.now(UTC).date(),
        advance=lambda words: state.error_console.print(printable(words)),
    )
    file = measured_folder() / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', model)}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(result.table, encoding="utf-8")
    legible = result.profile.legible
    curve: list[dict[str, Any]] = [
        {
            "cell": [row.cell.width_px, row.cell.height_px],
            "pages": row.pages,
            "exact": round(row.score.exact, 4),
            "identifiers": round(row.score.identifiers_exact, 4),
            "silent_errors": round(row.score.silent, 5),
            "formula_tokens": row.formula_tokens,
            "reported_tokens": row.reported_tokens,
            "text_tokens": row.text_tokens,
        }
        for row in result.curve
    ]
    answer = {
        "reader": model,
        "tokens": result.tokens,
        "curve": curve,
        "legible": None if legible is None else [legible.width_px, legible.height_px],
        "profile": str(file),
    }

    def show(console: Console) -> None:
        rows = [
            (
                *("{} × {} px".format(*row["cell"]), f"{row['exact']:.1%}", f"{row['identifiers']:.1%}"),
                *(f"{row['silent_errors']:.2%}", round(row["formula_tokens"])),
                *(None if row["reported_tokens"] is None else round(row["reported_tokens"]), round(row["text_tokens"])),
            )
            for row in curve
        ]
        console.print(table("cell, >exact, >identifiers, >silent errors, >tokens, >reported, >as text", rows))
        size = "none, so it is given text alone"
        if legible is not None:
            size = f"{legible.width_px} × {legible.height_px} px"
        console.print(f"smallest cell size that {printable(model)} reads without silent errors: {size}")
        console.print(f"Kept in {printable(str(file))}, which services and proxies read when they start")

    state.answer(answer, show)


def _fields(extra: str) -> dict[str, Any]:
    """Returns the fields to merge into each request. Raises `InvalidInput`."""
    try:
        fields = json.loads(extra)
    except ValueError as error:
        raise InvalidInput(f"--extra is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("--extra must be a JSON object, such as '{\"max_tokens\": null}'")
    return fields
