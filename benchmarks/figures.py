"""Measures every figure of README.md and of the model card, writes them there, and draws the pictures.

    python benchmarks/figures.py --data FOLDER          # FOLDER/eval: held-out JSON Lines of messages, and LoCoMo
    python benchmarks/figures.py --only codec           # codec | recall | service | pictures

Results are kept in docs/figures.json, and the tables between `<!-- figures:NAME -->` and `<!-- /figures -->` are made
of them.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from foxing.api.demo_conversation import demo_conversation
from foxing.encoder import load_codec
from foxing.encoder.bench import BenchRow
from foxing.encoder.plot import plot_curve
from foxing.renderer import TIERS, Entry, Repertoire, Typesetter, render

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures.json"
IMAGES = ROOT / "docs" / "images"
DOCUMENTS = (ROOT / "README.md", ROOT / "encoder" / "native" / "MODEL_CARD.md")
DIALOGUE = ("en_sgd", "en_irc", "ko_nsmc", "ko_songys", "de_gesetze", "de_tldr", "fr_tldr")
TRACES = ("en_tau_bench", "en_swe_agent")
PANEL_CELLS = (44, 15)  # columns and rows of the page shown in the picture of the tiers
PANEL_PX = (352, 240)


def foxing(*arguments: str) -> Any:
    """What `foxing … --json` answers."""
    command = [sys.executable, "-W", "ignore", "-m", "foxing.api.cli", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def measure_codec(data: Path) -> dict[str, Any]:
    texts = [part for name in DIALOGUE for part in ("--texts", str(data / "eval" / f"{name}.jsonl.gz"))]
    traces = [part for name in TRACES for part in ("--texts", str(data / "eval" / f"{name}.jsonl.gz"))]
    dialogue = foxing("bench", "codec", *texts, "--degraded")["rows"]
    code = foxing("bench", "codec", *traces, "--skip", "0")["rows"]
    for row in code:
        row["language"] = "agent traces"
    return {"dialogue": dialogue, "traces": code}


def measure_recall(data: Path) -> dict[str, Any]:
    locomo = str(data / "eval" / "locomo_dev.json.gz")
    return {
        "locomo": {tier: foxing("bench", "recall", "--locomo", locomo, "--tier", tier) for tier in ("small", "tiny")},
        "speed": foxing("bench", "recall"),
    }


def draw_pictures(figures: dict[str, Any]) -> None:
    """The curve, and the same part of one page at every tier."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    if "codec" in figures:
        rows = [BenchRow(**row) for row in figures["codec"]["dialogue"] if row["language"] in ("en", "ko")]
        for suffix in ("png", "svg"):
            plot_curve(rows, IMAGES / f"curve.{suffix}")
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


def codec_table(figures: dict[str, Any]) -> str:
    rows = []
    for row in [*figures["codec"]["dialogue"], *figures["codec"]["traces"]]:
        if row["condition"] == "clean":
            rows.append(
                [
                    f"`{row['tier']}`",
                    row["language"],
                    f"{row['accuracy']:.2%}",
                    f"{row['compression']:.1f}×",
                    f"{row['bytes_per_token']}",
                    f"{row['bits_per_character']:.2f} ({row['zstd_bits_per_character']:.2f})",
                    f"{row['calibration_error']:.3f}",
                    f"{row['flagged_share']:.1%} / {row['flagged_errors_share']:.0%}",
                    f"{row['silent_errors_per_10k']:.1f}",
                    f"{row['encode_ms'] + row['decode_ms']:.0f}",
                    f"{row['pages']}",
                ]
            )
    head = (
        *("tier", "text", "accuracy", "text tokens ÷ vision tokens", "bytes a token", "bits a character (zstd -19)"),
        *(
            "calibration error",
            "flagged: of all / of errors",
            "silent errors per 10,000",
            "encode + decode, ms",
            "pages",
        ),
    )
    return table(head, rows)


def degraded_table(figures: dict[str, Any]) -> str:
    rows = [
        [row["condition"], row["language"], f"{row['accuracy']:.2%}"]
        for row in figures["codec"]["dialogue"]
        if row["condition"] != "clean"
    ]
    return table(("image at `small`", "text", "accuracy"), rows)


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


TABLES = {"codec": codec_table, "degraded": degraded_table, "recall": recall_table, "service": service_table}


def write_tables(figures: dict[str, Any]) -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name, make in TABLES.items():
            needs = "codec" if name == "degraded" else name
            if needs in figures:
                block = f"<!-- figures:{name} -->\n{make(figures)}\n<!-- /figures -->"
                pattern = rf"<!-- figures:{name} -->.*?<!-- /figures -->"
                text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
        document.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=("codec", "recall", "service", "pictures"))
    arguments = parser.parse_args()
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if arguments.only in (None, "codec"):
        figures["codec"] = measure_codec(arguments.data)
    if arguments.only in (None, "recall"):
        figures["recall"] = measure_recall(arguments.data)
    if arguments.only in (None, "service"):
        figures["service"] = foxing("bench", "service", "--requests", "500")
    figures["machine"] = {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.only in (None, "codec", "pictures"):
        draw_pictures(figures)
    write_tables(figures)


if __name__ == "__main__":
    main()
