"""`bench`: the figures of the documentation, measured here and now."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .shared import JsonOption, state_of, table

if TYPE_CHECKING:
    from foxing.encoder.bench import BenchRow

bench_commands = typer.Typer(name="bench", help="Measure codec, recall and service.", no_args_is_help=True)


@bench_commands.command("codec")
def codec(
    context: typer.Context,
    texts: Annotated[
        list[Path] | None,
        typer.Option(help="JSON Lines of messages; more than once. Without: the conversation of the demo."),
    ] = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only these tiers.", show_default="all")] = None,
    pages: Annotated[int, typer.Option(min=1, help="Dense pages of each file, at most.")] = 20,
    skip: Annotated[int, typer.Option(min=0, help="Pages left out at the beginning of each file of --texts.")] = 3,
    degraded: Annotated[bool, typer.Option("--degraded", help="Also shifted, blurred, noisy and as JPEG.")] = False,
    plot: Annotated[
        list[Path] | None, typer.Option(help="Draw the curve into this PNG or SVG.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, size, calibration and speed of the codec, on text it was never trained on."""
    from foxing.encoder import CodecError, load_codec
    from foxing.encoder.bench import CONDITIONS, load_pages, measure, pages_of
    from foxing.encoder.plot import plot_curve

    state = state_of(context)
    settings = state.settings()
    chosen = load_codec(settings.codec, settings.device)
    for name in tier or ():
        if name not in chosen.tiers:
            raise CodecError(f"the {chosen.name} codec has no tier '{name}'; it has {', '.join(chosen.tiers)}")
    if texts:
        found = load_pages(texts, chosen, skip=skip, limit=pages)
    else:
        from foxing.api.demo_conversation import demo_conversation

        said = [message.model_dump(exclude={"created_at", "id", "thread"}) for message in demo_conversation()]
        found = {"demo": pages_of([{"id": "demo", "messages": said}], chosen, pages)}
    work = [(language, name, "clean") for language in found for name in tier or chosen.tiers]
    if degraded:
        work += [(language, "small", condition) for language in found for condition in CONDITIONS]
    rows: list[BenchRow] = []
    with state.progress("measuring") as progress:
        for number, (language, name, condition) in enumerate(work):
            if found[language]:
                rows.append(measure(chosen, found[language], name, language, condition))
            progress(number + 1, len(work))
    for path in plot or ():
        plot_curve(rows, path)
    state.answer({"rows": [row.to_dict() for row in rows]}, lambda console: _show(console, rows))


def _show(console: Console, rows: "list[BenchRow]") -> None:
    numbers = (
        *("pages", "chars", "accuracy", "tokens", "B/token", "×BPE", "×chars/4", "bits/char", "zstd", "ECE"),
        *("flagged", "of errors", "silent/10k", "enc ms", "dec ms"),
    )
    shown = table("tier", "text", "image", *numbers, right=numbers)
    for row in rows:
        shown.add_row(
            *(row.tier, row.language, row.condition, f"{row.pages}", f"{row.characters:,}", f"{row.accuracy:.3%}"),
            *(f"{row.vision_tokens:,}", f"{row.bytes_per_token}", f"{row.compression:.1f}"),
            *(f"{row.chars_per_4_per_token:.1f}", f"{row.bits_per_character:.2f}"),
            *(f"{row.zstd_bits_per_character:.2f}", f"{row.calibration_error:.4f}", f"{row.flagged_share:.2%}"),
            *(f"{row.flagged_errors_share:.1%}", f"{row.silent_errors_per_10k:.1f}"),
            *(f"{row.encode_ms:.0f}", f"{row.decode_ms:.0f}"),
        )
    console.print(shown)
    console.print(
        "A native vision token is a unit of storage and of recall; it saves an LLM context only where the LLM looks at "
        "page images.",
        soft_wrap=True,
    )


@bench_commands.command("recall")
def recall(
    context: typer.Context,
    locomo: Annotated[
        Path | None, typer.Option(help="LoCoMo with its questions; without: facts in a large bank.", show_default=False)
    ] = None,
    tier: Annotated[str, typer.Option(help="For LoCoMo: open, small, tiny or micro.")] = "small",
    messages: Annotated[int, typer.Option(min=10, help="Messages in the large bank.")] = 50_000,
    as_json: JsonOption = False,
) -> None:
    """How fast a fact is recalled from a large bank, or how much of LoCoMo's evidence is, beside BM25 over the text."""
    from foxing.memory import Memory
    from foxing.memory.bench import EvidenceRecall, RecallSpeed, bench_locomo, bench_recall_speed

    state = state_of(context)
    result: EvidenceRecall | RecallSpeed
    with (
        tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder,
        Memory(Path(folder) / "bench.db") as memory,
        state.progress("measuring") as progress,
    ):
        if locomo is not None:
            result = bench_locomo(memory, locomo, tier, lambda _, done, total: progress(done, total))
        else:
            result = bench_recall_speed(memory, messages, lambda _, done, total: progress(done, total))
    state.answer(result, lambda console: _show_fields(console, result.model_dump()))


@bench_commands.command("service")
def service(
    context: typer.Context,
    requests: Annotated[int, typer.Option(min=10, help="How many messages are stored.")] = 500,
    as_json: JsonOption = False,
) -> None:
    """How long storing one message over HTTP takes, on a new SQLite database."""
    from foxing.api.bench import bench_store

    state = state_of(context)
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, state.progress("storing") as progress:
        result = bench_store(Path(folder), requests, progress)
    state.answer(result, lambda console: _show_fields(console, result.model_dump()))


def _show_fields(console: Console, fields: dict[str, object]) -> None:
    shown = table("figure", "value", right=("value",))
    for name, value in fields.items():
        shown.add_row(name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value}")
    console.print(shown)
