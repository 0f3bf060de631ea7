"""The curve of a reader: what it reads by the size of cells, as a table or a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.encoder.reader_curve.curve import CellResult

BAR_CHARS = 24


def curve_rows(results: "Sequence[CellResult]") -> list[dict[str, Any]]:
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


def show_curve(console: Console, results: "Sequence[CellResult]") -> None:
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
    from foxing.encoder.errors import CodecError

    _pyplot()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    suffixes = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path.suffix.lower().lstrip(".") not in suffixes:
        raise CodecError(f"the curve cannot be drawn to {path}; its suffix is one of {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise CodecError(f"the curve cannot be drawn to {path}; there is no such folder")


def _pyplot() -> Any:
    """Matplotlib, which draws into files alone. Raises `CodecError` without it."""
    from foxing.encoder.errors import CodecError

    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CodecError("drawing the curve needs matplotlib; pip install 'foxing[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def plot_curve(results: "Sequence[CellResult]", reader: str, path: Path) -> None:
    """Draws the curve into `path`, whose suffix decides the format. Raises `CodecError` without matplotlib and for a
    file that cannot be written."""
    from foxing.encoder.errors import CodecError

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
