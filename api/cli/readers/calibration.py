"""One run of `calibrate`: what it checks before anything is paid for, the pages that it asks for, and the curve."""

import json
import re
from collections.abc import Mapping, Sequence
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
from foxing.encoder.errors import CodecError, ReadFailed
from foxing.encoder.reader_curve.chat import headers
from foxing.encoder.reader_curve.curve import CellResult, Cost, ReaderCurve
from foxing.encoder.remote.endpoint import Endpoint
from foxing.encoder.remote.options import ServerOptions
from foxing.memory.errors import InvalidInput
from foxing.renderer.readers import Reader, Readers, UnknownReader

_CELL = re.compile(r"(\d{1,3})[x×](\d{1,3})")

#: Of the bar of a curve on a terminal.
BAR_CHARS = 24
_API_NAMES = {"openai": "OpenAI's", "anthropic": "Anthropic's"}


def reader_to_measure(state: State, name: str, *, given: bool) -> Reader:
    """The reader whose billing and limits hold. Raises `UnknownReader`, `InvalidInput`."""
    try:
        known = Readers(state.settings().readers)[name]
    except UnknownReader as error:
        advice = "" if given else " A new reader needs the billing and the limits of one of these: give it with --base"
        raise UnknownReader(f"{error}{advice}") from error
    if known.billing is None or known.limits is None:
        raise InvalidInput(f"the reader '{name}' looks at no images; give another with --base")
    return known


def file_name(reader: str) -> str:
    """The name of the reader as that of a file. Raises `InvalidInput`."""
    if not re.fullmatch(r"[\w.+-]{1,100}", reader) or reader.startswith("."):
        raise InvalidInput("the name of a reader has letters, digits, and . _ + - alone, at most 100")
    return reader


def cell_size(text: str) -> tuple[int, int]:
    """Width and height of a cell. Raises `InvalidInput`."""
    match = _CELL.fullmatch(text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (4 <= size[0] <= 200 and size[0] <= size[1] <= 400):
        raise InvalidInput(f"a cell is given as 8x16, from 4 px wide and no wider than high, not '{text}'")
    return size


def extra_fields(extra: str | None) -> dict[str, Any]:
    """The fields to merge into requests. Raises `InvalidInput`."""
    try:
        fields = json.loads(extra or "{}")
    except ValueError as error:
        raise InvalidInput(f"the option 'extra' is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("the option 'extra' is a JSON object, such as '{\"max_tokens\": null}'")
    return fields


def free_output(output: Path, dry_run: bool) -> Path:
    """`output`, unless there is a file already, or no folder for it: nothing is paid for before this is known. Raises
    `InvalidInput`."""
    if is_stream(output):
        return output
    if not output.parent.is_dir():
        raise InvalidInput(f"there is no folder {output.parent}; create it, or give another file with --output")
    if output.exists() and not dry_run:
        raise InvalidInput(f"{output} is there already; remove it, or give another file with --output")
    return output


def endpoint_of(options: Mapping[str, Any], api: Any, secret: SecretStr | None) -> Any:
    """The endpoint, with its key. Raises `InvalidInput`, `CodecError`."""
    key = plain_text(secret)
    try:
        return Endpoint(ServerOptions(**options, api_key=key), headers=headers(api, key))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"the option '{'.'.join(map(str, first['loc']))}' is invalid: {first['msg']}") from error


def announced_costs(calibration: ReaderCurve, reader: Reader) -> dict[str, Any]:
    return {
        "pages": len(calibration.pages),
        "answered": len(calibration.pages) - len(calibration.pending),
        "expected": asdict(calibration.expected_cost()),
        "most": asdict(calibration.max_cost()),
        "formula": reader.formula,
    }


def announcement(calibration: ReaderCurve, reader: Reader) -> str:
    done = len(calibration.pages) - len(calibration.pending)
    known = f", {done:,} of them answered already" if done else ""
    return (
        f"{len(calibration.pages):,} pages{known}; the rest takes about "
        f"{in_words(calibration.expected_cost())}, at most {in_words(calibration.max_cost())} (an image: "
        f"{reader.formula})"
    )


def in_words(cost: Cost) -> str:
    price = f" for {cost.price:,.4f}" if cost.price else ""
    return f"{cost.prompt_tokens:,} + {cost.completion_tokens:,} tokens{price}"


def ask_pages(state: State, calibration: ReaderCurve, endpoint: Any, api: Any, fields: dict[str, Any]) -> Cost:
    """Asks for the pages that are left, showing what has been spent. Raises what `ReaderCurve.run` raises; where the
    endpoint does not answer as its API does, that says which API was spoken, and how to choose the other."""
    console = state.error_console
    present = ""

    def advance(done: int, total: int, spent: Cost) -> None:
        nonlocal present
        present = f"{done:,} of {total:,} pages, {in_words(spent)}"
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


def curve_rows(results: Sequence[CellResult]) -> list[dict[str, Any]]:
    """The results as JSON."""
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
    """A line for each size, with a bar for the share of sentences that were read exactly."""
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


def check_plot(path: Path) -> None:
    """Raises `CodecError` if a curve cannot be drawn into `path`: without matplotlib, or a suffix that it knows."""
    _pyplot()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    suffixes = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path.suffix.lower().lstrip(".") not in suffixes:
        raise CodecError(f"the curve cannot be drawn to {path}; its suffix is one of {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise CodecError(f"the curve cannot be drawn to {path}; there is no such folder")


def _pyplot() -> Any:
    """Matplotlib, which draws into files alone. Raises `CodecError` without it."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CodecError("drawing the curve needs matplotlib; pip install 'foxing[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def plot_curve(results: Sequence[CellResult], reader: str, path: Path) -> None:
    """Draws the curve into `path`, whose suffix decides the format. Raises `CodecError` without matplotlib and for a
    file that cannot be written."""
    plt = _pyplot()
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    heights = [row.cell.height_px for row in results]
    axis.plot(heights, [row.score.exact for row in results], "o-", label="sentences read exactly")
    axis.plot(heights, [row.score.identifiers_exact for row in results], "s--", label="identifiers read exactly")
    axis.plot(heights, [row.score.silent for row in results], "x:", label="silent errors for each character")
    axis.set_xlabel("height of a cell, px")
    axis.set_ylim(-0.03, 1.03)
    axis.set_title(reader)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    try:
        figure.savefig(path)
    except (ValueError, OSError) as error:
        raise CodecError(f"the curve cannot be drawn to {path}: {error}") from error
    finally:
        plt.close(figure)
