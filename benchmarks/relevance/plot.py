"""Reliability plot of `benchmarks.relevance`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Embedder → label and colour of its line.
_STYLES = {"use": ("words and embeddings", "tab:red"), "none": ("words alone", "tab:blue")}


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the share of evidence by relevance into `path`, in the format of its suffix. The area of a point grows with
    its number of spans."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axis.plot((0, 1), (0, 1), ":", color="tab:gray", label="perfectly calibrated")
    for row in rows:
        label, colour = _STYLES.get(row["embedder"], (row["embedder"], "tab:green"))
        said, held = [each["relevance"] for each in row["bins"]], [each["evidence"] for each in row["bins"]]
        axis.plot(said, held, "-", color=colour, label=f"{label} (error {row['calibration_error']:.3f})")
        axis.scatter(said, held, s=[4 + each["spans"] ** 0.5 for each in row["bins"]], color=colour)
    axis.set_xlabel("relevance of a span")
    axis.set_ylabel("share of such spans that are evidence")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left")
    figure.savefig(path)
    plt.close(figure)
