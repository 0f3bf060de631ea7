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
            help="JSON Lines files of messages, each as FILE or NAME=FILE; - is standard input. May be repeated. Files "
            "with the same name are measured together; a file without a name is grouped by the 'lang' of its first "
            "document. Default: the conversation of the demo.",
        ),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(metavar="TIER", help="Measure only this tier; may be repeated.", show_default="all"),
    ] = None,
    pages: Annotated[int, typer.Option(min=1, help="Maximum number of dense pages per file.")] = 20,
    group_pages: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum number of dense pages per group, taken equally from its files.",
            show_default="unlimited",
        ),
    ] = None,
    skip: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of pages to skip at the start of each file of --texts.",
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
    speed: Annotated[
        bool, typer.Option("--speed", help="Also time loading, drawing, encoding and decoding separately.")
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also choose the confidence below which characters are flagged at each tier, and write it to this "
            "file for the codec's option 'calibration'.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the size, accuracy and speed of the codec on text outside its training data.

    `rows` has one entry per group and tier, followed by altered images (--degraded, `condition`) and pages aged through
    decoded text (--ageing, `path` is "aged"). If a page exceeds the capacity of a tier, words fade first, as in a bank
    of the same messages: `kept_share` is the share of the messages that remains, and errors are counted against the
    page as drawn. A character that is read as a gap (⋯) is not kept, which does not count as an error; a character
    that is read where the page has none is invented. Words are compared with the original messages: `names`, `numbers`,
    `dates`, `negations`, `rare_words`, `content_words`, `common_words` and `identifiers` are the shares read correctly.
    `recalled_text_tokens` is the number of text tokens of the messages as read, divided by that of the originals.
    `characters` has one entry per kind of character and tier. `calibration` has the thresholds of flags: at each tier
    the lowest with at most 0.5 % of the characters wrong and not flagged, chosen on every other page and measured on
    the rest.
    """
    from foxing.encoder import load_codec
    from foxing.encoder.bench import load_texts

    from .bench_run import BenchOptions, run_bench

    refuse_stream("--calibration", calibration)
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
    options = BenchOptions(degraded, ageing, characters, settings.device if speed else None, calibration is not None)
    result = run_bench(state, codec, groups, tiers, options)
    if calibration is not None and result.calibration is not None:
        result.calibration.write(calibration)
    state.answer(result.to_dict(), lambda console: show_result(console, result))


def chosen_tiers(codec: "Codec", names: Sequence[str]) -> list[str]:
    """Returns `names` without duplicates, or all tiers of the codec if `names` is empty. Raises `CodecError` for a tier
    that the codec does not have."""
    from foxing.encoder import CodecError

    for name in names:
        if name not in codec.tiers:
            raise CodecError(f"the {codec.name} codec has no tier '{name}'; it has {', '.join(codec.tiers)}")
    return list(dict.fromkeys(names or codec.tiers))


@contextmanager
def text_files(arguments: Sequence[str]) -> "Iterator[list[tuple[str | None, Path]]]":
    """Yields the files of `--texts`, each with its group or None. Standard input is copied to a file that exists until
    the block ends. Raises `CodecError` for a file that does not exist."""
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
    """Adds a group of `pages` pages of identifiers, drops groups without pages, and sets the salience of words as in a
    bank of the group's messages. Raises `CodecError` if no page is left."""
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
