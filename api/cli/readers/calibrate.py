"""`calibrate`: measure what a reader behind an endpoint reads of our pages, and write its profile."""

import json
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, State, state_of
from foxing.api.cli.output import printable
from foxing.api.cli.progress import lines
from foxing.api.cli.streams import is_stream, refuse_stream
from foxing.memory.errors import InvalidInput

from .curve import check_plot, curve_rows, plot_curve, show_curve

if TYPE_CHECKING:
    from pydantic import SecretStr

    from foxing.encoder.reader_curve.run import Cost, ReaderCurve
    from foxing.renderer.readers import Reader

_CELL = re.compile(r"(\d{1,3})[x×](\d{1,3})")


_API_NAMES = {"openai": "OpenAI's", "anthropic": "Anthropic's"}


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
    from foxing.encoder.reader_curve.journal import Journal
    from foxing.encoder.reader_curve.pages import CELLS, sample_pages
    from foxing.encoder.reader_curve.run import Prices, ReaderCurve

    state = state_of(context)
    if plot is not None:
        check_plot(plot)
    refuse_stream("--journal", journal)
    refuse_stream("--plot", plot)
    known = _reader(state, base or reader, given=base is not None)
    chosen: Any = api.value if api is not None else "anthropic" if known.provider == "anthropic" else "openai"
    output, fields = _free(output or Path(f"{_file_name(reader)}.toml"), dry_run), _fields(extra)
    prices = Prices(
        known.prompt_price or 0.0 if prompt_price is None else prompt_price,
        known.completion_price or 0.0 if completion_price is None else completion_price,
    )
    options = {"url": url, "model": model, "timeout_s": timeout_s, "page_timeout_s": 4 * timeout_s, "concurrency": 1}
    endpoint = _endpoint(options, chosen, state.settings().reader_api_key)
    asked = {"reader": reader, "model": model, "url": endpoint.url, "api": chosen}
    cells = [_size(each) for each in cell] if cell else list(CELLS)
    calibration = ReaderCurve(
        sample_pages(known, sorted(set(cells)), pages, rows),
        Journal(journal or Path(f"{_file_name(reader)}.journal"), asked),
        prices,
    )
    announced, announcement = _announced(calibration, known), _announcement(calibration, known)
    if dry_run:
        state.answer(announced, lambda console: console.print(announcement))
        return
    state.error_console.print(announcement)
    spent = _run(state, calibration, endpoint, chosen, fields)
    day = datetime.now(UTC).date()
    source = f"foxing calibrate: {model} at {endpoint.url}, {pages} pages for each size"
    profile = _write(output, calibration, known, (reader, day, source))
    if plot is not None:
        plot_curve(calibration.results(), reader, plot)
    if is_stream(output):
        show_curve(state.error_console, calibration.results())
        return
    legible = profile.legible
    answer = {
        "reader": reader,
        "announced": announced,
        "spent": asdict(spent),
        "curve": curve_rows(calibration.results()),
        "legible": None if legible is None else [legible.width_px, legible.height_px],
        "profile": str(output),
    }

    def show(console: Console) -> None:
        show_curve(console, calibration.results())
        size = "no size" if legible is None else f"{legible.width_px} × {legible.height_px} px and more"
        console.print(
            f"{printable(reader)} reads {size}; spent {_in_words(spent)}. The profile is in {printable(str(output))}; "
            "put it into foxing.toml",
        )

    state.answer(answer, show)


def _reader(state: State, name: str, *, given: bool) -> "Reader":
    """The reader whose billing and limits hold. Raises `UnknownReader`, `InvalidInput`."""
    from foxing.renderer.readers import Readers, UnknownReader

    try:
        known = Readers(state.settings().readers)[name]
    except UnknownReader as error:
        advice = "" if given else " A new reader needs the billing and the limits of one of these: give it with --base"
        raise UnknownReader(f"{error}{advice}") from error
    if known.billing is None or known.limits is None:
        raise InvalidInput(f"the reader '{name}' looks at no images; give another with --base")
    return known


def _file_name(reader: str) -> str:
    """The name of the reader as that of a file. Raises `InvalidInput`."""

    if not re.fullmatch(r"[\w.+-]{1,100}", reader) or reader.startswith("."):
        raise InvalidInput("the name of a reader has letters, digits, and . _ + - alone, at most 100")
    return reader


def _size(text: str) -> tuple[int, int]:
    """Width and height of a cell. Raises `InvalidInput`."""

    match = _CELL.fullmatch(text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (4 <= size[0] <= 200 and size[0] <= size[1] <= 400):
        raise InvalidInput(f"a cell is given as 8x16, from 4 px wide and no wider than high, not '{text}'")
    return size


def _fields(extra: str | None) -> dict[str, Any]:
    """The fields to merge into requests. Raises `InvalidInput`."""

    try:
        fields = json.loads(extra or "{}")
    except ValueError as error:
        raise InvalidInput(f"the option 'extra' is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("the option 'extra' is a JSON object, such as '{\"max_tokens\": null}'")
    return fields


def _free(output: Path, dry_run: bool) -> Path:
    """`output`, unless there is a file already, or no folder for it: nothing is paid for before this is known. Raises
    `InvalidInput`."""

    if is_stream(output):
        return output
    if not output.parent.is_dir():
        raise InvalidInput(f"there is no folder {output.parent}; create it, or give another file with --output")
    if output.exists() and not dry_run:
        raise InvalidInput(f"{output} is there already; remove it, or give another file with --output")
    return output


def _endpoint(options: Mapping[str, Any], api: Any, secret: "SecretStr | None") -> Any:
    """The endpoint, with its key. Raises `InvalidInput`, `CodecError`."""
    from pydantic import ValidationError

    from foxing.encoder.errors import CodecError

    try:
        from foxing.encoder.reader_curve.chat import headers
        from foxing.encoder.remote.endpoint import Endpoint
        from foxing.encoder.remote.options import ServerOptions
    except ImportError as error:
        raise CodecError(f"calibrate needs httpx ({error}); pip install 'foxing[remote]'") from error
    key = None if secret is None else secret.get_secret_value() or None
    try:
        return Endpoint(ServerOptions(**options, api_key=key), headers=headers(api, key))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"the option '{'.'.join(map(str, first['loc']))}' is invalid: {first['msg']}") from error


def _announced(calibration: "ReaderCurve", reader: "Reader") -> dict[str, Any]:
    return {
        "pages": len(calibration.pages),
        "answered": len(calibration.pages) - len(calibration.left),
        "expected": asdict(calibration.expected()),
        "most": asdict(calibration.most()),
        "formula": reader.formula,
    }


def _announcement(calibration: "ReaderCurve", reader: "Reader") -> str:
    done = len(calibration.pages) - len(calibration.left)
    known = f", {done:,} of them answered already" if done else ""
    return (
        f"{len(calibration.pages):,} pages{known}; the rest takes about {_in_words(calibration.expected())}, at most "
        f"{_in_words(calibration.most())} (an image: {reader.formula})"
    )


def _in_words(cost: "Cost") -> str:
    price = f" for {cost.price:,.4f}" if cost.price else ""
    return f"{cost.prompt_tokens:,} + {cost.completion_tokens:,} tokens{price}"


def _run(state: State, calibration: "ReaderCurve", endpoint: Any, api: Any, fields: dict[str, Any]) -> "Cost":
    """Asks for the pages that are left, showing what has been spent. Raises what `ReaderCurve.run` raises; where the
    endpoint does not answer as its API does, that says which API was spoken, and how to choose the other."""
    from foxing.encoder.errors import ReadFailed

    console = state.error_console
    present = ""

    def advance(done: int, total: int, spent: "Cost") -> None:
        nonlocal present
        present = f"{done:,} of {total:,} pages, {_in_words(spent)}"
        if console.is_terminal or done == total:
            console.print(present)

    try:
        with lines(console, lambda: present) if not console.is_terminal and state.says_progress else nullcontext():
            return calibration.run(endpoint, api, fields, advance)
    except ReadFailed as error:
        other = "openai" if api == "anthropic" else "anthropic"
        raise ReadFailed(
            f"{error}. It was asked in {_API_NAMES[api]} API; if the endpoint speaks {_API_NAMES[other]}, give --api "
            f"{other}"
        ) from error
    finally:
        endpoint.close()


def _write(output: Path, calibration: "ReaderCurve", known: "Reader", named: tuple[str, Any, str]) -> "Reader":
    """Writes the profile. Returns it. Raises `InvalidInput` if it cannot be written, with what has been measured kept
    in the journal."""
    from foxing.encoder.reader_curve.profile import measured_reader, profile_table

    name, day, source = named
    profile = measured_reader(known, name, [row.type for row in calibration.results()], day, source)
    if is_stream(output):
        sys.stdout.write(profile_table(profile))
        return profile
    try:
        part = output.with_name(f"{output.name}.part")
        part.write_text(profile_table(profile), encoding="utf-8")
        part.replace(output)
    except OSError as error:
        raise InvalidInput(f"the profile cannot be written to {output}: {error}; run it again with --output") from error
    return profile
