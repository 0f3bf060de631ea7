"""Plots of accuracy against compression and against bits per character, as PNG or SVG. Needs the extra `bench`."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from foxing.encoder.errors import CodecError

from .baselines import BaselineRow
from .rows import BenchRow

#: Published results: (text tokens ÷ vision tokens, accuracy). DeepSeek-OCR on the English pages of Fox with 64 and 100
#: tokens of 2,560 bytes (arXiv 2510.18234, table 2); C3, text latents, not optical (arXiv 2511.15244).
PUBLISHED: dict[str, tuple[tuple[float, float], ...]] = {
    "DeepSeek-OCR, 64 tokens": (
        (10.5, 0.965),
        (11.8, 0.938),
        (13.2, 0.838),
        (15.1, 0.859),
        (16.5, 0.793),
        (17.7, 0.764),
        (19.7, 0.591),
    ),
    "DeepSeek-OCR, 100 tokens": (
        (6.7, 0.985),
        (7.5, 0.973),
        (8.5, 0.968),
        (9.7, 0.968),
        (10.6, 0.915),
        (11.3, 0.898),
        (12.6, 0.871),
    ),
    "C3 (not optical)": ((20.0, 0.984), (40.0, 0.933)),
}
#: Group → its name in plots and tables.
NAMES = {
    "en": "English dialogue",
    "agent": "agent traces",
    "ko": "Korean",
    "ja": "Japanese",
    "zh": "Chinese",
    "de": "German",
    "fr": "French",
    "ru": "Russian",
    "identifiers": "hex, UUIDs, digits",
}
#: Errors are drawn on a logarithmic scale down to one character in 100,000, which also stands for none.
LEAST_ERROR = 1e-5
_ERROR_TICKS = {0.5: "50 %", 0.1: "90 %", 0.01: "99 %", 0.001: "99.9 %", 1e-4: "99.99 %", LEAST_ERROR: "≥ 99.999 %"}
_BASELINE_MARKERS = ("x", "+", "1", "2")
_PANEL_COLUMNS = 3


def plot_curve(rows: Sequence[BenchRow], path: Path, baselines: Sequence[BaselineRow] = ()) -> None:
    """Draws accuracy against compression: the codec on clean images, baselines on the same images, and published
    results. The suffix of `path` decides the format. Raises `CodecError` without matplotlib."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(9, 5.5), dpi=120)
    _draw_published(axes)
    _draw_baselines(axes, baselines)
    _draw_groups(axes, [row for row in _clean_rows(rows) if row.default_size])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}×")
    axes.set_xlabel("text tokens ÷ vision tokens (Foxing's token: at most 256 bytes; DeepSeek-OCR's: 2,560 bytes)")
    _accuracy_axis(axes)
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 1.0), fontsize=7)
    _save(figure, path, pyplot)


def plot_rates(rows: Sequence[BenchRow], path: Path) -> None:
    """Draws accuracy against bits per character: a panel for each group, a line for each tier over its token sizes, the
    default size filled; dashed, the rate of zstd -19. Raises `CodecError` without matplotlib."""
    pyplot = _pyplot()
    clean = _clean_rows(rows)
    languages = list(dict.fromkeys(row.language for row in clean))
    columns = min(_PANEL_COLUMNS, len(languages))
    lines = ceil(len(languages) / columns)
    figure, panels = pyplot.subplots(
        lines, columns, figsize=(3.4 * columns + 1, 2.8 * lines + 0.6), dpi=120, sharey=True, squeeze=False
    )
    tiers = list(dict.fromkeys(row.tier for row in clean))
    for axes, language in zip(panels.flat, languages, strict=False):
        _draw_rates(axes, [row for row in clean if row.language == language], tiers)
        axes.set_title(NAMES.get(language, language), fontsize=9)
        axes.set_xlabel("bits per character", fontsize=8)
        _accuracy_axis(axes, label=axes in panels[:, 0])
    for axes in list(panels.flat)[len(languages) :]:
        axes.set_visible(False)
    panels[0, 0].legend(fontsize=7)
    _save(figure, path, pyplot)


def _draw_published(axes: Any) -> None:
    for name, points in PUBLISHED.items():
        errors = [_error(accuracy) for _, accuracy in points]
        axes.plot([ratio for ratio, _ in points], errors, "o--", color="0.65", markersize=4, linewidth=1)
        last = (points[-1][0], errors[-1])
        axes.annotate(name, last, textcoords="offset points", xytext=(6, -8), fontsize=7, color="0.4")


def _draw_baselines(axes: Any, baselines: Sequence[BaselineRow]) -> None:
    for engine, marker in zip(dict.fromkeys(row.engine for row in baselines), _BASELINE_MARKERS, strict=False):
        points = [row for row in baselines if row.engine == engine]
        errors = [_error(row.accuracy) for row in points]
        axes.plot([row.compression for row in points], errors, marker, color="0.2", markersize=7, label=engine)


def _draw_groups(axes: Any, rows: Sequence[BenchRow]) -> None:
    """A line for each group over the tiers, which are named on the first line."""
    for number, language in enumerate(dict.fromkeys(row.language for row in rows)):
        points = [row for row in rows if row.language == language]
        errors = [_error(row.accuracy) for row in points]
        label = f"Foxing, {NAMES.get(language, language)}"
        axes.plot([row.compression for row in points], errors, "o-", markersize=4, linewidth=1.3, label=label)
        for row in points if number == 0 else ():
            point = (row.compression, _error(row.accuracy))
            axes.annotate(row.tier, point, textcoords="offset points", xytext=(0, 6), fontsize=7, ha="center")


def _draw_rates(axes: Any, rows: Sequence[BenchRow], tiers: Sequence[str]) -> None:
    """One panel: the rows of one group."""
    for number, tier in enumerate(tiers):
        line = sorted((row for row in rows if row.tier == tier), key=lambda row: row.bytes_per_token)
        bits, errors = [row.bits_per_character for row in line], [_error(row.accuracy) for row in line]
        axes.plot(bits, errors, "o-", color=f"C{number}", markerfacecolor="white", markersize=4, label=tier)
        for row in line:
            if row.default_size:
                axes.plot(row.bits_per_character, _error(row.accuracy), "o", color=f"C{number}", markersize=4)
    axes.axvline(rows[0].zstd_bits_per_character, color="0.5", linestyle="--", linewidth=1)


def _clean_rows(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """The rows of undegraded images of the original text."""
    return [row for row in rows if row.condition == "clean" and row.path == "direct"]


def _error(accuracy: float) -> float:
    return max(1 - accuracy, LEAST_ERROR)


def _accuracy_axis(axes: Any, label: bool = True) -> None:
    axes.set_yscale("log")
    axes.set_ylim(0.9, LEAST_ERROR * 0.7)  # inverted: fewer errors are higher up
    axes.set_yticks(list(_ERROR_TICKS), list(_ERROR_TICKS.values()), fontsize=8)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if label:
        axes.set_ylabel("accuracy: 1 − Levenshtein ÷ length", fontsize=8)


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CodecError("drawing curves needs matplotlib; pip install 'foxing[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path, pyplot: Any) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(path)
    except ValueError as error:  # an unknown suffix
        raise CodecError(f"{path.name} cannot be drawn: {error}") from error
    finally:
        pyplot.close(figure)
