"""The tables of `codec bench`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.encoder.bench import BenchRow, CharacterRow, CodecSpeed

    from .bench_run import BaselineComparison, BenchResult

#: Said below the table of classes.
CLASSES_NOTE = (
    "Names to common: shares of the words in messages that are read right; a word that is a gap is not. ids: the same "
    "of identifiers, which are counted in their class too. invented/M: words read that stand for none, per million "
    "characters. recalled: text tokens of the messages as they are read ÷ exact."
)
#: Said below every table that has a compression ratio.
UNIT_NOTE = (
    "×BPE is text tokens per vision token. A native vision token is a unit of storage and recall; it saves LLM context "
    "only where the LLM looks at page images."
)


def show_result(console: Console, result: "BenchResult") -> None:
    """Prints one table for each part of the result."""
    direct = [row for row in result.rows if row.path == "direct"]
    aged = [row for row in result.rows if row.path == "aged"]
    _show_rows(console, direct)
    _show_classes(console, result.rows)
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


def _show_rows(console: Console, rows: "Sequence[BenchRow]") -> None:
    """What is kept and in how many bytes, then how sure and how fast the codec is."""
    numbers = (
        *("pages", "kept", "accuracy", "silent/10k", "invented/M", "bits/char", "zstd", "PPMd"),
        *("B/page", "tokens/page", "×BPE"),
    )
    shown = table("tier", "text", "image", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row.tier, row.language, row.condition, f"{row.pages}", f"{row.kept_share:.2%}", f"{row.accuracy:.3%}"),
            *(f"{row.silent_errors_per_10k:.1f}", f"{row.invented_per_million:.0f}", *_rates(row)),
            *(f"{row.bytes_per_page:,.0f}", f"{row.vision_tokens / row.pages:,.0f}", f"{row.compression:.1f}"),
        )
    console.print(shown)
    console.print(UNIT_NOTE, soft_wrap=True)
    _show_confidence(console, rows)


def _rates(row: "BenchRow") -> tuple[str, str, str]:
    """Bits per character: ours, of zstd -19 and of PPMd."""
    ppmd = "" if row.ppmd_bits_per_character is None else f"{row.ppmd_bits_per_character:.2f}"
    return f"{row.bits_per_character:.2f}", f"{row.zstd_bits_per_character:.2f}", ppmd


def _show_confidence(console: Console, rows: "Sequence[BenchRow]") -> None:
    numbers = ("chars", "kept right", "ECE", "flagged", "of errors", "unread", "enc ms", "dec ms")
    shown = table("tier", "text", "image", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row.tier, row.language, row.condition, f"{row.characters:,}", f"{row.kept_accuracy:.3%}"),
            *(f"{row.calibration_error:.4f}", f"{row.flagged_share:.2%}", f"{row.flagged_errors_share:.1%}"),
            *(f"{row.unread_pages}", f"{row.encode_ms:.0f}", f"{row.decode_ms:.0f}"),
        )
    console.print(shown)


def _show_classes(console: Console, rows: "Sequence[BenchRow]") -> None:
    """Which words are read right, by class, and how many were invented."""
    shares = ("names", "numbers", "dates", "negations", "rare", "content", "common", "ids")
    numbers = (*shares, "invented/M", "recalled", "B/page")
    shown = table("tier", "text", "image", "encoded", *numbers, right=numbers)
    for row in rows:
        words = (row.names, row.numbers, row.dates, row.negations, row.rare_words, row.content_words, row.common_words)
        shown.add_row(
            *(row.tier, row.language, row.condition, row.path),
            *(_share(share) for share in (*words, row.identifiers)),
            *(f"{row.invented_words_per_million:.0f}", _share(row.recalled_text_tokens), f"{row.bytes_per_page:,.0f}"),
        )
    console.print(shown)
    console.print(CLASSES_NOTE, soft_wrap=True)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _show_ageing(console: Console, aged: "Sequence[BenchRow]", direct: "Sequence[BenchRow]") -> None:
    """Pages aged through decoded text, tier by tier, beside those drawn from the original: what is left of each."""
    originals = {(row.language, row.tier): row for row in direct if row.condition == "clean"}
    numbers = ("pages", "kept", "directly", "content", "directly", "accuracy", "silent/10k", "invented/M", "B/page")
    shown = table("tier", "text", *numbers, right=numbers)
    for row in aged:
        original = originals.get((row.language, row.tier))
        shown.add_row(
            *(row.tier, row.language, f"{row.pages}", f"{row.kept_share:.2%}"),
            *("" if original is None else f"{original.kept_share:.2%}", _share(row.content_words)),
            *("" if original is None else _share(original.content_words), f"{row.accuracy:.3%}"),
            *(f"{row.silent_errors_per_10k:.1f}", f"{row.invented_words_per_million:.0f}"),
            f"{row.bytes_per_page:,.0f}",
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
    numbers = ("pages", "accuracy", "ours", "PNG B/page", "our B/page", "ms/page", "our ms", "times slower")
    shown = table("tier", "text", "engine", *numbers, right=numbers)
    for row in comparison.rows:
        shown.add_row(
            *(row.tier, row.language, f"{row.engine} {row.version}", f"{row.pages}"),
            *(f"{row.accuracy:.2%}", f"{row.own_accuracy:.2%}", f"{row.bytes_per_page:,.0f}"),
            *(f"{row.own_bytes_per_page:,.0f}", f"{row.ms:,.0f}", f"{row.own_ms:.0f}", f"{row.times_slower:.0f}×"),
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
