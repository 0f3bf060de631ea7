"""The plot of `benchmarks.context`: evidence against the budget, a panel for each reader."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STYLES = {"text": ("--", "tab:gray"), "images": (":", "tab:blue"), "best": ("-", "tab:red")}
_COLUMNS = 4


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the rows into `path`, whose suffix decides the format."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    readers = list(dict.fromkeys(row["reader"] for row in rows))
    lines = -(-len(readers) // _COLUMNS)
    figure, axes = plt.subplots(lines, _COLUMNS, figsize=(12, 2.6 * lines), sharey=True, squeeze=False)
    for axis in axes.flat[len(readers) :]:
        axis.axis("off")
    for axis, reader in zip(axes.flat, readers, strict=False):
        for show, (style, colour) in _STYLES.items():
            points = [
                (row["budget"], row["evidence"]) for row in rows if (row["reader"], row["show"]) == (reader, show)
            ]
            if points:
                axis.plot(*zip(*points, strict=True), style, color=colour, marker=".", label=show)
        axis.set_xscale("log", base=2)
        axis.set_title(reader, fontsize=9)
        axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=8)
    figure.supxlabel("budget in billed tokens")
    figure.supylabel("share of the evidence shown")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
