"""The curve of accuracy against compression, as PNG or SVG. Needs the extra `bench`."""

from collections.abc import Sequence
from pathlib import Path

from .bench import BenchRow
from .errors import CodecError

#: Published elsewhere: (text tokens ÷ vision tokens, accuracy). DeepSeek-OCR on Fox, English pages, 64 and 100 tokens
#: of 2,560 bytes (arXiv 2510.18234, table 2); C3, text latents, not optical (arXiv 2511.15244).
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
NAMES = {"en": "English", "ko": "Korean", "de": "German", "fr": "French", "ru": "Russian", "ja": "Japanese"}


def plot_curve(rows: Sequence[BenchRow], path: Path) -> None:
    """Draws the clean rows of a bench beside what others published. Raises `CodecError` without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CodecError("drawing the curve needs matplotlib; pip install 'foxing[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), dpi=120)
    for name, points in PUBLISHED.items():
        axes.plot(*zip(*points, strict=True), "o--", color="0.65", markersize=4, linewidth=1)
        axes.annotate(name, points[-1], textcoords="offset points", xytext=(6, -2), fontsize=7, color="0.4")
    for language in dict.fromkeys(row.language for row in rows):
        own = [row for row in rows if row.language == language and row.condition == "clean"]
        axes.plot(
            [row.compression for row in own],
            [row.accuracy for row in own],
            "o-",
            label=f"Foxing, {NAMES.get(language, language)}",
        )
        for row in own:
            place = (row.compression, row.accuracy)
            axes.annotate(row.tier, place, textcoords="offset points", xytext=(0, 6), fontsize=7, ha="center")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}×")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("text tokens ÷ vision tokens (Foxing's token: at most 256 bytes; DeepSeek-OCR's: 2,560 bytes)")
    axes.set_ylabel("accuracy: 1 − Levenshtein ÷ length")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
