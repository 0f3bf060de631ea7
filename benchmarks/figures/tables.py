"""Tables of the documentation, as Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from benchmarks.bank import BankRow
from benchmarks.context.__main__ import ContextRow
from benchmarks.decay.sources import LOCOMO_NAME
from benchmarks.rankings import ALL, OURS
from foxing.encoder.bench import BenchRow, CharacterRow

from .decay import FOXING, decay_facts_table, decay_table, decay_tiers_table, decay_tools_table
from .document import Figures
from .markdown import markdown_table
from .measurements import CHARACTER_TIERS
from .resume import resume_bytes_table, resume_table, resume_wordings_table

#: Tiers with less capacity than most pages need.
FADING_TIERS = ("tiny", "micro")
#: Group → name in tables. A star marks languages that the native codec was not trained on.
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
#: Age and budget of the answers in the README.
YEAR_DAYS, HEADLINE_BUDGET = 365, "2048"


def _accuracy(value: float) -> str:
    """A share with as many digits as it takes to differ from 100 %, rounded down, so that 100 % means no error."""
    return f"{floor(value * 1e5) / 1e3:.3f}%" if value > 0.999 else f"{value:.2%}"


def _group(row: BenchRow | BankRow) -> str:
    return _group_name(row.language)


def _group_name(language: str) -> str:
    return str(NAMES.get(language, language))


_RATES = "bits per character (zstd -19, PPMd)"


def _bits(row: BenchRow) -> str:
    ppmd = "–" if row.ppmd_bits_per_character is None else f"{row.ppmd_bits_per_character:.2f}"
    return f"{row.bits_per_character:.2f} ({row.zstd_bits_per_character:.2f}, {ppmd})"


def codec_table(figures: Figures) -> str:
    """Returns accuracy and size by tier and group."""
    head = (
        *("tier", "text", "kept", "accuracy of kept", "accuracy", "silent errors per 10,000", "invented per million"),
        *(
            "invented words per million",
            "bytes per page",
            _RATES,
            "vision tokens per page",
            "text tokens ÷ vision tokens",
        ),
        *("calibration error", "flagged: of kept / of errors", "encode + decode, ms", "pages"),
    )
    rows = [
        [
            *(f"`{row.tier}`", _group(row), _accuracy(row.kept_share), _accuracy(row.kept_accuracy)),
            *(_accuracy(row.accuracy), f"{row.silent_errors_per_10k:.1f}", f"{row.invented_per_million:,.0f}"),
            *(f"{row.invented_words_per_million:,.0f}", f"{row.bytes_per_page:,.0f}", _bits(row)),
            f"{row.vision_tokens / row.pages:.0f}",
            *(f"{row.compression:.1f}×", f"{row.calibration_error:.3f}"),
            *(f"{row.flagged_share:.1%} / {row.flagged_errors_share:.0%}", f"{row.encode_ms + row.decode_ms:.0f}"),
            f"{row.pages}",
        ]
        for row in figures.codec
    ]
    return markdown_table(head, rows)


def summary_table(figures: Figures) -> str:
    """Returns one row per group: size and accuracy of pages that fit completely, and what the lower tiers keep."""
    tiers: dict[str, dict[str, BenchRow]] = {}
    for row in figures.codec:
        tiers.setdefault(row.language, {})[row.tier] = row
    lines = []
    for language, rows in tiers.items():
        base, small = rows["base"], rows["small"]
        ppmd = "–" if base.ppmd_bits_per_character is None else f"{base.ppmd_bits_per_character:.2f}"
        lines.append(
            [
                *(_group_name(language), f"{base.bits_per_character:.2f}", f"{base.zstd_bits_per_character:.2f}", ppmd),
                *(f"{base.bytes_per_page:,.0f}", _accuracy(base.accuracy), _accuracy(small.accuracy)),
                *(_accuracy(rows[tier].kept_share) for tier in FADING_TIERS),
                *_shares((rows["micro"].names, rows["micro"].numbers, rows["micro"].rare_words)),
                f"{base.pages}",
            ]
        )
    head = (
        *("text", "bits per character", "zstd -19", "PPMd", "bytes per page", "accuracy at `base`", "at `small`"),
        *("kept at `tiny`", "kept at `micro`", "names at `micro`", "numbers at `micro`", "rare words at `micro`"),
        "pages",
    )
    return markdown_table(head, lines)


def _shares(values: Iterable[float | None]) -> list[str]:
    return ["–" if value is None else _accuracy(value) for value in values]


def degraded_table(figures: Figures) -> str:
    """Returns accuracy on altered images, by group."""
    head = ("alteration at `small`", "text", "kept", "accuracy", "invented per million", _RATES, "pages")
    rows = [row for row in figures.repeated if row.condition != "clean"]
    shown = [
        [
            *(row.condition, _group(row), _accuracy(row.kept_share), _accuracy(row.accuracy)),
            *(f"{row.invented_per_million:,.0f}", _bits(row), f"{row.pages}"),
        ]
        for row in rows
    ]
    return markdown_table(head, shown)


def ageing_table(figures: Figures) -> str:
    """Returns accuracy after ageing tier by tier, beside ageing directly to the tier."""
    rows = figures.repeated
    direct = {(row.tier, row.language): row for row in rows if row.condition == "clean" and row.path == "direct"}
    shown = []
    for row in rows:
        if row.path == "aged":
            there = direct[row.tier, row.language]
            pairs = [
                " / ".join(_shares((getattr(row, name), getattr(there, name))))
                for name in ("kept_share", "names", "rare_words", "content_words")
            ]
            errors = (_accuracy(row.accuracy), f"{row.silent_errors_per_10k:.1f}")
            invented = f"{row.invented_words_per_million:,.0f} / {there.invented_words_per_million:,.0f}"
            sizes = (f"{row.bytes_per_page:,.0f} / {there.bytes_per_page:,.0f}", f"{row.pages}")
            shown.append([f"`{row.tier}`", _group(row), *pairs, *errors, invented, *sizes])
    head = (
        *("tier", "text", "kept: step by step / directly", "names", "rare words", "other content words"),
        *(
            "accuracy, step by step",
            "silent errors per 10,000",
            "invented words per million",
            "bytes per page",
            "pages",
        ),
    )
    return markdown_table(head, shown)


def characters_table(figures: Figures) -> str:
    """Returns accuracy and flagged errors by kind of character."""
    by_kind: dict[str, dict[str, CharacterRow]] = {}
    for row in figures.characters:
        by_kind.setdefault(row.kind, {})[row.tier] = row
    lines = []
    for kind, tiers in by_kind.items():
        first = next(iter(tiers.values()))
        read = [f"{tiers[tier].accuracy:.2%} / {tiers[tier].flagged_errors_share:.0%}" for tier in CHARACTER_TIERS]
        lines.append([kind, f"{first.characters:,}", f"{first.lookalikes:,}", *read])
    return markdown_table(("kind", "characters", "lookalikes", *(f"`{tier}`" for tier in CHARACTER_TIERS)), lines)


def speed_table(figures: Figures) -> str:
    """Returns the speed of drawing, encoding and decoding, by tier."""
    speed = figures.codec_speed
    rows = [
        [f"`{row.tier}`", f"{row.rendered_pages_per_s:.0f}", f"{row.encode_ms:.0f}", f"{row.decode_ms:.0f}"]
        for row in speed.tiers
    ]
    table = markdown_table(("tier", "pages drawn per second", "encode, ms per page", "decode, ms per page"), rows)
    return f"{table}\n\nThe weights load in {speed.load_ms:.0f} ms."


def bank_table(figures: Figures) -> str:
    """Returns speed and bits per character of a bank, by tier and group."""
    head = (
        *("tier", "text", "pages", "sealed or aged per second", "bits per character: tokens", "kept text", "index"),
        *("keepsakes", "metadata", "total", "zstd -19 of all text"),
    )
    rows = []
    for row in figures.bank:
        bits = (row.token_bits, row.text_bits, row.index_bits, row.keepsake_bits, row.metadata_bits)
        shown = [f"{value:.2f}" for value in (*bits, row.total_bits, row.zstd_bits)]
        rows.append([f"`{row.tier}`", _group(row), f"{row.pages}", f"{row.pages_per_second:.1f}", *shown])
    return markdown_table(head, rows)


def recall_table(figures: Figures) -> str:
    """Returns evidence recall on LoCoMo and the latency of recall."""
    results = [(f"all pages at `{result.tier}`", result) for result in figures.locomo]
    words = figures.locomo_by_words
    results.insert(1, (f"all pages at `{words.tier}`, without embeddings", words))
    rows = [
        [
            f"LoCoMo evidence recall within 2,048 text tokens, {where}",
            f"{result.evidence:.3f}; BM25 over the full text {result.bm25_evidence:.3f} ({result.ratio:.0%})",
            f"{result.questions} questions",
        ]
        for where, result in results
    ]
    speed = figures.recall_speed
    rows += [
        [
            f"latency of recalling one fact in {speed.messages:,} messages, cold page, p50 (p95)",
            f"{speed.cold_p50_ms:.0f} ms ({speed.cold_p95_ms:.0f} ms)",
            f"{speed.questions} questions, {speed.found_first:.0%} found first",
        ],
        ["the same, warm page, p50", f"{speed.warm_p50_ms:.0f} ms", ""],
    ]
    return markdown_table(("figure", "measured", "on"), rows)


def recall_categories_table(figures: Figures) -> str:
    """Returns evidence recall on LoCoMo by category, with and without embeddings, beside BM25."""
    small, words = figures.locomo[0], figures.locomo_by_words
    head = ("LoCoMo, 2,048 text tokens", ALL, *small.categories)
    rows = [
        [name, f"{result.evidence:.3f}", *(f"{category.evidence:.3f}" for category in result.categories.values())]
        for name, result in ((f"Foxing at `{small.tier}`", small), ("without embeddings", words))
    ]
    bm25 = [f"{category.bm25_evidence:.3f}" for category in small.categories.values()]
    return markdown_table(head, [*rows, ["BM25 over the stemmed full text", f"{small.bm25_evidence:.3f}", *bm25]])


def rankings_table(figures: Figures) -> str:
    """Returns the rank of the evidence on LoCoMo, by message and by session, for each system."""
    head = (
        *("unit", "system", "R@5", "R@10", "any of it @5", "@10", "all of it @5", "@10"),
        *("NDCG@5", "@10"),
    )
    named = [(row.system, row) for row in figures.rankings if row.category == ALL]
    named += [
        (f"{row.system}, without embeddings", row)
        for row in figures.rankings_by_words
        if row.category == ALL and row.system == OURS
    ]
    rows = [
        [
            *(row.unit, name, f"{row.recall_5:.3f}", f"{row.recall_10:.3f}", f"{row.recall_any_5:.3f}"),
            *(f"{row.recall_any_10:.3f}", f"{row.recall_all_5:.3f}", f"{row.recall_all_10:.3f}"),
            *(f"{row.ndcg_5:.3f}", f"{row.ndcg_10:.3f}"),
        ]
        for name, row in sorted(named, key=lambda item: item[1].unit)
    ]
    return markdown_table(head, rows)


def context_table(figures: Figures) -> str:
    """Returns the evidence recall of text, images and the best of both, by reader and budget."""
    return _context_cells(figures.context, lambda row: row.evidence)


def context_per_token_table(figures: Figures) -> str:
    """Returns the same per thousand billed tokens."""
    return _context_cells(figures.context, lambda row: row.per_token, digits=3)


def _context_cells(rows: Sequence[ContextRow], value: Callable[[ContextRow], Any], digits: int = 2) -> str:
    """A row for each reader and a column for each budget. `value`: returns a number, several, or None for ways of
    showing that are left out."""
    budgets = sorted({row.budget for row in rows})
    cells = {(row.reader, row.budget, row.show): value(row) for row in rows}
    left_out = {show for (_, _, show), cell in cells.items() if cell is None}
    measured = {row.show for row in rows} - left_out
    shows = [show for show in ("newest", "random", "text", "images", "best") if show in measured]
    lines = []
    for reader in dict.fromkeys(row.reader for row in rows):
        shown = [[_numbers(cells.get((reader, budget, show)), digits) for show in shows] for budget in budgets]
        lines.append([f"`{reader}`", *(" · ".join(each) for each in shown)])
    return markdown_table(("reader", *(f"{budget:,}" for budget in budgets)), lines)


def _numbers(value: Any, digits: int) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return "/".join("–" if each is None else f"{each:.{digits}f}" for each in values)


def service_table(figures: Figures) -> str:
    """Returns the latency of storing over HTTP, and the time and memory of a command."""
    service, commands = figures.service, figures.commands
    on = f"median of {commands.runs}, {commands.messages:,} sealed messages, SQLite"
    rows = [
        [
            "latency of storing one message over HTTP, p50 (p95)",
            f"{service.p50_ms:.1f} ms ({service.p95_ms:.1f} ms)",
            f"{service.requests} requests, SQLite",
        ],
        [
            "`foxing recall`, answered by a running service",
            f"{commands.answered_s:.2f} s, {commands.answered_mib:.0f} MiB",
            on,
        ],
        ["`foxing recall` without one", f"{commands.alone_s:.2f} s, {commands.alone_mib:.0f} MiB", on],
    ]
    return markdown_table(("figure", "measured", "on"), rows)


def stores_table(figures: Figures) -> str:
    """Returns storing and searching beside other stores."""
    rows = [
        [
            row.store,
            f"{row.stores_per_s:.0f} · {row.store_p99_ms:,.0f} ms",
            f"{row.store_cpu_ms:.1f} · {row.whole_cpu_ms:.1f} ms",
            f"{row.caught_up_s:.0f} s",
            f"{row.search_cpu_ms:.1f} ms",
        ]
        for row in figures.stores
    ]
    header = ("store", "stores a second · p99", "CPU of a store · with what follows", "idle after", "CPU of a search")
    return markdown_table(header, rows)


def relevance_table(figures: Figures) -> str:
    """Returns the relevance of recall on LoCoMo, by embedder."""
    head = (
        *("embedder", "AUC of the best span", "without speakers' names", "floor", "lose evidence at it"),
        *("get nothing in another bank", "calibration error, first 20 spans", "of the best span", "questions"),
    )
    rows = [
        [
            *(f"`{row.embedder}`", f"{row.auc:.3f}", f"{row.auc_without_names:.3f}", f"{row.floor}"),
            *(f"{row.losing_evidence:.1%}", f"{row.empty_elsewhere:.1%}", f"{row.calibration_error:.3f}"),
            *(f"{row.calibration_error_of_best:.3f}", f"{row.questions:,}"),
        ]
        for row in figures.relevance
    ]
    return markdown_table(head, rows)


def updates_table(figures: Figures) -> str:
    """Returns how often the newest of statements that replace each other comes first, by embedder."""
    head = (
        *("embedder", "newest first", "not found", "older first, past asked", "not found"),
        *(
            "linked, where both are found",
            "updates",
            "look-alikes linked",
            "look-alikes",
            "spans of other answers linked",
        ),
    )
    rows = [
        [
            *(f"`{row.embedder}`", f"{row.newest_first:.3f}", f"{row.newest_not_found:.3f}", f"{row.older_first:.3f}"),
            *(f"{row.older_not_found:.3f}", f"{row.linked:.3f}", f"{row.updates}", f"{row.lookalikes_linked:.1%}"),
            *(f"{row.lookalikes}", f"{row.others_linked:.2%}"),
        ]
        for row in figures.updates
    ]
    return markdown_table(head, rows)


def conditions_table(figures: Figures) -> str:
    """Returns the conditions of each measurement."""
    head = ("measurement (`--only`)", "day", "weights", "processor", "cores", "Python")
    rows = [
        [f"`{name}`", made["day"], f"`{made['weights']}`", made["processor"], f"{made['cores']}", made["python"]]
        for name, made in figures.conditions.items()
    ]
    return markdown_table(head, rows)


def _percent(share: float | None) -> str:
    """A share rounded down, so that 100 % means all."""
    return "–" if share is None else f"{floor(share * 100 + 1e-9)}%"


def headline_table(figures: Figures) -> str:
    """Returns the three figures of the README, on English chats."""
    rows = {(row.language, row.tier): row for row in figures.codec}
    base = rows["locomo", "base"]
    recall = next(result for result in figures.locomo if result.tier == "small")
    year = {row.memory: row for row in figures.decay if row.source == LOCOMO_NAME and row.age_days == YEAR_DAYS}
    lines = [
        [
            "storage of a sealed page",
            f"{base.bits_per_character:.2f} bits per character, read back exactly",
            f"zstd -19: {base.zstd_bits_per_character:.2f}",
        ],
        [
            "recall within 2,048 text tokens",
            f"{recall.evidence:.1%} of the evidence",
            f"BM25 over the full text: {recall.bm25_evidence:.1%}",
        ],
        [
            "answers after a year, whole within 2,048 text tokens",
            f"{_percent(year[FOXING].whole[HEADLINE_BUDGET])} of {year[FOXING].questions:,} questions",
            f"newest text in the same bytes: {_percent(year['newest kept'].whole[HEADLINE_BUDGET])}",
        ],
    ]
    return markdown_table(("measured on LoCoMo chats", "Foxing", "for comparison"), lines)


@dataclass(frozen=True)
class DocumentedTable:
    """A table of the documentation, and the measurements that it is made from."""

    make: Callable[[Figures], str]
    #: Measurements that the table is made from.
    measurements: tuple[str, ...]


#: Name in the marker `<!-- figures:NAME -->` → table.
TABLES: Mapping[str, DocumentedTable] = {
    "conditions": DocumentedTable(conditions_table, ("codec",)),
    "headline": DocumentedTable(headline_table, ("codec", "recall", "decay")),
    "summary": DocumentedTable(summary_table, ("codec",)),
    "codec": DocumentedTable(codec_table, ("codec",)),
    "decay": DocumentedTable(decay_table, ("decay",)),
    "decay-tiers": DocumentedTable(decay_tiers_table, ("decay",)),
    "decay-tools": DocumentedTable(decay_tools_table, ("decay",)),
    "decay-facts": DocumentedTable(decay_facts_table, ("decay",)),
    "resume": DocumentedTable(resume_table, ("resume",)),
    "resume-wordings": DocumentedTable(resume_wordings_table, ("resume",)),
    "resume-bytes": DocumentedTable(resume_bytes_table, ("resume",)),
    "degraded": DocumentedTable(degraded_table, ("repeated",)),
    "characters": DocumentedTable(characters_table, ("characters",)),
    "ageing": DocumentedTable(ageing_table, ("repeated",)),
    "speed": DocumentedTable(speed_table, ("speed",)),
    "bank": DocumentedTable(bank_table, ("speed",)),
    "recall": DocumentedTable(recall_table, ("recall", "recall-speed")),
    "recall-categories": DocumentedTable(recall_categories_table, ("recall",)),
    "rankings": DocumentedTable(rankings_table, ("recall",)),
    "relevance": DocumentedTable(relevance_table, ("relevance",)),
    "updates": DocumentedTable(updates_table, ("updates",)),
    "context": DocumentedTable(context_table, ("context",)),
    "context-per-token": DocumentedTable(context_per_token_table, ("context",)),
    "service": DocumentedTable(service_table, ("service", "commands")),
    "stores": DocumentedTable(stores_table, ("stores",)),
}
