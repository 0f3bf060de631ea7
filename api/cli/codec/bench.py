"""`codec bench`: measure the selected codec."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.streams import input_file, is_stream, refuse_stream

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
            help="JSON Lines of messages, each as FILE or NAME=FILE, where the file - is standard input; may be given "
            "more than once. Files with the same "
            "name are measured together; a file without a name is grouped by the 'lang' of its first document. Without "
            "--texts, the conversation of the demo is measured.",
        ),
    ] = None,
    tier: Annotated[list[str] | None, typer.Option(metavar="TIER", help="Only this tier.", show_default="all")] = None,
    pages: Annotated[int, typer.Option(min=1, help="Maximum number of dense pages per file.")] = 20,
    group_pages: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum number of dense pages per group, taken equally from its files.",
            show_default="no maximum",
        ),
    ] = None,
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
            metavar="FILE",
            help="Plot the share of characters read right against bytes per page to this PNG or SVG file.",
            show_default=False,
        ),
    ] = None,
    plot_classes: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Plot the share of names, numbers, dates, negations, rare and other words read right against bytes "
            "per page to this PNG or SVG file.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what the codec keeps of text it was never trained on, in how many bytes, how accurately and how fast.

    `rows` has one entry per group and tier, followed on request by altered images (`condition`) and pages aged through
    decoded text (`path` is "aged"). Where a tier holds less than a page, words fade first, as in a bank of the same
    messages: `kept_share` is the share of the messages that is left, and errors are those of the page as it is drawn. A
    character is kept unless it is read as a gap (⋯), which is no error; it is invented if it is read where the page has
    none. Words are compared with the original message by message: `names`, `numbers`, `dates`, `negations`,
    `rare_words`, `content_words`, `common_words` and `identifiers` are the shares read right. `recalled_text_tokens`:
    text tokens of the messages as they are read ÷ exact. `characters` has one entry per kind of character and tier. For
    a codec based on a vision-language model, `storage` shows how storing tokens in each dtype changes the logits of its
    decoder.
    """
    from foxing.encoder import load_codec
    from foxing.encoder.bench import load_texts
    from foxing.encoder.bench.plot import plot_classes as draw_classes
    from foxing.encoder.bench.plot import plot_curve

    from .bench_run import BenchOptions, run_bench

    refuse_stream("--plot", *(plot or ()))
    refuse_stream("--plot-classes", *(plot_classes or ()))
    state = state_of(context)
    settings = state.settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
    tiers = chosen_tiers(codec, tier or ())
    groups = {}
    if texts:
        with text_files(texts) as files:
            groups = load_texts(files, codec, skip=skip, limit=pages, group_limit=group_pages)
    elif not identifiers:
        groups = {"demo": _demo_texts(codec, pages if group_pages is None else min(pages, group_pages))}
    groups = _with_identifiers(codec, groups, identifiers)
    options = BenchOptions(
        degraded, ageing, characters, baseline_pages if baselines else None, settings.device if speed else None
    )
    result = run_bench(state, codec, groups, tiers, options)
    for path in plot or ():
        plot_curve(result.rows, path, () if result.baselines is None else result.baselines.rows)
    for path in plot_classes or ():
        draw_classes(result.rows, path)
    state.answer(result.to_dict(), lambda console: show_result(console, result))


def chosen_tiers(codec: "Codec", names: Sequence[str]) -> list[str]:
    """`names` without repetitions, or all tiers of the codec. Raises `CodecError` for one that it lacks."""
    from foxing.encoder import CodecError

    for name in names:
        if name not in codec.tiers:
            raise CodecError(f"the {codec.name} codec has no tier '{name}'; it has {', '.join(codec.tiers)}")
    return list(dict.fromkeys(names or codec.tiers))


@contextmanager
def text_files(arguments: Sequence[str]) -> "Iterator[list[tuple[str | None, Path]]]":
    """The files of `--texts`, each with its group or None; standard input is a file until the block ends. Raises
    `CodecError` for a file that does not exist."""
    from foxing.encoder.bench import named_file

    with ExitStack() as stack:
        files = []
        for argument in arguments:
            group, _, file = argument.rpartition("=")
            if is_stream(file) and not Path(argument).exists():
                files.append((group.strip() or None, stack.enter_context(input_file(Path(file)))))
            else:
                files.append(named_file(argument))
        yield files


def _demo_texts(codec: "Codec", limit: int) -> "PageSet":
    """The first pages of the demo's conversation."""
    from foxing.api.demo.conversation import demo_conversation
    from foxing.encoder.bench import texts_of

    messages = [message.model_dump(exclude={"created_at", "id", "thread"}) for message in demo_conversation()]
    return texts_of([{"id": "demo", "lang": "en", "messages": messages}], codec, limit)


def _with_identifiers(codec: "Codec", groups: "dict[str, PageSet]", pages: int) -> "dict[str, PageSet]":
    """`groups` that have pages, and `pages` pages of identifiers, with the salience of their words in a bank of each
    group. Raises `CodecError` if no page is left."""
    from foxing.encoder import CodecError
    from foxing.encoder.bench import identifier_texts
    from foxing.memory.ingest.salience import salience_in_bank

    if pages:
        groups = {**groups, "identifiers": identifier_texts(codec, pages)}
    groups = {name: group for name, group in groups.items() if group.pages}
    if not groups:
        raise CodecError("no page is left to measure; give longer texts or a smaller --skip")
    for group in groups.values():
        group.refine = salience_in_bank(message.content for message in group.messages)
    return groups
