"""`calibrate`: measure the accuracy of a reader behind an endpoint, and write its profile."""

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import printable
from foxing.api.cli.streams import is_stream, output_file, refuse_stream


class ApiOption(StrEnum):
    """API of the endpoint."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def calibrate(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Option(
            "--url", "--upstream", help="Base URL of the endpoint, such as that of a proxy or SDK.", show_default=False
        ),
    ],
    model: Annotated[str, typer.Option(help="Name of the model at the endpoint.", show_default=False)],
    reader: Annotated[
        str | None,
        typer.Option(
            "--reader",
            "-r",
            help="Name of the new profile, which is written with the whole curve. Default: find the smallest cell size "
            "that the model reads, and keep its profile for all commands.",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Existing reader to copy billing and image limits from.", show_default="the reader called --reader"
        ),
    ] = None,
    api: Annotated[
        ApiOption | None,
        typer.Option(help="API of the endpoint.", show_default="that of the provider of --base, or openai"),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Cell size in pixels, such as 8x16; may be repeated.", show_default="5x10 to 20x40"),
    ] = None,
    pages: Annotated[int, typer.Option(min=1, max=100, help="Number of pages per cell size.")] = 2,
    rows: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Maximum number of rows per page.", show_default="a full page")
    ] = None,
    prompt_price: Annotated[
        float | None,
        typer.Option(min=0, help="Price per million prompt tokens.", show_default="that of --base, or 0"),
    ] = None,
    completion_price: Annotated[
        float | None,
        typer.Option(min=0, help="Price per million completion tokens.", show_default="that of --base, or 0"),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="File to record the answers in, from which an interrupted run resumes.",
            show_default="READER.journal",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write the profile to; - is standard output.", show_default="READER.toml"
        ),
    ] = None,
    extra: Annotated[
        str | None,
        typer.Option(
            help="JSON object of fields to merge into each request; null removes a field.", show_default=False
        ),
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Timeout of a request, in seconds.")] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send no requests; show the expected cost.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how accurately a reader behind an endpoint reads page images, by cell size, and write its profile.

    With --url and --model alone, the smallest cell size that the model reads without silent errors is found, for at
    most 60,000 tokens, in about a minute. Its profile is kept in the user's data folder, with its date, and context,
    folds and proxies use it. The key is `reader_api_key`, else ANTHROPIC_API_KEY or OPENAI_API_KEY, as for an SDK.

    With --reader, the whole curve is measured.

    Sends sample pages one at a time and writes the profile as a table for `foxing.toml`. The setting `reader_api_key`
    is the API key of the endpoint. Each answer is recorded in a journal: an interrupted run resumes without paying for
    a page twice.
    """
    if reader is None:
        if any(option is not None for option in (cell, rows, journal, output)) or dry_run:
            raise typer.BadParameter("give --reader, the name of the profile, to measure a whole curve")
        from .smallest import find_smallest

        find_smallest(state_of(context), url, model, base, api.value if api else None, extra, timeout_s)
        return
    from foxing.encoder.reader_curve.curve import Prices, ReaderCurve
    from foxing.encoder.reader_curve.journal import Journal
    from foxing.encoder.reader_curve.profile import measured_reader, profile_table
    from foxing.encoder.reader_curve.sample_pages import CELLS, sample_pages

    from . import calibration

    state = state_of(context)
    refuse_stream("--journal", journal)
    measured = calibration.reader_to_measure(state, base or reader, given=base is not None)
    chosen: Any = api.value if api is not None else "anthropic" if measured.provider == "anthropic" else "openai"
    name = calibration.file_name(reader)
    output = calibration.free_output(output or Path(f"{name}.toml"), dry_run)
    fields = calibration.extra_fields(extra)
    prices = Prices(
        measured.prompt_price or 0.0 if prompt_price is None else prompt_price,
        measured.completion_price or 0.0 if completion_price is None else completion_price,
    )
    options = {"url": url, "model": model, "timeout_s": timeout_s, "page_timeout_s": 4 * timeout_s}
    endpoint = calibration.endpoint_of({**options, "concurrency": 1}, chosen, state.settings().reader_api_key)
    conditions = {"reader": reader, "model": model, "url": endpoint.url, "api": chosen}
    cells = [calibration.cell_size(text) for text in cell] if cell else list(CELLS)
    curve = ReaderCurve(
        sample_pages(measured, sorted(set(cells)), pages, rows),
        Journal(journal or Path(f"{name}.journal"), conditions),
        prices,
    )
    estimate, announcement = calibration.cost_estimate(curve, measured), calibration.estimate_text(curve, measured)
    if dry_run:
        state.answer(estimate, lambda console: console.print(announcement))
        return
    state.error_console.print(announcement)
    spent = calibration.ask_pages(state, curve, endpoint, chosen, fields)
    results = curve.results()
    profile = measured_reader(
        measured,
        reader,
        [row.type for row in results],
        datetime.now(UTC).date(),
        f"foxing calibrate: {model} at {endpoint.url}, {pages} pages per cell size",
    )
    with output_file(output) as file:
        file.write(profile_table(profile).encode())
    if is_stream(output):
        calibration.show_curve(state.error_console, results)
        return
    legible = profile.legible
    answer = {
        "reader": reader,
        "estimate": estimate,
        "spent": asdict(spent),
        "curve": calibration.curve_rows(results),
        "legible": None if legible is None else [legible.width_px, legible.height_px],
        "profile": str(output),
    }

    def show(console: Console) -> None:
        calibration.show_curve(console, results)
        size = "none" if legible is None else f"{legible.width_px} × {legible.height_px} px"
        console.print(
            f"smallest cell size that {printable(reader)} reads: {size}; spent {calibration.in_words(spent)}. Add "
            f"the profile in {printable(str(output))} to foxing.toml"
        )

    state.answer(answer, show)
