"""`bench`: the figures of the documentation, measured here and now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .codec_bench_tables import show_codec
from .context import JsonOption, state_of

if TYPE_CHECKING:
    from foxing.encoder import Codec
    from foxing.encoder.bench import PageSet
    from foxing.encoder.bench.baselines import BaselineRow


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
            help="Also loading, drawing, encoding and decoding by themselves.",
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
    from foxing.encoder import CodecError, QuantizableCodec, load_codec
    from foxing.encoder.bench import measure_characters, measure_speed
    from foxing.encoder.bench import plot as drawing
    from foxing.encoder.bench.baselines import load_baselines
    from foxing.encoder.bench.plan import compare_with, plan_rows, run_plan, storage_of, warm_up

    state = state_of(context)
    settings = state.settings()
    chosen = load_codec(settings.codec, settings.device, settings.token_bytes, settings.codec_options)
    for name in tier or ():
        if name not in chosen.tiers:
            raise CodecError(f"the {chosen.name} codec has no tier '{name}'; it has {', '.join(chosen.tiers)}")
    tiers = list(dict.fromkeys(tier or chosen.tiers))
    groups = _groups(chosen, texts, pages, skip, identifiers)
    engines, missing = load_baselines() if rivals else ([], {})
    document: dict[str, Any] = {}
    with state.progress("measuring") as progress:
        warm_up(chosen, groups, tiers)
        plan = plan_rows(chosen, groups, tiers, sizes=sizes, degraded=degraded, ageing=ageing)
        rows = run_plan(plan, progress)
    document["rows"] = [row.to_dict() for row in rows]
    if isinstance(chosen, QuantizableCodec):
        with state.progress("storage") as progress:
            document["storage"] = storage_of(chosen, groups, tiers, progress)
    if characters:
        with state.progress("characters") as progress:
            document["characters"] = [row.to_dict() for row in measure_characters(chosen, tiers, progress)]
    compared: list[BaselineRow] = []
    if rivals:
        with state.progress("rivals") as progress:
            compared, skipped = compare_with(engines, chosen, groups, tiers, rival_pages, progress)
        document["rivals"] = [row.to_dict() for row in compared]
        document["not_compared"] = [*({"engine": name, "why": why} for name, why in missing.items()), *skipped]
    if speed:
        with state.progress("speed") as progress:
            speed_row = measure_speed(chosen, next(iter(groups.values())).pages, tiers, settings.device)
            progress(1, 1)
        document["speed"] = speed_row.to_dict()
    for path in plot or ():
        drawing.plot_curve(rows, path, compared)
    for path in plot_rates or ():
        drawing.plot_rates(rows, path)
    state.answer(document, lambda console: show_codec(console, document))


def _groups(
    chosen: "Codec", texts: Sequence[str] | None, pages: int, skip: int | None, identifiers: int
) -> "dict[str, PageSet]":
    """What is measured, by group. Raises `CodecError` when nothing is."""
    from foxing.encoder import CodecError
    from foxing.encoder.bench import PageSet, identifier_texts, load_texts, named_file, texts_of

    groups: dict[str, PageSet] = {}
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
