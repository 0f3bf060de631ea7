"""The tables of the documentation, made from results: columns of format strings over rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from statistics import fmean
from string import Formatter
from typing import Any

from benchmarks.decay.measurement import WEAK
from benchmarks.resume.measurement import BM25_MESSAGE, BM25_THREAD, FOXING_THREAD, RIGHT_THREAD, SAME_BYTES
from benchmarks.sizing import sizing

from .results import Results

Row = dict[str, Any]
#: Text or memory → its name in tables.
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
    "identifiers": "hex, UUIDs, digits",
    "demo": "the demo's conversation",
    "agents": "agent runs and tool dialogues",
}
MEMORIES = {
    "foxing": "**Foxing**, default policy",
    "newest kept": "newest text, same bytes",
    "random sentences": "random sentences, same bytes",
    "LexRank": "summary of each day by LexRank, same bytes",
    "langgraph": "LangGraph's store, full text",
    "mem0": "mem0 without a model, full text",
}
SYSTEMS = {
    "foxing": "**Foxing**, one plain recall",
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
#: Kinds of facts of a decay row, by column.
FACTS = {
    "numbers and amounts": ("number", "amount"),
    "dates": ("date",),
    "relative times": ("relative_time",),
    "names": ("name",),
    "identifiers": ("identifier",),
    "JSON values": ("json_value",),
}


class _Cells(Formatter):
    """Format strings whose fields may be missing (–), with the spec `exact`: a share that is 100 % only if it is 1."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "–"
        if isinstance(value, list):
            return " · ".join(f"{number:,}" for number in value)
        if format_spec == "exact":
            return f"{floor(value * 1e5) / 1e3:.3f}%" if value > 0.999 else f"{value:.2%}"
        return str(super().format_field(value, format_spec))


@dataclass(frozen=True)
class Table:
    """A table of the documentation."""

    #: Runs that it is made from, at least one of which must be stored.
    runs: Sequence[str]
    #: Results of the stored runs, by name → its rows.
    rows: Callable[[Mapping[str, Any]], Iterable[Row]]
    #: Heading → format string of its cells; headings that depend on the rows follow from `pivot`.
    columns: Mapping[str, str]
    #: Whether a line below says of which commit it is.
    dated: bool = True

    def text(self, results: Results) -> str:
        """Returns the table in Markdown, or what measures it."""
        stored = [name for name in self.runs if name in results]
        parts = ", ".join(f"`{name}`" for name in self.runs)
        if not stored:
            return f"Not measured yet: `python -m benchmarks.figures`, runs {parts}."
        rows = list(self.rows({name: results[name] for name in stored}))
        lines = [
            list(self.columns),
            *([_Cells().vformat(cell, (), row) for cell in self.columns.values()] for row in rows),
        ]
        lines.insert(1, ["---"] * len(self.columns))
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")
        return f"{text}\n\n{_dates(self.runs, results)}" if self.dated else text


def _dates(runs: Sequence[str], results: Results) -> str:
    by_commit: dict[tuple[str, str], list[str]] = {}
    for name in runs:
        if name in results:
            measured = results.measured(name)
            by_commit.setdefault((measured["day"], measured["commit"]), []).append(f"`{name}`")
    dates = "; ".join(f"{', '.join(names)}: {day}, commit {commit}" for (day, commit), names in by_commit.items())
    missing = [f"`{name}`" for name in runs if name not in results]
    return f"*{dates}{'; not measured: ' + ', '.join(missing) if missing else ''}*"


def flat(row: Mapping[str, Any]) -> Row:
    """Returns a row with nested objects as fields, their names joined by `_`."""
    fields: Row = {}
    for name, value in row.items():
        fields |= (
            {f"{name}_{key}": part for key, part in flat(value).items()} if isinstance(value, dict) else {name: value}
        )
    return fields


def pivot(rows: Iterable[Mapping[str, Any]], key: str, *columns: str) -> list[Row]:
    """Returns one row for each value of `key`, whose fields bear the values of `columns` before their names."""
    pivoted: dict[Any, Row] = {}
    for row in rows:
        prefix = "_".join(str(row[column]) for column in columns)
        fields = {f"{prefix}_{name}": value for name, value in flat(row).items()}
        pivoted.setdefault(row[key], {key: row[key], "name": NAMES.get(row[key], row[key])}).update(fields)
    return list(pivoted.values())


def means(rows: Iterable[Mapping[str, Any]], key: str) -> list[Row]:
    """Returns one row for each value of `key`: means of the numbers, and the lowest (`low_`) and highest (`high_`)."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return [{key: value, "rows": len(group), **_means(group)} for value, group in groups.items()]


def _means(group: Sequence[Mapping[str, Any]]) -> Row:
    fields: Row = {}
    for name in group[0]:
        numbers = [row[name] for row in group if isinstance(row.get(name), int | float)]
        if numbers:
            fields |= {name: fmean(numbers), f"low_{name}": min(numbers), f"high_{name}": max(numbers)}
    return fields


def _all(name: str) -> Callable[[Mapping[str, Any]], Iterable[Row]]:
    """Returns the rows of `name` in all results."""
    return lambda results: (flat(row) for result in results.values() for row in result[name])


def _figures(figures: Mapping[str, str]) -> tuple[Callable[[Mapping[str, Any]], Iterable[Row]], Mapping[str, str]]:
    """Returns rows and columns of a table with a figure in each line. `figures`: label → format string, whose fields
    follow the last word of their run."""

    def rows(results: Mapping[str, Any]) -> Iterable[Row]:
        fields: Row = {}
        for name, result in results.items():
            run = name.split()[-1]
            fields |= flat({run: result.get(run.split("-")[0], result)})
        return ({"label": label, "value": _Cells().vformat(cell, (), fields)} for label, cell in figures.items())

    return rows, {"figure": "{label}", "measured": "{value}"}


def _codec(results: Mapping[str, Any]) -> list[Row]:
    rows = [row for row in results["codec"]["rows"] if row["condition"] == "clean"]
    worst = {row["language"]: row for row in means(rows, "language")}
    return [{**worst[row["language"]], **row} for row in pivot(rows, "language", "tier")]


def _repeated(path: str) -> Callable[[Mapping[str, Any]], list[Row]]:
    def rows(results: Mapping[str, Any]) -> list[Row]:
        measured_rows = results["repeated"]["rows"]
        if path == "altered":
            return means((row for row in measured_rows if row["condition"] != "clean"), "condition")
        clean = [row for row in measured_rows if row["condition"] == "clean"]
        aged = means((row for row in clean if row["path"] == "aged"), "tier")
        direct = {row["tier"]: row for row in means((row for row in clean if row["path"] == "direct"), "tier")}
        return [{**row, **{f"direct_{key}": value for key, value in direct[row["tier"]].items()}} for row in aged]

    return rows


def _rankings(results: Mapping[str, Any]) -> list[Row]:
    rows = [
        {**row, "system": row["system"] + (", without embeddings" if run == "recall words" else "")}
        for run, result in results.items()
        for row in result["rankings"]
        if row["category"] == "all" and (run == "recall small" or row["system"] == "foxing")
    ]
    return sorted(rows, key=lambda row: str(row["unit"]))


def _recall(results: Mapping[str, Any]) -> list[Row]:
    titles = {"recall small": "`small`", "recall words": "`small`, without embeddings", "recall tiny": "`tiny`"}
    rows = [{**flat(result), "title": f"Foxing, all pages at {titles[name]}"} for name, result in results.items()]
    first = next(iter(results.values()))
    bm25 = {f"categories_{name}_evidence": row["bm25_evidence"] for name, row in first["categories"].items()}
    return [*rows, {**bm25, "title": "BM25 over the stemmed full text", "evidence": first["bm25_evidence"]}]


def _decay(source: str, *runs: str) -> Callable[[Mapping[str, Any]], list[Row]]:
    def rows(results: Mapping[str, Any]) -> list[Row]:
        rows_of_source = [
            row for run in runs if run in results for row in results[run]["decay"] if row["source"] == source
        ]
        lines: list[Row] = []
        for row in sorted(rows_of_source, key=lambda row: (list(MEMORIES).index(row["memory"]), row["age_days"])):
            fields = _facts({key: value for key, value in row.items() if key != "age_days"})
            if lines and {**lines[-1], "ages": ""} == {**fields, "ages": ""}:
                lines[-1]["ages"] += f", {row['age_days']}"
            else:
                lines.append({**fields, "ages": str(row["age_days"])})
        return lines

    return rows


def _facts(row: Mapping[str, Any]) -> Row:
    kinds: Mapping[str, tuple[int, float]] = row["facts"]
    strong = [kind for kind in kinds if kind not in WEAK]
    fields = {column: _kept(kinds, names) for column, names in {**FACTS, "facts": strong}.items()}
    return {
        **flat(row),
        **{key.replace(" ", "_"): value for key, value in fields.items()},
        **{f"{kind}s_left": share for kind, (_, share) in row["asked"].items()},
        "labelled": sum(kinds[kind][0] for kind in strong),
        **dict(zip(("scopes", "scoped"), row["negations"], strict=True)),
        "bits": None if row["bytes"] is None else 8 * row["bytes"] / row["characters"],
        **dict(zip(("page", "largest_page"), row["page_bytes"] or (None, None), strict=True)),
        "name": MEMORIES.get(row["memory"], row["memory"]),
        "text": NAMES.get(row["source"], row["source"]),
    }


def _kept(kinds: Mapping[str, tuple[int, float]], names: Sequence[str]) -> float | None:
    counted = [kinds[name] for name in names if name in kinds]
    total = sum(number for number, _ in counted)
    return sum(number * share for number, share in counted) / total if total else None


def _resume(results: Mapping[str, Any]) -> list[Row]:
    lines: list[Row] = []
    rows = [row for name in SYSTEMS for row in _resume_rows(results) if row["system"] == name]
    for row in rows:
        age = "all" if row["age_days"] is None else str(row["age_days"])
        line = next((line for line in lines if (line["system"], line["ages"]) == (row["system"], age)), None)
        if line is None:
            lines.append(line := {"system": row["system"], "name": SYSTEMS[row["system"]], "ages": age})
        line |= {f"{row['pad']}_{row['half']}_{budget}": share for budget, share in row["done"].items()}
    return sorted(lines, key=lambda line: (list(SYSTEMS).index(line["system"]), len(line["ages"]), line["ages"]))


def _resume_rows(results: Mapping[str, Any], name: str = "rows") -> list[Row]:
    """Returns the rows of all runs; of equal ones the first."""
    rows: dict[tuple[Any, ...], Row] = {}
    for result in results.values():
        for row in result[name]:
            key = tuple(row.get(field) for field in ("half", "pad", "system", "age_days"))
            rows.setdefault(key, {**row, "bank": f"padded ×{row['pad']}" if row["pad"] else "alone"})
    return sorted(rows.values(), key=lambda row: (row["pad"], row["half"], row["age_days"] or 0))


def _headline(results: Mapping[str, Any]) -> list[Row]:
    base = next(row for row in _codec(results) if row["language"] == "locomo")
    recall = results["recall small"]
    year = {
        row["memory"]: row
        for row in results["decay ages"]["decay"]
        if (row["source"], row["age_days"]) == ("locomo", 365)
    }
    whole = {name: floor(row["whole"]["2048"] * 100) for name, row in year.items()}
    return [
        {
            "figure": "storage of a sealed page",
            "foxing": f"{base['base_bits_per_character']:.2f} bits per character, read back exactly",
            "beside": f"zstd -19: {base['base_zstd_bits_per_character']:.2f}",
        },
        {
            "figure": "recall within 2,048 text tokens",
            "foxing": f"{recall['evidence']:.1%} of the evidence",
            "beside": f"BM25 over the full text: {recall['bm25_evidence']:.1%}",
        },
        {
            "figure": "answers after a year, whole within 2,048 text tokens",
            "foxing": f"{whole['foxing']}% of {year['foxing']['questions']:,} questions",
            "beside": f"newest text in the same bytes: {whole['newest kept']}%",
        },
    ]


_RESUME = [f"resume {half}{padded}" for half in ("dev", "held-out") for padded in ("", " padded")]
_SHOWS = ("newest", "random", "text", "images", "best")
_BUDGETS = ("512", "1024", "2048", "4096", "8192")
_LOAD = ["load mixed", "load stores", "load batches", "load stalls", "load stop", "load kills", "load kills-postgresql"]
_LOADED = _figures(
    {
        "25 clients store, 25 recall: store, p50 · p99": "{mixed_store_p50_ms:.0f} · {mixed_store_p99_ms:.0f} ms",
        "the same: recall, p50 · p99": "{mixed_recall_p50_ms:,.0f} · {mixed_recall_p99_ms:,.0f} ms",
        "the same: `/healthz`, p50 · p99": "{mixed_health_p50_ms:.0f} · {mixed_health_p99_ms:.0f} ms",
        "the same: memory at the beginning, halfway, at the end": "{mixed_memory_mib} MiB",
        "16 clients store: messages/s · p99": "{stores_messages_per_s:,.0f} · {stores_store_p99_ms:.0f} ms",
        "the same, 30 messages a request": "{batches_messages_per_s:,.0f} · {batches_store_p99_ms:.0f} ms",
        "requests of 16 MB: longest `/healthz` · memory": "{stalls_longest_ms:.0f} ms · {stalls_memory_mib:.0f} MiB",
        "SIGTERM with pages due: time to the exit · leases left": "{stop_seconds_to_exit} s · {stop_leases}",
        **{
            f"`kill -9`, {title}: rounds · acknowledged · lost · duplicated": (
                f"{{{run}_rounds}} · {{{run}_acknowledged:,}} · {{{run}_lost}} · {{{run}_duplicates}}"
            )
            for run, title in (("kills", "SQLite"), ("kills-postgresql", "PostgreSQL"))
        },
    }
)
_SERVED = _figures(
    {
        "storing a message over HTTP, p50 (p95)": "{service_p50_ms:.1f} ms ({service_p95_ms:.1f} ms)",
        "`foxing recall`, with a service": "{commands_answered_s:.2f} s, {commands_answered_mib:.0f} MiB",
        "`foxing recall` alone": "{commands_alone_s:.2f} s, {commands_alone_mib:.0f} MiB",
        "recalling one fact, cold page, p50 (p95)": "{latency_cold_p50_ms:.0f} ms ({latency_cold_p95_ms:.0f} ms)",
        "the same, warm page, p50": "{latency_warm_p50_ms:.0f} ms",
        "a tick over idle banks, median (longest)": "{idle_p50_ms:.0f} ms ({idle_max_ms:.0f} ms), {idle_banks:,} banks",
    }
)

#: Name in documents → table.
TABLES: Mapping[str, Table] = {
    "headline": Table(
        ("codec", "recall small", "decay ages"),
        _headline,
        {"measured on LoCoMo chats": "{figure}", "Foxing": "{foxing}", "for comparison": "{beside}"},
        dated=False,
    ),
    "overlap": Table(
        ("overlap",),
        lambda results: [{**row, "name": NAMES.get(row["group"], row["group"])} for row in results["overlap"]["rows"]],
        {
            "text": "{name}",
            "file in `FOLDER/eval`": "`{group}.jsonl.gz`",
            "windows in the training text": "{overlap:.1%}",
        },
    ),
    "codec": Table(
        ("codec",),
        _codec,
        {
            "text": "{name}",
            "bits per character": "{base_bits_per_character:.2f}",
            "zstd -19": "{base_zstd_bits_per_character:.2f}",
            "PPMd": "{base_ppmd_bits_per_character:.2f}",
            "bytes per page": "{base_bytes_per_page:,.0f}",
            "text tokens ÷ vision tokens": "{base_compression:.0f}×",
            "accuracy at `base`": "{base_accuracy:exact}",
            "at `small`": "{small_accuracy:exact}",
            "at `micro`": "{micro_accuracy:exact}",
            "kept at `tiny`": "{tiny_kept_share:exact}",
            "at `micro` ": "{micro_kept_share:exact}",
            "facts at `micro`": "{micro_facts:exact}",
            "silent errors per 10,000, most": "{high_silent_errors_per_10k:.1f}",
            "invented per million, most": "{high_invented_per_million:.0f}",
            "pages": "{base_pages}",
        },
    ),
    "codec-tiers": Table(
        ("codec",),
        lambda results: [row for row in results["codec"]["rows"] if row["language"] == "locomo"],
        {
            "tier": "`{tier}`",
            "kept": "{kept_share:exact}",
            "accuracy of kept": "{kept_accuracy:exact}",
            "bytes per page": "{bytes_per_page:,.0f}",
            "text tokens ÷ vision tokens": "{compression:.1f}×",
            "calibration error": "{calibration_error:.3f}",
            "flagged: of kept": "{flagged_share:.1%}",
            "of errors": "{flagged_errors_share:.0%}",
        },
    ),
    "altered": Table(
        ("repeated",),
        _repeated("altered"),
        {
            "alteration at `small`": "{condition}",
            "kept": "{kept_share:exact}",
            "lowest": "{low_kept_share:exact}",
            "accuracy": "{accuracy:exact}",
            "lowest ": "{low_accuracy:exact}",
            "invented per million, most": "{high_invented_per_million:.0f}",
            "bits per character": "{bits_per_character:.2f}",
            "texts": "{rows}",
        },
    ),
    "ageing": Table(
        ("repeated",),
        _repeated("aged"),
        {
            "tier": "`{tier}`",
            "kept, step by step": "{kept_share:exact}",
            "directly": "{direct_kept_share:exact}",
            "accuracy, step by step": "{accuracy:exact}",
            "lowest": "{low_accuracy:exact}",
            "silent errors per 10,000": "{silent_errors_per_10k:.1f}",
            "directly ": "{direct_silent_errors_per_10k:.1f}",
            "invented words per million": "{invented_words_per_million:.0f}",
            "bytes per page": "{bytes_per_page:,.0f}",
        },
    ),
    "characters": Table(
        ("characters",),
        lambda results: pivot(results["characters"]["characters"], "kind", "tier"),
        {
            "kind": "{kind}",
            "characters": "{base_characters:,}",
            "lookalikes": "{base_lookalikes:,}",
            **{f"`{t}`": f"{{{t}_accuracy:.2%}} / {{{t}_flagged_errors_share:.0%}}" for t in ("base", "small", "tiny")},
        },
    ),
    "speed": Table(
        ("speed codec",),
        lambda results: results["speed codec"]["speed"]["tiers"],
        {
            "tier": "`{tier}`",
            "pages drawn per second": "{rendered_pages_per_s:.0f}",
            "encode, ms per page": "{encode_ms:.0f}",
            "decode, ms per page": "{decode_ms:.0f}",
        },
    ),
    "bank": Table(
        ("speed bank",),
        lambda results: [{**row, "name": NAMES.get(row["language"])} for row in results["speed bank"]["bank"]],
        {
            "tier": "`{tier}`",
            "text": "{name}",
            "sealed or aged per second": "{pages_per_second:.1f}",
            "bits per character: tokens": "{token_bits:.2f}",
            "kept text": "{text_bits:.2f}",
            "index": "{index_bits:.2f}",
            "keepsakes": "{keepsake_bits:.2f}",
            "metadata": "{metadata_bits:.2f}",
            "total": "{total_bits:.2f}",
            "zstd -19 of all text": "{zstd_bits:.2f}",
        },
    ),
    "sizing-costs": Table(
        ("sizing",),
        lambda results: [{**row, **results["sizing"]} for row in results["sizing"]["steps"]],
        {
            "step": "{step}",
            "CPU time": "{cpu_ms:.0f} ms",
            "a CPU second does": "{per_cpu_s:.2f}",
            "processor": "{processor}, {cores} cores, load {load[0]:.1f}",
        },
    ),
    "sizing-calls": Table(
        ("sizing",),
        lambda results: results["sizing"]["calls"],
        {
            "call": "{call}",
            "callers": "{callers}",
            "a second, one process": "{per_s:.0f}",
            "p50 · p99": "{p50_ms:.0f} · {p99_ms:.0f} ms",
            "CPU time": "{cpu_ms:.1f} ms",
        },
    ),
    "sizing-bytes": Table(
        ("sizing",),
        lambda results: results["sizing"]["tiers"],
        {"tier": "`{tier}`", "bytes of a message": "{bytes_per_message:.0f}"},
    ),
    "idle": Table(
        ("idle", "idle postgresql"),
        lambda results: results.values(),
        {
            "database": "{database}",
            "banks": "{banks:,}",
            "messages": "{messages:,}",
            "a tick, p50 · longest": "{p50_ms:.1f} · {max_ms:.1f} ms",
        },
    ),
    "sizing": Table(
        ("sizing",),
        lambda results: sizing(results["sizing"]),
        {
            "messages a day": "{messages:,}",
            "cores for stores": "{store_cores:.1f}",
            "for recalls": "{recall_cores:.1f}",
            "of PostgreSQL": "{database_cores:.1f}",
            "of workers": "{worker_cores:.1f}",
            "storage after three years": "{terabytes:,.2f} TB",
            "cost a month": "${dollars:,.0f}",
        },
    ),
    "recall": Table(
        ("recall small", "recall words", "recall tiny"),
        _recall,
        {
            "LoCoMo, 2,048 text tokens": "{title}",
            "all": "{evidence:.3f}",
            **{n: f"{{categories_{n}_evidence:.3f}}" for n in ("multi-hop", "temporal", "open-domain", "single-hop")},
        },
    ),
    "rankings": Table(
        ("recall small", "recall words"),
        _rankings,
        {
            "unit": "{unit}",
            "system": "{system}",
            "R@5": "{recall_5:.3f}",
            "R@10": "{recall_10:.3f}",
            "any of it @5": "{recall_any_5:.3f}",
            "@10": "{recall_any_10:.3f}",
            "all of it @5": "{recall_all_5:.3f}",
            "@10 ": "{recall_all_10:.3f}",
            "NDCG@5": "{ndcg_5:.3f}",
            "NDCG@10": "{ndcg_10:.3f}",
        },
    ),
    "relevance": Table(
        ("relevance use", "relevance none"),
        lambda results: [result["relevance"] for result in results.values()],
        {
            "embedder": "`{embedder}`",
            "AUC of the best span": "{auc:.3f}",
            "without speakers' names": "{auc_without_names:.3f}",
            "floor": "{floor}",
            "lose evidence at it": "{losing_evidence:.1%}",
            "get nothing in another bank": "{empty_elsewhere:.1%}",
            "calibration error, first 20 spans": "{calibration_error:.3f}",
            "of the best span": "{calibration_error_of_best:.3f}",
        },
    ),
    "updates": Table(
        ("updates use", "updates none"),
        lambda results: [result["updates"] for result in results.values()],
        {
            "embedder": "`{embedder}`",
            "newest first": "{newest_first:.3f}",
            "not found": "{newest_not_found:.3f}",
            "older first, past asked": "{older_first:.3f}",
            "not found ": "{older_not_found:.3f}",
            "linked, where both are found": "{linked:.3f}",
            "look-alikes linked": "{lookalikes_linked:.1%}",
            "spans of other answers linked": "{others_linked:.2%}",
        },
    ),
    "numbered": Table(
        ("updates numbered",),
        _all("numbered"),
        {
            "relations": "{relations}",
            "statements": "{statements:,}",
            "a message": "{each_message}",
            "newest first": "{newest_first:.2f}",
            "in the first three": "{in_first_three:.2f}",
            "older ones marked": "{marked:.2f}",
            "chains of three right": "{chains_right:.2f}",
        },
    ),
    "served": Table(("service", "commands", "recall latency", "idle"), *_SERVED),
    "context": Table(
        ("context dense", "context others"),
        lambda results: pivot(_all("context")(results), "reader", "budget", "show"),
        {
            "reader": "`{reader}`",
            **{f"{int(b):,}": " · ".join(f"{{{b}_{show}_evidence:.2f}}" for show in _SHOWS) for b in _BUDGETS},
        },
    ),
    "million": Table(
        ("million",),
        _all("million"),
        {
            "database": "{database}",
            "cold p50 · p95": "{cold_p50_ms:.0f} · {cold_p95_ms:.0f} ms",
            "warm p50 · p95": "{warm_p50_ms:.0f} · {warm_p95_ms:.0f} ms",
            "first question": "{first_ms:,.0f} ms",
            "memory of the service": "{memory_mib:,.0f} MiB",
        },
    ),
    "console": Table(
        ("console",),
        _all("console"),
        {
            "page": "{page}",
            "answer, p95": "{p95_ms:.0f} ms",
            "complete, p50 · p95": "{complete_p50_ms:,.0f} · {complete_p95_ms:,.0f} ms",
            "CPU": "{cpu_ms:.0f} ms",
            "HTML": "{html_bytes:,} B",
            "first paint, p50": "{first_paint_ms:.0f} ms",
        },
    ),
    "load": Table(_LOAD, *_LOADED),
    "images": Table(
        ("images",),
        lambda results: [{"tier": tier, **flat(row)} for tier, row in results["images"]["means"].items()],
        {
            "tier": "{tier}",
            "photograph, bytes": "{photograph_bytes:,}",
            "screenshot": "{screenshot_bytes:,}",
            "diagram": "{diagram_bytes:,}",
            "all": "{all_bytes:,}",
            **{f"billed by `{name}`": f"{{all_{name}:,}}" for name in ("claude", "gpt-5", "gemini-2")},
        },
    ),
    "stores": Table(
        ("stores",),
        _all("rows"),
        {
            "store": "{store}",
            "stores a second · p99": "{stores_per_s:.0f} · {store_p99_ms:,.0f} ms",
            "CPU of a store · with what follows": "{store_cpu_ms:.1f} · {whole_cpu_ms:.1f} ms",
            "idle after": "{caught_up_s:.0f} s",
            "CPU of a search": "{search_cpu_ms:.1f} ms",
        },
    ),
    "decay": Table(
        ("decay ages", "decay packages"),
        _decay("locomo", "decay ages", "decay packages"),
        {
            "memory": "{name}",
            "days": "{ages}",
            "whole, 512": "{whole_512:.3f}",
            "whole, 2,048": "{whole_2048:.3f}",
            "found, 512": "{found_512:.3f}",
            "found, 2,048": "{found_2048:.3f}",
            "relative times": "{relative_times:.3f}",
            "negations with their scope": "{scoped:.3f}",
            "invented words": "{invented}",
            "bits per character": "{bits:.2f}",
            "text tokens left": "{tokens_left:.0%}",
            "questions": "{questions}",
        },
    ),
    "decay-tools": Table(
        ("decay ages",),
        _decay("agents", "decay ages"),
        {
            "memory": "{name}",
            "days": "{ages}",
            "whole, 512": "{whole_512:.3f}",
            "whole, 2,048": "{whole_2048:.3f}",
            **{f"{kind} left": f"{{{kind}_left:.3f}}" for kind in ("identifiers", "amounts", "outcomes")},
            "bits per character": "{bits:.2f}",
            "questions": "{questions}",
        },
    ),
    "decay-tiers": Table(
        ("decay small", "decay micro"),
        lambda results: [
            {**row, "tier": row["memory"].split()[-1]} for row in _all("decay")(results) if row["source"] == "locomo"
        ],
        {
            "tier": "`{tier}`",
            **{
                f"{name}, {int(budget):,}": f"{{{name}_{budget}:.3f}}"
                for budget in ("256", "512", "2048")
                for name in ("found", "support", "whole")
            },
        },
    ),
    "decay-facts": Table(
        ("decay micro",),
        lambda results: [_facts(row) for row in results["decay micro"]["decay"]],
        {
            "text": "{text}",
            "facts kept (labelled)": "{facts:.3f} ({labelled})",
            **{column: f"{{{column.replace(' ', '_')}:.3f}}" for column in FACTS},
            "negations with their scope": "{scoped:.3f} ({scopes})",
            "words alone between gaps": "{alone:.3f}",
            "invented words": "{invented}",
            "text tokens ÷ exact": "{tokens_left:.3f}",
            "bytes a full page: mean (largest)": "{page:,.0f} ({largest_page:,.0f})",
        },
    ),
    "resume": Table(
        _RESUME,
        _resume,
        {
            "memory": "{name}",
            "days": "{ages}",
            **{
                f"{'padded ×10' if pad else 'alone'}, {half}, {int(budget):,}": f"{{{pad}_{half}_{budget}:.2f}}"
                for pad in (0, 10)
                for half in ("held-out", "dev")
                for budget in ("2048", "4096")
            },
        },
    ),
    "resume-wordings": Table(
        _RESUME,
        lambda results: (flat(row) for row in _resume_rows(results) if row["system"] == "foxing"),
        {
            "bank": "{bank}",
            "half": "{half}",
            "days": "{age_days}",
            "returns": "{returns}",
            **{
                f"{title}, {int(budget):,}": f"{{{name}_{budget}:.2f}}"
                for title, name in (("with name and postcode", "done_named"), ("without", "done_plain"))
                for budget in ("2048", "4096")
            },
        },
    ),
    "resume-bytes": Table(
        _RESUME,
        lambda results: (
            {**row, "by_tier": ", ".join(f"{pages} `{tier}`" for tier, pages in row["tiers"].items())}
            for row in _resume_rows(results, "bytes")
        ),
        {
            "bank": "{bank}",
            "half": "{half}",
            "days": "{age_days}",
            "messages": "{messages:,}",
            "text": "{text:,}",
            "zstd -19 of the whole": "{zstd:,}",
            "pages, kept text and keepsakes": "{held:,}",
            "whole bank, with index": "{total:,}",
            "pages by tier": "{by_tier}",
        },
    ),
}
