"""The tables of `codec bench`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.encoder.bench import BenchRow, CharacterRow, CodecSpeed

    from .bench_run import BaselineComparison, BenchResult

_NUMBERS = (
    *("pages", "chars", "accuracy", "tokens", "B/token", "×BPE", "×chars/4", "bits/char", "zstd", "ECE"),
    *("flagged", "of errors", "silent/10k", "unread", "enc ms", "dec ms"),
)


def show_result(console: Console, result: "BenchResult") -> None:
    """Prints one table for each part of the result."""
    direct = [row for row in result.rows if row.path == "direct"]
    aged = [row for row in result.rows if row.path == "aged"]
    _show_rows(console, direct)
    if aged:
        _show_ageing(console, aged, direct)
    if result.characters is not None:
        _show_characters(console, result.characters)
    if result.storage is not None:
        _show_storage(console, result.storage)
    if result.baselines is not None:
        _show_baselines(console, result.baselines)
    if result.speed is not None:
        _show_speed(console, result.speed)
    console.print(
        "A native vision token is a unit of storage and recall; it saves LLM context only where the LLM looks at "
        "page images.",
        soft_wrap=True,
    )


def _show_rows(console: Console, rows: "Sequence[BenchRow]") -> None:
    shown = table("tier", "text", "image", *_NUMBERS, right=_NUMBERS)
    for row in rows:
        shown.add_row(
            *(row.tier, row.language, row.condition, f"{row.pages}", f"{row.characters:,}", f"{row.accuracy:.3%}"),
            *(f"{row.vision_tokens:,}", f"{row.bytes_per_token}", f"{row.compression:.1f}"),
            *(f"{row.chars_per_4_per_token:.1f}", f"{row.bits_per_character:.2f}"),
            *(f"{row.zstd_bits_per_character:.2f}", f"{row.calibration_error:.4f}", f"{row.flagged_share:.2%}"),
            *(f"{row.flagged_errors_share:.1%}", f"{row.silent_errors_per_10k:.1f}", f"{row.unread_pages}"),
            *(f"{row.encode_ms:.0f}", f"{row.decode_ms:.0f}"),
        )
    console.print(shown)


def _show_ageing(console: Console, aged: "Sequence[BenchRow]", direct: "Sequence[BenchRow]") -> None:
    """Accuracy of pages aged through decoded text beside that of pages encoded from the original."""
    direct_accuracy = {
        (row.language, row.tier): row.accuracy for row in direct if row.condition == "clean" and row.default_size
    }
    numbers = ("aged", "directly", "points lost", "bits/char", "zstd")
    shown = table("tier", "text", *numbers, right=numbers)
    for row in aged:
        original = direct_accuracy.get((row.language, row.tier))
        shown.add_row(
            *(row.tier, row.language, f"{row.accuracy:.3%}"),
            *("", "") if original is None else (f"{original:.3%}", f"{(original - row.accuracy) * 100:.3f}"),
            *(f"{row.bits_per_character:.2f}", f"{row.zstd_bits_per_character:.2f}"),
        )
    console.print(shown)


def _show_characters(console: Console, rows: "Sequence[CharacterRow]") -> None:
    numbers = ("characters", "twins", "others read", "errors flagged")
    shown = table("tier", "kind", *numbers, "examples of errors", right=numbers)
    for row in rows:
        shown.add_row(
            *(row.tier, row.kind, f"{row.characters:,}", f"{row.lookalikes:,}", f"{row.accuracy:.2%}"),
            *(f"{row.flagged_errors_share:.1%}", row.wrong[:20]),
        )
    console.print(shown)


def _show_storage(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Size of tokens stored in each dtype, and how the decoder's logits differ from those of float32 tokens."""
    numbers = ("bytes/page", "mean |Δlogit|", "max |Δlogit|", "spread", "same choice", "steps")
    shown = table("tier", "stored as", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row["tier"], row["dtype"], f"{row['bytes_per_page']:,}", f"{row['mean']:.4f}", f"{row['largest']:.4f}"),
            *(f"{row['spread']:.3f}", f"{row['same_choice']:.2%}", f"{row['steps']:,}"),
        )
    console.print(shown)


def _show_baselines(console: Console, comparison: "BaselineComparison") -> None:
    numbers = ("pages", "accuracy", "ours", "ms/page", "our ms", "times slower")
    shown = table("tier", "text", "engine", *numbers, right=numbers)
    for row in comparison.rows:
        shown.add_row(
            *(row.tier, row.language, f"{row.engine} {row.version}", f"{row.pages}"),
            *(f"{row.accuracy:.2%}", f"{row.own_accuracy:.2%}", f"{row.ms:,.0f}", f"{row.own_ms:.0f}"),
            f"{row.times_slower:.0f}×",
        )
    console.print(shown)
    for item in comparison.not_compared:
        subject = item.engine if item.language is None else f"{item.engine}, {item.language}"
        console.print(f"Not compared: {subject}: {item.why}", soft_wrap=True, markup=False)


def _show_speed(console: Console, speed: "CodecSpeed") -> None:
    numbers = ("drawn pages/s", "enc ms", "dec ms")
    shown = table("tier", *numbers, right=numbers)
    for row in speed.tiers:
        shown.add_row(row.tier, f"{row.rendered_pages_per_s:.0f}", f"{row.encode_ms:.1f}", f"{row.decode_ms:.1f}")
    console.print(shown)
    console.print(f"Weights loaded in {speed.load_ms:.0f} ms.")
