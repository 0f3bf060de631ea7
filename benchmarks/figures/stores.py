"""Tables that compare Foxing with other stores."""

from collections.abc import Iterable

from benchmarks.stores.comparison import Comparison, Ratio
from benchmarks.stores.measurement import BATCH, LIMIT, SINGLE, StoreRow

from .document import Figures
from .markdown import markdown_table

_NAMES = {
    ("foxing", "sqlite"): "**Foxing**, SQLite",
    ("foxing", "postgresql"): "**Foxing**, PostgreSQL",
    ("foxing-langgraph", "sqlite"): "Foxing's store for LangGraph, SQLite",
    ("foxing-langgraph", "postgresql"): "Foxing's store for LangGraph, PostgreSQL",
    ("langgraph", "sqlite"): "LangGraph's `SqliteStore`",
    ("langgraph", "postgresql"): "LangGraph's `PostgresStore`",
    ("mem0", "folder"): "mem0, Qdrant's files",
    ("mem0", "postgresql"): "mem0, pgvector",
    ("chroma", "folder"): "Chroma",
}


def stores_table(figures: Figures) -> str:
    """Returns the table of absolute figures, with notes below."""
    text_bytes, comparison = figures.stores
    head = (
        *("store", "messages/s, one per call", "p50 (p95), ms", f"messages/s, {BATCH} per call", "with sealing"),
        *("recall p50 (p95), ms", "second pass p50, ms", f"evidence recall in {LIMIT} messages"),
        *("bytes per byte of text", "after VACUUM", "empty store, kB", "peak memory, MiB"),
    )
    rows = [_row(row, text_bytes) for row in comparison.stores]
    return "\n\n".join([markdown_table(head, rows), *_notes(comparison)])


def _row(row: StoreRow, text_bytes: int) -> list[str]:
    sealed = f"{row.sealed_per_s:,.0f}" if row.finish_s else "–"
    return [
        f"{_name(row)} {row.version}",
        *(f"{row.single_per_s:,.0f}", f"{row.store_p50_ms:.1f} ({row.store_p95_ms:.1f})"),
        *(f"{row.batched_per_s:,.0f}" if row.batched_per_s else "–", sealed),
        *(f"{row.recall_p50_ms:.1f} ({row.recall_p95_ms:.1f})", f"{row.again_p50_ms:.1f}", f"{row.evidence:.3f}"),
        *(f"{row.bytes / text_bytes:.1f}", f"{row.vacuumed_bytes / text_bytes:.1f}"),
        *(f"{max(0, row.empty_bytes) / 1000:,.0f}", f"{row.peak_mib:,.0f}"),
    ]


def stores_ratios_table(figures: Figures) -> str:
    """Returns the table of ratios to Foxing on the same database."""
    head = (
        *("store", "one per call", f"{BATCH} per call, with sealing", "recall p50", "p95", "second pass p50"),
        *("evidence recall", "bytes", "after VACUUM"),
    )
    rows = [
        [
            _name(row),
            *(f"{value:.2f}×" if value else "–" for value in (row.single, row.batched, row.recall_p50)),
            *(f"{value:.2f}×" for value in (row.recall_p95, row.again_p50, row.evidence)),
            *(f"{value:.2f}×" for value in (row.bytes, row.vacuumed_bytes)),
        ]
        for row in figures.stores[1].ratios
    ]
    return markdown_table(head, rows)


def _name(row: StoreRow | Ratio) -> str:
    return _NAMES.get((row.system, row.database), f"{row.system}, {row.database}")


def _notes(comparison: Comparison) -> Iterable[str]:
    measured = comparison.stores[0]
    yield (
        f"{measured.messages:,} messages, the first {min(SINGLE, measured.messages)} one per call; "
        f"{measured.questions:,} questions."
    )
    yield from (f"`{name}` was not measured: {reason}." for name, reason in comparison.left_out.items())
