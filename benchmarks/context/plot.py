"""Plot of `benchmarks.context`: evidence recall against billed tokens, one panel per reader."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Way of showing → label, style and colour of its line.
_STYLES = {
    "text": ("text", "--", "tab:gray"),
    "images": ("page images", ":", "tab:blue"),
    "best": ("best of both", "-", "tab:red"),
    "newest": ("newest that fit", "-.", "tab:olive"),
    "random": ("random page images", ":", "tab:purple"),
}
_COLUMNS = 4


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the rows into `path`, in the format of its suffix. Crosses mark what an OCR engine reads."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    readers = list(dict.fromkeys(row["reader"] for row in rows))
    lines = -(-len(readers) // _COLUMNS)
    figure, axes = plt.subplots(
        lines, _COLUMNS, figsize=(12, 2.6 * lines + 0.5), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(readers) :]:
        axis.axis("off")
    for axis, reader in zip(axes.flat, readers, strict=False):
        _panel(axis, reader, [row for row in rows if row["reader"] == reader and row["billed_tokens"] > 0])
    axes[0][0].legend(fontsize=8)
    figure.supxlabel("billed tokens (mean)")
    figure.supylabel("evidence recall")
    figure.savefig(path)
    plt.close(figure)


def _panel(axis: Any, reader: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws the lines of one reader."""
    for show, (label, style, colour) in _STYLES.items():
        shown = [row for row in rows if row["show"] == show]
        if shown:
            tokens = [row["billed_tokens"] for row in shown]
            axis.plot(tokens, [row["evidence"] for row in shown], style, color=colour, marker=".", label=label)
        read = [(row["billed_tokens"], row["evidence_read"]) for row in shown if row.get("evidence_read") is not None]
        if read and show != "text":
            axis.plot(*zip(*read, strict=True), "x", color=colour, markersize=6)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_title(reader, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
