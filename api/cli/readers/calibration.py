"""One run of `calibrate`: checks before the first paid request, the requests for pages, and the resulting curve."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from rich.console import Console

from foxing.api.cli.context import State
from foxing.api.cli.output import table
from foxing.api.cli.progress import lines
from foxing.api.cli.streams import is_stream
from foxing.api.settings.model import plain_text
from foxing.encoder import ReadFailed, ServerOptions
from foxing.encoder.reader_curve.chat import ChatAnswer, headers
from foxing.encoder.reader_curve.curve import CellResult, Cost, ReaderCurve, asking
from foxing.encoder.reader_curve.sample_pages import SamplePage
from foxing.encoder.remote.endpoint import Endpoint
from foxing.memory import InvalidInput, UnknownReader
from foxing.renderer import Readers
from foxing.renderer.readers import Reader

_CELL = re.compile(r"(\d{1,3})[x×](\d{1,3})")

#: Length of a full bar of the curve.
BAR_CHARS = 24
_API_NAMES = {"openai": "OpenAI", "anthropic": "Anthropic"}


def reader_to_measure(state: State, name: str, *, given: bool) -> Reader:
    """Returns the reader to copy billing and limits from. `given`: True if `name` is the value of --base. Raises
    `UnknownReader`, and `InvalidInput` for a reader without images."""
    try:
        profile = Readers(state.settings().readers)[name]
    except UnknownReader as error:
        advice = "" if given else " For a new reader, name one of these with --base to copy its billing and limits"
        raise UnknownReader(f"{error}{advice}") from error
    if profile.billing is None or profile.limits is None:
        raise InvalidInput(f"the reader '{name}' does not accept images; name another with --base")
    return profile


def file_name(reader: str) -> str:
    """Returns the name of the reader if it can be a file name. Raises `InvalidInput` otherwise."""
    if not re.fullmatch(r"[\w.+-]{1,100}", reader) or reader.startswith("."):
        raise InvalidInput("the name of a reader has 1 to 100 letters, digits and . _ + -, and does not start with .")
    return reader


def cell_size(text: str) -> tuple[int, int]:
    """Returns the width and height of a cell in pixels. Raises `InvalidInput`."""
    match = _CELL.fullmatch(text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (4 <= size[0] <= 200 and size[0] <= size[1] <= 400):
        raise InvalidInput(
            f"'{text}' is not a cell size; write it like 8x16, at least 4 px wide and at most as wide as high"
        )
    return size


def extra_fields(extra: str | None) -> dict[str, Any]:
    """Returns the fields to merge into each request. Raises `InvalidInput`."""
    try:
        fields = json.loads(extra or "{}")
    except ValueError as error:
        raise InvalidInput(f"the option 'extra' is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("the option 'extra' must be a JSON object, such as '{\"max_tokens\": null}'")
    return fields


def free_output(output: Path, dry_run: bool) -> Path:
    """Returns `output`. Raises `InvalidInput` if the file already exists or its folder does not, before any request is
    paid for."""
    if is_stream(output):
        return output
    if not output.parent.is_dir():
        raise InvalidInput(f"the folder {output.parent} does not exist; create it, or choose another --output")
    if output.exists() and not dry_run:
        raise InvalidInput(f"{output} already exists; remove it, or choose another --output")
    return output


def endpoint_of(options: Mapping[str, Any], api: Any, secret: SecretStr | None) -> Any:
    """Returns the endpoint, with its API key. Raises `InvalidInput`, `CodecError`."""
    key = plain_text(secret)
    try:
        return Endpoint(ServerOptions(**options, api_key=key), headers=headers(api, key))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"the option '{'.'.join(map(str, first['loc']))}' is invalid: {first['msg']}") from error


def cost_estimate(calibration: ReaderCurve, reader: Reader) -> dict[str, Any]:
    """Returns the number of pages and the expected and maximum cost, as JSON."""
    return {
        "pages": len(calibration.pages),
        "answered": len(calibration.pages) - len(calibration.pending),
        "expected": asdict(calibration.expected_cost()),
        "maximum": asdict(calibration.max_cost()),
        "formula": reader.formula,
    }


def estimate_text(calibration: ReaderCurve, reader: Reader) -> str:
    """Returns the number of pages and the expected and maximum cost, as a sentence."""
    done = len(calibration.pages) - len(calibration.pending)
    note = f", {done:,} of them already answered" if done else ""
    return (
        f"{len(calibration.pages):,} pages{note}; expected cost "
        f"{in_words(calibration.expected_cost())}, at most {in_words(calibration.max_cost())} (an image: "
        f"{reader.formula})"
    )


def in_words(cost: Cost) -> str:
    """Returns a cost as text: prompt and completion tokens, and the price if it is known."""
    price = f" for {cost.price:,.4f}" if cost.price else ""
    return f"{cost.prompt_tokens:,} + {cost.completion_tokens:,} tokens{price}"


def ask_pages(state: State, calibration: ReaderCurve, endpoint: Any, api: Any, fields: dict[str, Any]) -> Cost:
    """Sends the remaining pages, showing the cost so far, and returns the total cost. Raises the errors of
    `ReaderCurve.run`; the message of a `ReadFailed` names the API in use and how to choose the other one."""
    try:
        return _run(state, calibration, asking(endpoint, api, fields))
    except ReadFailed as error:
        other = "openai" if api == "anthropic" else "anthropic"
        raise ReadFailed(
            f"{error}. The request used the {_API_NAMES[api]} API; if the endpoint has the {_API_NAMES[other]} API, "
            f"give --api {other}"
        ) from error
    finally:
        endpoint.close()


def _run(state: State, calibration: ReaderCurve, ask: Callable[[SamplePage], ChatAnswer]) -> Cost:
    """Asks for the remaining pages, showing how many are done and the cost so far, and returns the total cost."""
    console = state.error_console
    present = ""

    def advance(done: int, total: int, spent: Cost) -> None:
        nonlocal present
        present = f"{done:,} of {total:,} pages, {in_words(spent)}"
        if console.is_terminal or done == total:
            console.print(present)

    with lines(console, lambda: present) if not console.is_terminal and state.shows_progress else nullcontext():
        return calibration.run(ask, advance)


def curve_rows(results: Sequence[CellResult]) -> list[dict[str, Any]]:
    """Returns the results as JSON."""
    return [
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
        for row in results
    ]


def show_curve(console: Console, results: Sequence[CellResult]) -> None:
    """Prints a line per cell size, with a bar for the share of sentences that were read exactly."""
    columns = "cell, sentences read exactly, >exact, >identifiers, >silent errors, >tokens, >reported, >as text"
    rows = [
        (
            *(f"{row.cell.width_px} × {row.cell.height_px} px", "█" * round(row.score.exact * BAR_CHARS)),
            *(f"{row.score.exact:.1%}", f"{row.score.identifiers_exact:.1%}", f"{row.score.silent:.2%}"),
            *(round(row.formula_tokens), None if row.reported_tokens is None else round(row.reported_tokens)),
            round(row.text_tokens),
        )
        for row in results
    ]
    console.print(table(columns, rows))
