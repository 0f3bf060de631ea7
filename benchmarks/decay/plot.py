"""Plot of `benchmarks.decay`: whole answers by age, one panel for each budget."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measurement import DecayRow

#: Memory → label, style and colour of its line; others are drawn in their own.
_STYLES = {
    "foxing": ("Foxing", "-", "tab:red"),
    "newest kept": ("newest text, same bytes", ":", "tab:gray"),
    "random sentences": ("random sentences, same bytes", "--", "tab:gray"),
    "LexRank": ("LexRank summary, same bytes", "--", "tab:blue"),
    "langgraph": ("LangGraph store, full text", ":", "tab:green"),
    "mem0": ("mem0, full text", ":", "tab:purple"),
}


def plot(rows: Sequence[DecayRow], path: Path) -> None:
    """Draws rows of one source into `path`, in the format of its suffix."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    budgets = sorted({int(budget) for row in rows for budget in row.whole})
    figure, axes = plt.subplots(1, len(budgets), figsize=(10, 3.8), sharey=True, squeeze=False, layout="constrained")
    for axis, budget in zip(axes.flat, budgets, strict=True):
        _panel(axis, rows, str(budget))
        axis.set_title(f"within {budget:,} text tokens", fontsize=9)
    axes[0][-1].legend(fontsize=8, loc="lower left")
    figure.supxlabel("days since the last message")
    figure.supylabel("whole answers")
    figure.savefig(path)
    plt.close(figure)


def _panel(axis: Any, rows: Sequence[DecayRow], budget: str) -> None:
    """Draws the line of each memory at one budget."""
    for memory in dict.fromkeys(row.memory for row in rows):
        points = [(row.age_days, row.whole.get(budget)) for row in rows if row.memory == memory]
        drawn = sorted((age, whole) for age, whole in points if whole is not None)
        label, style, colour = _STYLES.get(memory, (memory, "-", None))
        if drawn:
            axis.plot(*zip(*drawn, strict=True), style, color=colour, marker=".", label=label)
    ages = sorted({row.age_days for row in rows})
    axis.set_xscale("log")
    axis.set_xticks(ages, [f"{age:,}" for age in ages])
    axis.minorticks_off()
    axis.set_ylim(0, 1)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
