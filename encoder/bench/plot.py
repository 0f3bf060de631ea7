"""Plots of accuracy against bytes per page, as PNG or SVG. They need the extra `bench`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from math import ceil
from pathlib import Path
from typing import Any, Literal

from foxing.encoder.errors import CodecError

from .baselines import BaselineRow
from .rows import BenchRow
from .word_classes import WordClass

#: Group → name in plots and tables. A star marks languages that the native codec was not trained on.
NAMES = {
    "locomo": "English chats (LoCoMo)",
    "en_irc": "English chat rooms (IRC)",
    "en_sgd": "English dialogues (SGD)",
    "en_aider": "coding chats (aider)",
    "en_tau_retail": "tool dialogues (tau retail)",
    "en_swe_agent": "agent runs (SWE-agent)",
    "de_gesetze": "German law",
    "ko_nsmc": "Korean reviews",
    "ko_songys": "Korean chats",
    "ja_real_persona_chat": "Japanese chats",
    "zh_kdconv": "Chinese dialogues",
    "de_tldr": "German manual pages",
    "fr_tldr": "French manual pages",
    "ru_tldr": "Russian manual pages",
    "ko_tldr": "Korean manual pages",
    "ja_tldr": "Japanese manual pages",
    "zh_tldr": "Chinese manual pages",
    "es_tldr": "Spanish manual pages *",
    "pl_tldr": "Polish manual pages *",
    "tr_tldr": "Turkish manual pages *",
    "uk_tldr": "Ukrainian manual pages *",
    "el_tldr": "Greek manual pages *",
    "en": "English",
    "ko": "Korean",
    "ja": "Japanese",
    "zh": "Chinese",
    "de": "German",
    "fr": "French",
    "ru": "Russian",
    "identifiers": "hex, UUIDs, digits",
}
#: Lower end of the logarithmic scale of errors: one character in 100,000; no errors are drawn there as well.
MIN_ERROR = 1e-5
_ERROR_TICKS = {0.5: "50 %", 0.1: "90 %", 0.01: "99 %", 0.001: "99.9 %", 1e-4: "99.99 %", MIN_ERROR: "≥ 99.999 %"}
_COMPRESSOR_MARKER = "D"
_COMPRESSOR_LINES: Mapping[str, Literal["--", ":"]] = {"zstd -19": "--", "PPMd": ":"}
_BASELINE_MARKERS = ("x", "+", "1", "2")
_PANEL_COLUMNS = 3
_PANEL_INCHES = (3.4, 2.7)
_LEGEND_COLUMNS = 3  # below each column of panels
#: Word class → name and line style. Classes that fading should keep have solid lines.
_CLASS_STYLES: Mapping[WordClass, tuple[str, str]] = {
    WordClass.NAME: ("names", "C0-"),
    WordClass.NUMBER: ("numbers", "C1-"),
    WordClass.DATE: ("dates", "C2-"),
    WordClass.NEGATION: ("negations", "C3-"),
    WordClass.RARE: ("rare words", "C4-"),
    WordClass.CONTENT: ("other content words", "C5--"),
    WordClass.COMMON: ("common words", "C7:"),
}
_POINT_SIZES = range(12, 3, -2)  # sharpest tier first, so that overlapping points stay visible


@dataclass(frozen=True)
class _Marks:
    """Markers of the plots."""

    #: Tier → colour and size of its points.
    tiers: Mapping[str, Mapping[str, Any]]
    #: Baseline engine → marker.
    engines: Mapping[str, str]


def plot_curve(rows: Sequence[BenchRow], path: Path, baselines: Sequence[BaselineRow] = ()) -> None:
    """Plots the share of a page's characters that are kept and read right against the bytes of a page.

    The panel of each group has a line over the tiers on clean images, vertical lines at the bytes of the lossless
    compressors zstd -19 and PPMd, and baselines at the bytes of the PNG that they read. The suffix of `path` determines
    the format. Raises `CodecError` if matplotlib is not installed, or for an unknown suffix."""
    clean = _by_group(rows)
    marks = _marks(list(chain.from_iterable(clean.values())), baselines)
    panels = _panels(clean)
    for axes, (group, members) in zip(panels.flat, clean.items(), strict=False):
        _draw_tiers(axes, members, marks)
        _draw_baselines(axes, [row for row in baselines if row.language == group], marks)
    _scale_errors(panels[0, 0])
    _label(panels, len(clean), "characters read right")
    _save(panels, _legend(marks), path)


def plot_classes(rows: Sequence[BenchRow], path: Path) -> None:
    """Plots the share of the words of each class that are read right against the bytes of a page.

    The panel of each group has a line over the tiers on clean images for each word class of the group. The suffix of
    `path` determines the format. Raises `CodecError` if matplotlib is not installed, or for an unknown suffix."""
    groups = _by_group(rows)
    panels = _panels(groups)
    drawn: dict[str, Any] = {}
    for axes, members in zip(panels.flat, groups.values(), strict=False):
        for kind, (name, style) in _CLASS_STYLES.items():
            places = [(row.bytes_per_page, getattr(row, kind)) for row in members if getattr(row, kind) is not None]
            if places:
                (drawn[name],) = axes.plot(*zip(*places, strict=True), style, marker=".", linewidth=1.2, label=name)
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylim(-0.03, 1.03)
    panels[0, 0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _label(panels, len(groups), "words read right")
    _save(panels, [drawn[name] for name, _ in _CLASS_STYLES.values() if name in drawn], path)


def _by_group(rows: Sequence[BenchRow]) -> dict[str, list[BenchRow]]:
    """Returns group → rows on clean images, drawn from the originals."""
    groups: dict[str, list[BenchRow]] = {}
    for row in rows:
        if row.condition == "clean" and row.path == "direct":
            groups.setdefault(row.language, []).append(row)
    return groups


def _panels(groups: Mapping[str, Sequence[BenchRow]]) -> Any:
    """Returns Axes[lines, columns] of a new figure, one titled panel per group."""
    columns = min(_PANEL_COLUMNS, len(groups))
    lines = ceil(len(groups) / columns)
    size = (_PANEL_INCHES[0] * columns + 0.9, _PANEL_INCHES[1] * lines + 0.9)
    _, panels = _pyplot().subplots(
        lines, columns, figsize=size, dpi=120, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for axes, group in zip(panels.flat, groups, strict=False):
        axes.set_title(NAMES.get(group, group), fontsize=9)
    for axes in list(panels.flat)[len(groups) :]:
        axes.set_visible(False)
    return panels


def _marks(rows: Sequence[BenchRow], baselines: Sequence[BaselineRow]) -> _Marks:
    tiers = dict.fromkeys(row.tier for row in rows)
    engines = dict.fromkeys(row.engine for row in baselines)
    return _Marks(
        {
            tier: {"color": f"C{number}", "markersize": size}
            for number, (tier, size) in enumerate(zip(tiers, chain(_POINT_SIZES, repeat(4)), strict=False))
        },
        dict(zip(engines, _BASELINE_MARKERS, strict=False)),
    )


def _draw_tiers(axes: Any, rows: Sequence[BenchRow], marks: _Marks) -> None:
    """Draws the codec and the text compressors on one group."""
    places = [(row.bytes_per_page, _error(row.character_accuracy)) for row in rows]
    axes.plot([x for x, _ in places], [y for _, y in places], "-", color="0.5", linewidth=1.2)
    for row, (x, y) in zip(rows, places, strict=True):
        axes.plot(x, y, "o", **marks.tiers[row.tier])
    rates = (rows[0].zstd_bits_per_character, rows[0].ppmd_bits_per_character)
    for bits, style in zip(rates, _COMPRESSOR_LINES.values(), strict=True):
        if bits is not None:
            x = bits * rows[0].characters / 8 / rows[0].pages
            axes.axvline(x, color="0.3", linestyle=style, linewidth=1)
            axes.plot(x, MIN_ERROR, _COMPRESSOR_MARKER, color="0.3", markersize=5)
    axes.grid(alpha=0.3)


def _draw_baselines(axes: Any, rows: Sequence[BaselineRow], marks: _Marks) -> None:
    for row in rows:
        colour = marks.tiers[row.tier]["color"] if row.tier in marks.tiers else "0.2"
        axes.plot(row.bytes_per_page, _error(row.accuracy), marks.engines[row.engine], color=colour, markersize=7)


def _error(share: float) -> float:
    return max(1 - share, MIN_ERROR)


def _scale_errors(axes: Any) -> None:
    """Sets a logarithmic, inverted scale of errors."""
    axes.set_yscale("log")
    axes.set_ylim(0.95, MIN_ERROR * 0.6)
    axes.set_yticks(list(_ERROR_TICKS), list(_ERROR_TICKS.values()))


def _label(panels: Any, groups: int, measured: str) -> None:
    """Scales the x axis and labels the axes, which all panels share. `measured`: label of the y axis."""
    from matplotlib.ticker import LogLocator

    first = panels[0, 0]
    first.set_xscale("log")
    first.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    first.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    first.minorticks_off()
    for axes in panels.flat:
        axes.tick_params(labelsize=8)
    for axes in panels[:, 0]:
        axes.set_ylabel(measured, fontsize=8)
    for axes in list(panels.flat)[max(0, groups - panels.shape[1]) : groups]:  # the lowest panel of each column
        axes.set_xlabel("bytes per page", fontsize=8)
        axes.tick_params(labelbottom=True)


def _legend(marks: _Marks) -> list[Any]:
    from matplotlib.lines import Line2D

    tiers = [Line2D([], [], marker="o", linestyle="", label=tier, **mark) for tier, mark in marks.tiers.items()]
    compressors = [
        Line2D([], [], color="0.3", linestyle=style, marker=_COMPRESSOR_MARKER, markersize=5, label=name)
        for name, style in _COMPRESSOR_LINES.items()
    ]
    engines = [
        Line2D([], [], color="0.2", marker=m, linestyle="", label=f"{engine} of a PNG")
        for engine, m in marks.engines.items()
    ]
    return [*tiers, *compressors, *engines]


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CodecError("drawing curves needs matplotlib; pip install 'foxing[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(panels: Any, legend: Sequence[Any], path: Path) -> None:
    """Writes the figure of `panels` with a legend below them."""
    figure, pyplot = panels[0, 0].figure, _pyplot()
    columns = _LEGEND_COLUMNS * panels.shape[1]
    figure.legend(handles=legend, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(path)
    except ValueError as error:  # an unknown suffix
        raise CodecError(f"{path.name} cannot be drawn: {error}") from error
    finally:
        pyplot.close(figure)
