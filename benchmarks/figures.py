"""Measures every figure of the documentation, writes the tables into it, and draws the pictures.

    python benchmarks/figures.py --data FOLDER          # FOLDER/eval: held-out JSON Lines of messages, and LoCoMo
    python benchmarks/figures.py --only codec           # one part, see --help

Results are kept in docs/figures.json, and the tables between `<!-- figures:NAME -->` and `<!-- /figures -->` in
README.md, the model card and docs/ are made of them, as far as they have been measured. Of long files only the first
held-out pages are read: PAGES for accuracy, fewer where the same pages are read many times.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from foxing.api.demo.conversation import demo_conversation
from foxing.encoder import load_codec
from foxing.encoder.bench import BenchRow
from foxing.encoder.bench.baselines import BaselineRow
from foxing.encoder.bench.plot import NAMES, plot_curve, plot_rates
from foxing.renderer import TIERS, Entry, Repertoire, Typesetter, render

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures.json"
IMAGES = ROOT / "docs" / "images"
DOCUMENTS = (ROOT / "README.md", ROOT / "encoder" / "native" / "MODEL_CARD.md", *sorted((ROOT / "docs").glob("*.md")))

#: Group → files. Traces are English as well, so they are named apart.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "en": ("en_sgd", "en_irc"),
    "agent": ("en_swe_agent", "en_tau_bench"),
    "ko": ("ko_nsmc", "ko_songys", "ko_tldr"),
    "ja": ("ja_real_persona_chat", "ja_tldr"),
    "zh": ("zh_kdconv", "zh_tldr"),
    "de": ("de_gesetze", "de_tldr"),
    "fr": ("fr_tldr",),
    "ru": ("ru_tldr",),
}
RIVAL_GROUPS = ("en", "agent", "zh")
CHARACTER_TIERS = ("base", "small", "tiny")
RIVAL_TIERS = ("large", "small")
#: Dense pages of a file, at most; pages of identifiers.
PAGES = 8
AGAIN_PAGES = 3  # for other sizes of a token, altered images and repeated ageing
SPEED_PAGES = 4
IDENTIFIER_PAGES = 4
PANEL_CELLS = (44, 15)  # columns and rows of the page shown in the picture of the tiers
PANEL_PX = (352, 240)

Figures = dict[str, Any]


def foxing(*arguments: str) -> Any:
    """What `foxing … --json` answers, whatever this machine's settings are."""
    command = [sys.executable, "-W", "ignore", "-m", "foxing.api.cli.main", *arguments, "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOXING_")}
    with tempfile.TemporaryDirectory(prefix="foxing-figures-") as folder:  # without a foxing.toml
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def bench_codec(data: Path, pages: int, *options: str, groups: Sequence[str] = tuple(GROUPS)) -> Any:
    """`foxing bench codec` on the files of `groups`, at most `pages` of each."""
    files = [(group, data / "eval" / f"{name}.jsonl.gz") for group in groups for name in GROUPS[group]]
    texts = [part for group, path in files for part in ("--texts", f"{group}={path}")]
    return foxing("bench", "codec", *texts, "--pages", str(pages), *options)


def measure_codec(data: Path) -> Figures:
    return {"rows": bench_codec(data, PAGES, "--identifiers", str(IDENTIFIER_PAGES))["rows"]}


def measure_sizes(data: Path) -> Figures:
    """Every size of a token, altered images and repeated ageing, on fewer pages."""
    options = ("--identifiers", "1", "--sizes", "--degraded", "--ageing")
    return {"rows": bench_codec(data, AGAIN_PAGES, *options)["rows"]}


def measure_characters(data: Path) -> Figures:
    tiers = [part for tier in CHARACTER_TIERS for part in ("--tier", tier)]
    return {"rows": foxing("bench", "codec", "--identifiers", "1", "--characters", *tiers)["characters"]}


def measure_rivals(data: Path) -> Figures:
    tiers = [part for tier in RIVAL_TIERS for part in ("--tier", tier)]
    answer = bench_codec(data, 1, "--rivals", *tiers, groups=RIVAL_GROUPS)
    return {"rows": answer["rivals"], "not_compared": answer["not_compared"]}


def measure_speed(data: Path) -> Figures:
    answer = bench_codec(data, SPEED_PAGES, "--speed", groups=("en", "agent", "ko"))
    return {"speed": answer["speed"], "bank": answer["bank"]}


def measure_recall(data: Path) -> Figures:
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    return {
        "locomo": {tier: foxing("bench", "recall", "--locomo", locomo, "--tier", tier) for tier in ("small", "tiny")},
        "speed": foxing("bench", "recall"),
    }


def measure_service(_: Path) -> Figures:
    return dict(foxing("bench", "service", "--requests", "500"))


def measured_with(begun: datetime) -> dict[str, Any]:
    """What a measurement was made with: the codec's weights, the machine, the day."""
    return {
        "weights": load_codec("native").weights,
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "day": begun.date().isoformat(),
    }


def draw_pictures(figures: Figures) -> None:
    """The curves, and the same part of one page at every tier."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for suffix in ("png", "svg"):
        if "codec" in figures:
            rows = [BenchRow(**row) for row in figures["codec"]["rows"]]
            rivals = [BaselineRow(**row) for row in figures.get("rivals", {}).get("rows", ())]
            plot_curve(rows, IMAGES / f"curve.{suffix}", rivals)
        if "sizes" in figures:
            plot_rates([BenchRow(**row) for row in figures["sizes"]["rows"]], IMAGES / f"rates.{suffix}")
    codec = load_codec("native")
    entries = [
        Entry(str(number), said.role, said.content, said.created_at or datetime.now(UTC), said.thread or "", said.name)
        for number, said in enumerate(demo_conversation()[:200])
    ]
    page = Typesetter(codec.layout, Repertoire(codec.repertoire)).page(entries)
    width, height = PANEL_PX
    label_px, gap = 18, 8
    sheet = Image.new("L", ((width + gap) * 3 - gap, (height + label_px + gap) * 2 - gap), 255)
    pen = ImageDraw.Draw(sheet)
    for number, tier in enumerate(TIERS):
        image = render(page.cells, page.layout, tier)
        side = image.width
        part = image.crop((0, 0, round(side * PANEL_CELLS[0] / 160), round(side * PANEL_CELLS[1] / 80)))
        left, top = number % 3 * (width + gap), number // 3 * (height + label_px + gap)
        spec = codec.tiers[tier]
        pen.text((left, top + 2), f"{tier}: {side} px, {spec.tokens} tokens, {spec.bytes_per_page:,} bytes", fill=0)
        sheet.paste(part.resize((width, height), Image.Resampling.NEAREST), (left, top + label_px))
    sheet.save(IMAGES / "tiers.png")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def share(value: float) -> str:
    """An accuracy with as many digits as tell it from all right; rounded down, so that 100 % means no error."""
    return f"{floor(value * 1e5) / 1e3:.3f}%" if value > 0.999 else f"{value:.2%}"


def name(row: Mapping[str, Any]) -> str:
    return NAMES.get(row["language"], row["language"])


def bits(row: Mapping[str, Any]) -> str:
    return f"{row['bits_per_character']:.2f} ({row['zstd_bits_per_character']:.2f})"


def codec_table(figures: Figures) -> str:
    head = (
        *("tier", "text", "accuracy", "text tokens ÷ vision tokens", "chars/4 ÷ vision tokens", "bytes a token"),
        *("bits a character (zstd -19)", "calibration error", "flagged: of all / of errors"),
        *("silent errors per 10,000", "encode + decode, ms", "pages"),
    )
    rows = [
        [
            *(f"`{row['tier']}`", name(row), share(row["accuracy"]), f"{row['compression']:.1f}×"),
            *(f"{row['chars_per_4_per_token']:.1f}×", f"{row['bytes_per_token']}", bits(row)),
            *(f"{row['calibration_error']:.3f}", f"{row['flagged_share']:.1%} / {row['flagged_errors_share']:.0%}"),
            *(f"{row['silent_errors_per_10k']:.1f}", f"{row['encode_ms'] + row['decode_ms']:.0f}", f"{row['pages']}"),
        ]
        for row in figures["codec"]["rows"]
    ]
    return table(head, rows)


def summary_table(figures: Figures) -> str:
    """Accuracy alone, a line a tier and a column a group."""
    rows = figures["codec"]["rows"]
    languages = list(dict.fromkeys(row["language"] for row in rows))
    found = {(row["tier"], row["language"]): row["accuracy"] for row in rows}
    head = ["tier", *(NAMES.get(language, language) for language in languages)]
    tiers = list(dict.fromkeys(row["tier"] for row in rows))
    return table(head, [[f"`{tier}`", *(share(found[tier, language]) for language in languages)] for tier in tiers])


def sizes_table(figures: Figures) -> str:
    kept = [row for row in figures["sizes"]["rows"] if row["condition"] == "clean" and row["path"] == "direct"]
    order = sorted(kept, key=lambda row: (TIERS.index(row["tier"]), row["bytes_per_token"]))
    languages = list(dict.fromkeys(row["language"] for row in kept))
    pages = {row["language"]: row["pages"] for row in kept}
    names = [f"{NAMES.get(language, language)} ({pages[language]} pages): accuracy, bits" for language in languages]
    head = ["tier", "bytes a token", *names]
    found = {(row["tier"], row["bytes_per_token"], row["language"]): row for row in kept}
    lines = []
    for tier, size, default in dict.fromkeys((r["tier"], r["bytes_per_token"], r["default_size"]) for r in order):
        cells = [found.get((tier, size, language)) for language in languages]
        shown = ["" if row is None else f"{share(row['accuracy'])}, {bits(row)}" for row in cells]
        lines.append([f"`{tier}`", f"**{size}**" if default else f"{size}", *shown])
    return table(head, lines)


def degraded_table(figures: Figures) -> str:
    rows = [row for row in figures["sizes"]["rows"] if row["condition"] != "clean"]
    shown = [[row["condition"], name(row), share(row["accuracy"]), bits(row), f"{row['pages']}"] for row in rows]
    return table(("image at `small`", "text", "accuracy", "bits a character (zstd -19)", "pages"), shown)


def ageing_table(figures: Figures) -> str:
    rows = figures["sizes"]["rows"]
    direct = {
        (row["tier"], row["language"]): row["accuracy"]
        for row in rows
        if row["condition"] == "clean" and row["path"] == "direct" and row["default_size"]
    }
    shown = []
    for row in rows:
        if row["path"] == "aged":
            straight = direct[row["tier"], row["language"]]
            lost = (straight - row["accuracy"]) * 100
            shown.append(
                [
                    *(f"`{row['tier']}`", name(row), share(row["accuracy"]), share(straight), f"{lost:.2f}"),
                    *(bits(row), f"{row['pages']}"),
                ]
            )
    head = ("tier", "text", "aged tier by tier", "directly", "points lost", "bits a character (zstd -19)", "pages")
    return table(head, shown)


def characters_table(figures: Figures) -> str:
    by_kind: dict[str, dict[str, Any]] = {}
    for row in figures["characters"]["rows"]:
        by_kind.setdefault(row["kind"], {})[row["tier"]] = row
    rows = [
        [
            *(kind, *(f"{next(iter(tiers.values()))[count]:,}" for count in ("characters", "twins"))),
            *(f"{tiers[tier]['accuracy']:.2%} / {tiers[tier]['flagged_errors_share']:.0%}" for tier in CHARACTER_TIERS),
        ]
        for kind, tiers in by_kind.items()
    ]
    return table(("kind", "characters", "twins", *(f"`{tier}`" for tier in CHARACTER_TIERS)), rows)


def rivals_table(figures: Figures) -> str:
    rows = [
        [
            *(f"`{row['tier']}`", name(row), f"{row['engine']} {row['version']}", f"{row['accuracy']:.2%}"),
            *(share(row["own_accuracy"]), f"{row['ms']:,.0f}", f"{row['own_ms']:.0f}", f"{row['times_slower']:.0f}×"),
            f"{row['pages']}",
        ]
        for row in figures["rivals"]["rows"]
    ]
    head = ("image", "text", "engine", "accuracy", "Foxing's", "ms a page", "Foxing's, ms", "ratio", "pages")
    return table(head, rows)


def speed_table(figures: Figures) -> str:
    speed = figures["speed"]["speed"]
    rows = [
        [f"`{row['tier']}`", f"{row['rendered_pages_per_s']:.0f}", f"{row['encode_ms']:.0f}", f"{row['decode_ms']:.0f}"]
        for row in speed["tiers"]
    ]
    made = table(("tier", "pages drawn a second", "encode, ms a page", "decode, ms a page"), rows)
    return f"{made}\n\nWeights are loaded in {speed['load_ms']:.0f} ms."


def bank_table(figures: Figures) -> str:
    parts = ("token_bits", "text_bits", "index_bits", "keepsake_bits", "metadata_bits", "total_bits", "zstd_bits")
    rows = [
        [
            *(f"`{row['tier']}`", name(row), f"{row['pages']}", f"{row['pages_per_second']:.1f}"),
            *(f"{row[part]:.2f}" for part in parts),
        ]
        for row in figures["speed"]["bank"]
    ]
    head = (
        *("bank at", "text", "pages", "sealed or aged a second", "bits a character: tokens", "kept text", "index"),
        *("keepsakes", "metadata", "all", "zstd -19 of all text"),
    )
    return table(head, rows)


def recall_table(figures: dict[str, Any]) -> str:
    speed = figures["recall"]["speed"]
    rows = [
        [
            f"LoCoMo evidence within 2,048 text tokens, everything at `{tier}`",
            f"{result['remembered']:.3f} of the evidence; BM25 over the full text {result['full_text_bm25']:.3f} "
            f"({result['ratio']:.0%})",
            f"{result['questions']} questions",
        ]
        for tier, result in figures["recall"]["locomo"].items()
    ]
    rows += [
        [
            f"recall of one fact in {speed['messages']:,} messages, cold page, p50 (p95)",
            f"{speed['cold_p50_ms']:.0f} ms ({speed['cold_p95_ms']:.0f} ms)",
            f"{speed['questions']} questions, {speed['found_first']:.0%} found first",
        ],
        ["the same again, p50", f"{speed['warm_p50_ms']:.0f} ms", ""],
    ]
    return table(("figure", "measured", "on"), rows)


def service_table(figures: dict[str, Any]) -> str:
    service = figures["service"]
    row = [
        "store of one message over HTTP, p50 (p95)",
        f"{service['p50_ms']:.1f} ms ({service['p95_ms']:.1f} ms)",
        f"{service['requests']} requests, SQLite",
    ]
    return table(("figure", "measured", "on"), [row])


#: Table → the measurement it is made of, and what makes it.
TABLES: Mapping[str, tuple[str, Callable[[Figures], str]]] = {
    "summary": ("codec", summary_table),
    "codec": ("codec", codec_table),
    "sizes": ("sizes", sizes_table),
    "degraded": ("sizes", degraded_table),
    "characters": ("characters", characters_table),
    "ageing": ("sizes", ageing_table),
    "rivals": ("rivals", rivals_table),
    "speed": ("speed", speed_table),
    "bank": ("speed", bank_table),
    "recall": ("recall", recall_table),
    "service": ("service", service_table),
}
MEASUREMENTS: Mapping[str, Callable[[Path], Figures]] = {
    "codec": measure_codec,
    "sizes": measure_sizes,
    "characters": measure_characters,
    "rivals": measure_rivals,
    "speed": measure_speed,
    "recall": measure_recall,
    "service": measure_service,
}


def write_tables(figures: Figures) -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for kind, (needs, make) in TABLES.items():
            if needs in figures and f"<!-- figures:{kind} -->" in text:
                block = f"<!-- figures:{kind} -->\n{make(figures)}\n<!-- /figures -->"
                pattern = rf"<!-- figures:{kind} -->.*?<!-- /figures -->"
                text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
        document.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=(*MEASUREMENTS, "pictures"), action="append", help="may be given again")
    arguments = parser.parse_args()
    wanted: Sequence[str] = arguments.only or (*MEASUREMENTS, "pictures")
    figures: Figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    figures = {kind: figures[kind] for kind in MEASUREMENTS if "measured" in figures.get(kind, {})}
    for kind, measure in MEASUREMENTS.items():
        if kind in wanted:
            begun = datetime.now(UTC)
            figures[kind] = {"measured": measured_with(begun), **measure(arguments.data.resolve())}
            print(f"{kind}: {(datetime.now(UTC) - begun).total_seconds():.0f} s", flush=True)
            FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    weights = {kind: figures[kind]["measured"]["weights"] for kind in MEASUREMENTS if kind in figures}
    if len(set(weights.values())) > 1:
        print(f"the tables are of several weights, measure again: {weights}", file=sys.stderr)
    if {"codec", "sizes", "rivals", "pictures"} & set(wanted):
        draw_pictures(figures)
    write_tables(figures)


if __name__ == "__main__":
    main()
