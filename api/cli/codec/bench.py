"""`codec bench`: measure the selected codec."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foxing.api.cli.context import JsonOption, state_of

from .bench_tables import show_result

if TYPE_CHECKING:
    from foxing.encoder import Codec
    from foxing.encoder.bench import PageSet


def bench(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE…",
            help="JSON Lines of messages, each as FILE or NAME=FILE; may be given more than once. Files with the same "
            "name are measured together; a file without a name is grouped by the 'lang' of its first document. Without "
            "--texts, the conversation of the demo is measured.",
        ),
    ] = None,
    tier: Annotated[list[str] | None, typer.Option(metavar="TIER", help="Only this tier.", show_default="all")] = None,
    pages: Annotated[int, typer.Option(min=1, help="Maximum number of dense pages per file.")] = 20,
    skip: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Pages to skip at the start of each file of --texts.",
            show_default="3, or half of a short file",
        ),
    ] = None,
    identifiers: Annotated[
        int, typer.Option(min=0, help="Also measure this many dense pages of random hexadecimal, UUIDs and digits.")
    ] = 0,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Also measure every other token size that the codec offers.")
    ] = False,
    degraded: Annotated[
        bool, typer.Option("--degraded", help="Also measure shifted, blurred, noisy and JPEG images at tier small.")
    ] = False,
    characters: Annotated[
        bool, typer.Option("--characters", help="Also measure every character of the codec's repertoire, by kind.")
    ] = False,
    ageing: Annotated[
        bool, typer.Option("--ageing", help="Also age pages through decoded text, tier by tier, from base to micro.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also measure RapidOCR and Tesseract, if installed, on the same images.")
    ] = False,
    baseline_pages: Annotated[int, typer.Option(min=1, help="Pages of each group that --baselines measures.")] = 1,
    speed: Annotated[
        bool, typer.Option("--speed", help="Also time loading, drawing, encoding and decoding separately.")
    ] = False,
    plot: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Plot accuracy against compression to this PNG or SVG file.", show_default=False
        ),
    ] = None,
    plot_rates: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Plot accuracy against bits per character to this PNG or SVG file.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure accuracy, size, calibration and speed of the codec on text it was never trained on.

    `rows` has one entry per group and tier, followed on request by other token sizes, altered images (`condition`) and
    pages aged through decoded text (`path` is "aged"). `characters` has one entry per kind of character and tier. For
    a codec based on a vision-language model, `storage` shows how storing tokens in each dtype changes the logits of
    its decoder.
    """
    from foxing.encoder import load_codec

    from .bench_run import BenchRun

    state = state_of(context)
    settings = state.settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
    tiers = _tiers(codec, tier or ())
    groups = _text_groups(codec, texts or (), pages, skip) if texts or not identifiers else {}
    run = BenchRun(state, codec, _with_identifiers(codec, groups, identifiers), tiers)
    engines = run.load_baselines() if baselines else None
    result = run.measure(sizes=sizes, degraded=degraded, ageing=ageing)
    if characters:
        result.characters = run.measure_characters()
    if engines is not None:
        result.baselines = run.compare(engines, baseline_pages)
    if speed:
        result.speed = run.measure_speed(settings.device)
    result.plot(plot or (), plot_rates or ())
    state.answer(result.to_dict(), lambda console: show_result(console, result))


def _tiers(codec: "Codec", names: Sequence[str]) -> list[str]:
    """The tiers to measure: `names` without repetitions, or all. Raises `CodecError` for one the codec lacks."""
    from foxing.encoder import CodecError

    for name in names:
        if name not in codec.tiers:
            raise CodecError(f"the {codec.name} codec has no tier '{name}'; it has {', '.join(codec.tiers)}")
    return list(dict.fromkeys(names or codec.tiers))


def _text_groups(codec: "Codec", texts: Sequence[str], pages: int, skip: int | None) -> "dict[str, PageSet]":
    """The pages of `texts` by group, or those of the demo's conversation."""
    from foxing.encoder.bench import load_texts, named_file, texts_of

    if texts:
        return load_texts([named_file(text) for text in texts], codec, skip=skip, limit=pages)
    from foxing.api.demo.conversation import demo_conversation

    messages = [message.model_dump(exclude={"created_at", "id", "thread"}) for message in demo_conversation()]
    return {"demo": texts_of([{"id": "demo", "messages": messages}], codec, pages)}


def _with_identifiers(codec: "Codec", groups: "dict[str, PageSet]", pages: int) -> "dict[str, PageSet]":
    """`groups` that have pages, and `pages` pages of identifiers. Raises `CodecError` if no page is left."""
    from foxing.encoder import CodecError
    from foxing.encoder.bench import identifier_texts

    if pages:
        groups = {**groups, "identifiers": identifier_texts(codec, pages)}
    groups = {name: group for name, group in groups.items() if group.pages}
    if not groups:
        raise CodecError("no page is left to measure; give longer texts or a smaller --skip")
    return groups
