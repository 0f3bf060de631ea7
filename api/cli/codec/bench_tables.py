"""The tables of `codec bench`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from foxing.api.cli.output import table

if TYPE_CHECKING:
    from foxing.encoder.bench import BenchRow, CharacterRow, CodecSpeed
    from foxing.encoder.flag_thresholds import FlagThresholds

    from .bench_run import BenchResult

#: Printed below the table of word classes.
CLASSES_NOTE = (
    "names to common: shares of the messages' words that are read correctly; a word that has faded counts as not read. "
    "ids: the same for identifiers, which also count in their class. invented/M: words read that are not in the "
    "message, per million characters. recalled: text tokens of the messages as read, divided by those of the originals."
)
#: Printed below every table that has a compression ratio.
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
    if result.speed is not None:
        _show_speed(console, result.speed)
    if result.calibration is not None:
        _show_thresholds(console, result.calibration)


def _show_rows(console: Console, rows: "Sequence[BenchRow]") -> None:
    """Prints accuracy and size, then confidence and speed."""
    columns = (
        "tier, text, image, >pages, >kept, >accuracy, >silent/10k, >invented/M, >bits/char, >zstd, >PPMd, "
        ">B/page, >tokens/page, >×BPE"
    )
    sizes = [
        (
            *(row.tier, row.language, row.condition, row.pages, f"{row.kept_share:.2%}", f"{row.accuracy:.3%}"),
            *(f"{row.silent_errors_per_10k:.1f}", f"{row.invented_per_million:.0f}", f"{row.bits_per_character:.2f}"),
            f"{row.zstd_bits_per_character:.2f}",
            None if row.ppmd_bits_per_character is None else f"{row.ppmd_bits_per_character:.2f}",
            *(f"{row.bytes_per_page:,.0f}", f"{row.vision_tokens / row.pages:,.0f}", f"{row.compression:.1f}"),
        )
        for row in rows
    ]
    console.print(table(columns, sizes))
    console.print(UNIT_NOTE)
    columns = "tier, text, image, >chars, >kept right, >ECE, >flagged, >of errors, >unread, >enc ms, >dec ms"
    confidence = [
        (
            *(row.tier, row.language, row.condition, row.characters, f"{row.kept_accuracy:.3%}"),
            *(f"{row.calibration_error:.4f}", f"{row.flagged_share:.2%}", f"{row.flagged_errors_share:.1%}"),
            *(row.unread_pages, f"{row.encode_ms:.0f}", f"{row.decode_ms:.0f}"),
        )
        for row in rows
    ]
    console.print(table(columns, confidence))


def _show_classes(console: Console, rows: "Sequence[BenchRow]") -> None:
    """Prints the shares of words read correctly, by class, and the rate of invented words."""
    columns = (
        "tier, text, image, encoded, >names, >numbers, >dates, >negations, >rare, >content, >common, >ids, "
        ">invented/M, >recalled, >B/page"
    )
    cells = [
        (
            *(row.tier, row.language, row.condition, row.path, _share(row.names), _share(row.numbers)),
            *(_share(row.dates), _share(row.negations), _share(row.rare_words), _share(row.content_words)),
            *(_share(row.common_words), _share(row.identifiers), f"{row.invented_words_per_million:.0f}"),
            *(_share(row.recalled_text_tokens), f"{row.bytes_per_page:,.0f}"),
        )
        for row in rows
    ]
    console.print(table(columns, cells))
    console.print(CLASSES_NOTE)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"


def _show_ageing(console: Console, aged: "Sequence[BenchRow]", direct: "Sequence[BenchRow]") -> None:
    """Prints the kept shares of pages aged through decoded text, beside pages drawn from the original text."""
    originals = {(row.language, row.tier): row for row in direct if row.condition == "clean"}
    rows = []
    for row in aged:
        original = originals.get((row.language, row.tier))
        rows.append(
            (
                *(row.tier, row.language, row.pages, f"{row.kept_share:.2%}"),
                None if original is None else f"{original.kept_share:.2%}",
                _share(row.content_words),
                None if original is None else _share(original.content_words),
                *(f"{row.accuracy:.3%}", f"{row.silent_errors_per_10k:.1f}"),
                *(f"{row.invented_words_per_million:.0f}", f"{row.bytes_per_page:,.0f}"),
            )
        )
    columns = "tier, text, >pages, >kept, >directly, >content, >directly, >accuracy, >silent/10k, >invented/M, >B/page"
    console.print(table(columns, rows))


def _show_characters(console: Console, rows: "Sequence[CharacterRow]") -> None:
    columns = "tier, kind, >characters, >look-alikes, >others read, >errors flagged, examples of errors"
    cells = [
        (
            *(row.tier, row.kind, row.characters, row.lookalikes, f"{row.accuracy:.2%}"),
            *(f"{row.flagged_errors_share:.1%}", row.wrong[:20]),
        )
        for row in rows
    ]
    console.print(table(columns, cells))


def _show_speed(console: Console, speed: "CodecSpeed") -> None:
    rows = [
        (row.tier, f"{row.rendered_pages_per_s:.0f}", f"{row.encode_ms:.1f}", f"{row.decode_ms:.1f}")
        for row in speed.tiers
    ]
    console.print(table("tier, >drawn pages/s, >enc ms, >dec ms", rows))
    console.print(f"Weights loaded in {speed.load_ms:.0f} ms.")


def _show_thresholds(console: Console, thresholds: "FlagThresholds") -> None:
    rows = [
        (tier, f"{row.flag_below:g}", row.characters, f"{row.silent_errors:.2%}", f"{row.flagged:.2%}")
        for tier, row in thresholds.tiers.items()
    ]
    console.print(table("tier, >flagged below, >characters, >silent errors, >flagged", rows))
