"""`bench`: the figures of the documentation, measured here and now."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .codec_bench_tables import show_codec
from .context import JsonOption, state_of, table

if TYPE_CHECKING:
    from foxing.encoder import Codec
    from foxing.encoder.bench import Texts
    from foxing.encoder.bench.baselines import RivalRow

bench_commands = typer.Typer(name="bench", help="Measure codec, recall and service.", no_args_is_help=True)


@bench_commands.command("codec")
def codec(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            help="JSON Lines of messages, as FILE or NAME=FILE; more than once. Files of one name are measured "
            "together; without one a file goes by the 'lang' of its first document. Without --texts: the "
            "conversation of the demo."
        ),
    ] = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only these tiers.", show_default="all")] = None,
    pages: Annotated[int, typer.Option(min=1, help="Dense pages of each file, at most.")] = 20,
    skip: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Pages left out at the beginning of each file of --texts.",
            show_default="3, or half of a short file",
        ),
    ] = None,
    identifiers: Annotated[
        int, typer.Option(min=0, help="Also so many dense pages of random hexadecimal, UUIDs and digits.")
    ] = 0,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Also every other size of a token that the codec offers.")
    ] = False,
    degraded: Annotated[
        bool, typer.Option("--degraded", help="Also shifted, blurred, noisy and as JPEG, at small.")
    ] = False,
    characters: Annotated[
        bool, typer.Option("--characters", help="Also every character that the codec reads, by kind, among words.")
    ] = False,
    ageing: Annotated[
        bool, typer.Option("--ageing", help="Also from tier to tier through decoded text, base to micro.")
    ] = False,
    rivals: Annotated[
        bool, typer.Option("--rivals", help="Also RapidOCR and Tesseract on the same images, as far as installed.")
    ] = False,
    rival_pages: Annotated[int, typer.Option(min=1, help="Pages of each group that --rivals reads.")] = 1,
    speed: Annotated[
        bool,
        typer.Option(
            "--speed",
            help="Also loading, drawing, encoding and decoding by themselves, and a bank of each group on SQLite that "
            "is sealed and ages: pages a second, and bits a character with index, keepsakes and metadata.",
        ),
    ] = False,
    plot: Annotated[
        list[Path] | None,
        typer.Option(help="Draw accuracy against compression into this PNG or SVG.", show_default=False),
    ] = None,
    plot_rates: Annotated[
        list[Path] | None,
        typer.Option(help="Draw accuracy against bits a character into this PNG or SVG.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, size, calibration and speed of the codec, on text it was never trained on.

    `rows` has one entry for each group and tier; then, where asked for, for other sizes of a token, for altered images
    (`condition`), and for pages that aged through decoded text (`path` is "aged"). `characters` has one entry for each
    kind of characters and tier. For a codec over a vision-language
    model `storage` tells what storing tokens in each dtype does to the logits of its decoder.
    """
    from foxing.encoder import CodecError, StoringCodec, load_codec
    from foxing.encoder.bench import measure_characters
    from foxing.encoder.bench import plot as drawing
    from foxing.encoder.bench.baselines import load_rivals

    from .bench_plan import compare_with, plan_rows, run_plan, speed_of, storage_of, warm_up

    state = state_of(context)
    settings = state.settings()
    chosen = load_codec(settings.codec, settings.device, settings.token_bytes, settings.codec_options)
    for name in tier or ():
        if name not in chosen.tiers:
            raise CodecError(f"the {chosen.name} codec has no tier '{name}'; it has {', '.join(chosen.tiers)}")
    tiers = list(dict.fromkeys(tier or chosen.tiers))
    groups = _groups(chosen, texts, pages, skip, identifiers)
    engines, missing = load_rivals() if rivals else ([], {})
    document: dict[str, Any] = {}
    with state.progress("measuring") as progress:
        warm_up(chosen, groups, tiers)
        plan = plan_rows(chosen, groups, tiers, sizes=sizes, degraded=degraded, ageing=ageing)
        rows = run_plan(plan, progress)
    document["rows"] = [row.to_dict() for row in rows]
    if isinstance(chosen, StoringCodec):
        with state.progress("storage") as progress:
            document["storage"] = storage_of(chosen, groups, tiers, progress)
    if characters:
        with state.progress("characters") as progress:
            document["characters"] = [row.to_dict() for row in measure_characters(chosen, tiers, progress)]
    compared: list[RivalRow] = []
    if rivals:
        with state.progress("rivals") as progress:
            compared, skipped = compare_with(engines, chosen, groups, tiers, rival_pages, progress)
        document["rivals"] = [row.to_dict() for row in compared]
        document["not_compared"] = [*({"engine": name, "why": why} for name, why in missing.items()), *skipped]
    if speed:
        with state.progress("speed") as progress:
            document |= speed_of(chosen, groups, tiers, settings.device, progress)
    for path in plot or ():
        drawing.plot_curve(rows, path, compared)
    for path in plot_rates or ():
        drawing.plot_rates(rows, path)
    state.answer(document, lambda console: show_codec(console, document))


def _groups(
    chosen: "Codec", texts: Sequence[str] | None, pages: int, skip: int | None, identifiers: int
) -> "dict[str, Texts]":
    """What is measured, by group. Raises `CodecError` when nothing is."""
    from foxing.encoder import CodecError
    from foxing.encoder.bench import Texts, identifier_texts, load_texts, named_file, texts_of

    groups: dict[str, Texts] = {}
    if texts:
        groups = load_texts([named_file(said) for said in texts], chosen, skip=skip, limit=pages)
    elif not identifiers:
        from foxing.api.demo.conversation import demo_conversation

        said = [message.model_dump(exclude={"created_at", "id", "thread"}) for message in demo_conversation()]
        groups["demo"] = texts_of([{"id": "demo", "messages": said}], chosen, pages)
    if identifiers:
        groups["identifiers"] = identifier_texts(chosen, identifiers)
    groups = {name: group for name, group in groups.items() if group.pages}
    if not groups:
        raise CodecError("no page is left to measure; give longer texts, or a smaller --skip")
    return groups


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
    from benchmarks.recall import EvidenceRecall, RecallSpeed, bench_locomo, bench_recall_speed
    from foxing.memory import Memory

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
    from benchmarks.service import bench_store

    state = state_of(context)
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as folder, state.progress("storing") as progress:
        result = bench_store(Path(folder), requests, progress)
    state.answer(result, lambda console: _show_fields(console, result.model_dump()))


def _show_fields(console: Console, fields: dict[str, object]) -> None:
    shown = table("figure", "value", right=("value",))
    for name, value in fields.items():
        shown.add_row(name.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value}")
    console.print(shown)
