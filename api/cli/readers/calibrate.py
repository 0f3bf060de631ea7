"""`calibrate`: measure what a reader behind an endpoint reads of our pages, and write its profile."""

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
from foxing.memory.errors import InvalidInput


class ApiOption(StrEnum):
    """Whose API the endpoint speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def calibrate(
    context: typer.Context,
    reader: Annotated[str, typer.Option("--reader", "-r", help="Name of the reader to write.", show_default=False)],
    url: Annotated[str, typer.Option(help="Base URL of the endpoint, usually ending in /v1.", show_default=False)],
    model: Annotated[str, typer.Option(help="Name of the model there.", show_default=False)],
    base: Annotated[
        str | None,
        typer.Option(help="Reader whose billing and limits hold for it.", show_default="the reader of this name"),
    ] = None,
    api: Annotated[
        ApiOption | None,
        typer.Option(help="Whose API the endpoint speaks.", show_default="that of the provider of --base, or openai"),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Size of a cell in px, such as 8x16; may be repeated.", show_default="5x10 to 20x40"),
    ] = None,
    pages: Annotated[int, typer.Option(min=1, max=100, help="Pages for each size.")] = 2,
    rows: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Most rows on a page.", show_default="a full page")
    ] = None,
    prompt_price: Annotated[
        float | None,
        typer.Option(min=0, help="Price of a million prompt tokens.", show_default="that of the profile, or 0"),
    ] = None,
    completion_price: Annotated[
        float | None,
        typer.Option(min=0, help="Price of a million tokens of answers.", show_default="that of the profile, or 0"),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps the answers, so that an interrupted run resumes; not a stream.",
            show_default="READER.journal",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the profile; - is standard output.", show_default="READER.toml"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curve, such as curve.svg; needs matplotlib.", show_default=False)
    ] = None,
    extra: Annotated[
        str | None,
        typer.Option(help="JSON object of fields merged into each request; null removes one.", show_default=False),
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Seconds for one request.")] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure what a reader behind an endpoint reads of our own pages, by the size of their cells.

    Sends sample pages, one after the other, and writes the profile as a table for `foxing.toml`. The setting
    `reader_api_key` is the key of the endpoint. Each answer is kept in a journal, so that a run that was interrupted
    resumes and pays for nothing twice.
    """
    try:
        from foxing.encoder.reader_curve.curve import Prices, ReaderCurve
        from foxing.encoder.reader_curve.journal import Journal
        from foxing.encoder.reader_curve.profile import measured_reader, profile_table
        from foxing.encoder.reader_curve.sample_pages import CELLS, sample_pages

        from . import calibration
    except ImportError as error:
        raise InvalidInput(f"calibrate needs httpx ({error}); pip install 'foxing[remote]'") from error

    state = state_of(context)
    if plot is not None:
        calibration.check_plot(plot)
    refuse_stream("--journal", journal)
    refuse_stream("--plot", plot)
    known = calibration.reader_to_measure(state, base or reader, given=base is not None)
    chosen: Any = api.value if api is not None else "anthropic" if known.provider == "anthropic" else "openai"
    name = calibration.file_name(reader)
    output = calibration.free_output(output or Path(f"{name}.toml"), dry_run)
    fields = calibration.extra_fields(extra)
    prices = Prices(
        known.prompt_price or 0.0 if prompt_price is None else prompt_price,
        known.completion_price or 0.0 if completion_price is None else completion_price,
    )
    options = {"url": url, "model": model, "timeout_s": timeout_s, "page_timeout_s": 4 * timeout_s, "concurrency": 1}
    endpoint = calibration.endpoint_of(options, chosen, state.settings().reader_api_key)
    asked = {"reader": reader, "model": model, "url": endpoint.url, "api": chosen}
    cells = [calibration.cell_size(each) for each in cell] if cell else list(CELLS)
    curve = ReaderCurve(
        sample_pages(known, sorted(set(cells)), pages, rows),
        Journal(journal or Path(f"{name}.journal"), asked),
        prices,
    )
    announced, announcement = calibration.announced_costs(curve, known), calibration.announcement(curve, known)
    if dry_run:
        state.answer(announced, lambda console: console.print(announcement))
        return
    state.error_console.print(announcement)
    spent = calibration.ask_pages(state, curve, endpoint, chosen, fields)
    results = curve.results()
    profile = measured_reader(
        known,
        reader,
        [row.type for row in results],
        datetime.now(UTC).date(),
        f"foxing calibrate: {model} at {endpoint.url}, {pages} pages for each size",
    )
    with output_file(output) as file:
        file.write(profile_table(profile).encode())
    if plot is not None:
        calibration.plot_curve(results, reader, plot)
    if is_stream(output):
        calibration.show_curve(state.error_console, results)
        return
    legible = profile.legible
    answer = {
        "reader": reader,
        "announced": announced,
        "spent": asdict(spent),
        "curve": calibration.curve_rows(results),
        "legible": None if legible is None else [legible.width_px, legible.height_px],
        "profile": str(output),
    }

    def show(console: Console) -> None:
        calibration.show_curve(console, results)
        size = "no size" if legible is None else f"{legible.width_px} × {legible.height_px} px and more"
        console.print(
            f"{printable(reader)} reads {size}; spent {calibration.in_words(spent)}. The profile is in "
            f"{printable(str(output))}; put it into foxing.toml"
        )

    state.answer(answer, show)
