"""Tables of interrupted tasks."""

from collections.abc import Iterable

from benchmarks.resume.measurement import (
    BM25_MESSAGE,
    BM25_THREAD,
    BUDGETS,
    FOXING_THREAD,
    RIGHT_THREAD,
    SAME_BYTES,
    ResumeRow,
)
from benchmarks.resume.phrases import HALVES

from .decay import merged
from .document import Figures
from .markdown import markdown_table

FOXING = "foxing"
#: System → how it is called, in the order of the table.
_SYSTEMS = {
    FOXING: "**Foxing**, one plain recall",
    "bm25": "BM25, messages",
    "embeddings": "the embedder alone",
    "langgraph": "LangGraph's store",
    "mem0": "mem0 without a model",
    BM25_MESSAGE: "BM25 finds a message; newest text of its thread",
    BM25_THREAD: "BM25 finds the thread; its newest text",
    SAME_BYTES: "the same in the newest text that takes Foxing's bytes",
    FOXING_THREAD: "Foxing's first span; newest exact text of its thread",
    RIGHT_THREAD: "the right thread handed over; its newest text",
}
_ALWAYS = 0  # stands for all ages


def resume_table(figures: Figures) -> str:
    """Returns the tasks that each system resumes, by age, alone and padded."""
    rows = figures.resume
    columns = [(pad, half, str(budget)) for pad in _pads(rows) for half in HALVES[::-1] for budget in BUDGETS]
    head = ["memory", "days", *(f"{_alone(pad)}, {half}, {int(budget):,}" for pad, half, budget in columns)]
    lines = []
    for system, name in _SYSTEMS.items():
        by_key = {(row.pad, row.half, row.age_days or _ALWAYS): row.done for row in rows if row.system == system}
        ages = sorted({age for _, _, age in by_key})
        cells = {age: [_share(by_key.get((pad, half, age), {}).get(b)) for pad, half, b in columns] for age in ages}
        lines += [[name, "all" if days == str(_ALWAYS) else days, *shares] for days, *shares in merged(cells)]
    return markdown_table(head, lines)


def resume_wordings_table(figures: Figures) -> str:
    """Returns what Foxing resumes with name and postcode and without."""
    head = ["bank", "half", "days", "returns"]
    head += [f"{kind}, {budget:,}" for kind in ("with name and postcode", "without") for budget in BUDGETS]
    lines = []
    for row in sorted((row for row in figures.resume if row.system == FOXING), key=lambda row: row.pad):
        shares = [_share(done[str(budget)]) for done in (row.done_named, row.done_plain) for budget in BUDGETS]
        lines.append([_alone(row.pad), row.half, str(row.age_days), f"{row.returns}", *shares])
    return markdown_table(head, lines)


def resume_bytes_table(figures: Figures) -> str:
    """Returns the bytes of the banks beside those of their text in zstd."""
    head = ("bank", "half", "days", "messages", "text", "zstd -19 of the whole", "pages, kept text and keepsakes")
    lines = [
        [
            *(_alone(row.pad), row.half, str(row.age_days), f"{row.messages:,}"),
            *(f"{size:,}" for size in (row.text, row.zstd, row.held, row.total)),
            ", ".join(f"{pages} `{tier}`" for tier, pages in row.tiers.items()),
        ]
        for row in sorted(figures.resume_bytes, key=lambda row: row.pad)
    ]
    return markdown_table((*head, "whole bank, with index", "pages by tier"), lines)


def _pads(rows: Iterable[ResumeRow]) -> list[int]:
    return sorted({row.pad for row in rows})


def _alone(pad: int) -> str:
    return f"padded ×{pad}" if pad else "alone"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
