"""The answer of `bench codec` for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from .context import table

Row = Mapping[str, Any]

_NUMBERS = (
    *("pages", "chars", "accuracy", "tokens", "B/token", "×BPE", "×chars/4", "bits/char", "zstd", "ECE"),
    *("flagged", "of errors", "silent/10k", "unread", "enc ms", "dec ms"),
)


def show_codec(console: Console, document: Mapping[str, Any]) -> None:
    """Prints what was measured, a table for each part of the document."""
    direct = [row for row in document["rows"] if row["path"] == "direct"]
    _show_rows(console, direct)
    aged = [row for row in document["rows"] if row["path"] == "aged"]
    if aged:
        _show_ageing(console, aged, direct)
    if "characters" in document:
        _show_characters(console, document["characters"])
    if "storage" in document:
        _show_storage(console, document["storage"])
    if "rivals" in document:
        _show_rivals(console, document["rivals"], document["not_compared"])
    if "speed" in document:
        _show_speed(console, document["speed"])
    console.print(
        "A native vision token is a unit of storage and of recall; it saves an LLM context only where the LLM looks at "
        "page images.",
        soft_wrap=True,
    )


def _show_rows(console: Console, rows: Sequence[Row]) -> None:
    shown = table("tier", "text", "image", *_NUMBERS, right=_NUMBERS)
    for row in rows:
        shown.add_row(
            *(row["tier"], row["language"], row["condition"], f"{row['pages']}", f"{row['characters']:,}"),
            *(f"{row['accuracy']:.3%}", f"{row['vision_tokens']:,}", f"{row['bytes_per_token']}"),
            *(f"{row['compression']:.1f}", f"{row['chars_per_4_per_token']:.1f}", f"{row['bits_per_character']:.2f}"),
            *(
                f"{row['zstd_bits_per_character']:.2f}",
                f"{row['calibration_error']:.4f}",
                f"{row['flagged_share']:.2%}",
            ),
            *(f"{row['flagged_errors_share']:.1%}", f"{row['silent_errors_per_10k']:.1f}", f"{row['unread_pages']}"),
            *(f"{row['encode_ms']:.0f}", f"{row['decode_ms']:.0f}"),
        )
    console.print(shown)


def _show_ageing(console: Console, aged: Sequence[Row], direct: Sequence[Row]) -> None:
    """Aged through decoded text, beside going to the tier directly."""
    straight = {
        (row["language"], row["tier"]): row["accuracy"]
        for row in direct
        if row["condition"] == "clean" and row["default_size"]
    }
    numbers = ("aged", "directly", "points lost", "bits/char", "zstd")
    shown = table("tier", "text", *numbers, right=numbers)
    for row in aged:
        best = straight.get((row["language"], row["tier"]))
        shown.add_row(
            *(row["tier"], row["language"], f"{row['accuracy']:.3%}"),
            *("", "") if best is None else (f"{best:.3%}", f"{(best - row['accuracy']) * 100:.3f}"),
            *(f"{row['bits_per_character']:.2f}", f"{row['zstd_bits_per_character']:.2f}"),
        )
    console.print(shown)


def _show_characters(console: Console, rows: Sequence[Row]) -> None:
    numbers = ("characters", "twins", "others read", "errors flagged")
    shown = table("tier", "kind", *numbers, "wrong, some of them", right=numbers)
    for row in rows:
        shown.add_row(
            *(row["tier"], row["kind"], f"{row['characters']:,}", f"{row['twins']:,}", f"{row['accuracy']:.2%}"),
            *(f"{row['flagged_errors_share']:.1%}", row["wrong"][:20]),
        )
    console.print(shown)


def _show_storage(console: Console, rows: Sequence[Row]) -> None:
    """Tokens stored in fewer bits, beside float32: bytes, and what becomes of the decoder's logits."""
    numbers = ("bytes/page", "mean |Δlogit|", "max |Δlogit|", "spread", "same choice", "steps")
    shown = table("tier", "stored as", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row["tier"], row["dtype"], f"{row['bytes_per_page']:,}", f"{row['mean']:.4f}", f"{row['largest']:.4f}"),
            *(f"{row['spread']:.3f}", f"{row['same_choice']:.2%}", f"{row['steps']:,}"),
        )
    console.print(shown)


def _show_rivals(console: Console, rows: Sequence[Row], missing: Sequence[Row]) -> None:
    numbers = ("pages", "accuracy", "ours", "ms/page", "our ms", "times slower")
    shown = table("tier", "text", "engine", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row["tier"], row["language"], f"{row['engine']} {row['version']}", f"{row['pages']}"),
            *(f"{row['accuracy']:.2%}", f"{row['own_accuracy']:.2%}", f"{row['ms']:,.0f}", f"{row['own_ms']:.0f}"),
            f"{row['times_slower']:.0f}×",
        )
    console.print(shown)
    for row in missing:
        what = f"{row['engine']}, {row['language']}" if "language" in row else row["engine"]
        console.print(f"Not compared: {what}: {row['why']}", soft_wrap=True, markup=False)


def _show_speed(console: Console, speed: Row) -> None:
    numbers = ("drawn pages/s", "enc ms", "dec ms")
    shown = table("tier", *numbers, right=numbers)
    for row in speed["tiers"]:
        shown.add_row(
            row["tier"], f"{row['rendered_pages_per_s']:.0f}", f"{row['encode_ms']:.1f}", f"{row['decode_ms']:.1f}"
        )
    console.print(shown)
    console.print(f"Weights loaded in {speed['load_ms']:.0f} ms.")
