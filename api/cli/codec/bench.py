"""`codec bench`: measure the selected codec."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import table
from foxing.api.cli.streams import input_file, is_stream, refuse_stream

#: What the tables show of a row: identity and size, then how the words of messages are read.
_ROWS = (
    "tier language condition path pages kept_share accuracy silent_errors_per_10k invented_per_million "
    "bits_per_character zstd_bits_per_character ppmd_bits_per_character bytes_per_page compression encode_ms decode_ms",
    "tier language condition path kept_accuracy calibration_error flagged_share words facts invented_words_per_million",
)
#: Printed below every table that has a compression ratio.
UNIT_NOTE = (
    "compression is text tokens per vision token. A native vision token is a unit of storage and recall; it saves LLM "
    "context only where the LLM looks at page images."
)


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

    The first pages of each file, 3 or half of a short one, are left out: weights may have been chosen on them. `rows`
    has one entry per group and tier, followed by altered images (--degraded, `condition`) and pages aged through
    decoded text (--ageing, `path` is "aged"). If a page exceeds the capacity of a tier, words fade first, as in a bank
    of the same messages: `kept_share` is the share of the messages that remains, and errors are counted against the
    page as drawn. A character that is read as a gap (⋯) is not kept, which does not count as an error; a character
    that is read where the page has none is invented. Words are compared with the original messages: `words` is the
    share that is read, `facts` that of the words which never fade by rule.
    `characters` has one entry per kind of character and tier. `calibration` has
    the thresholds of flags: at each tier the lowest with at most 0.5 % of the characters wrong and not flagged, chosen
    on every other page and measured on the rest.
    """
    from foxing.encoder import load_codec, run_bench
    from foxing.memory.ingest.salience import salience_in_bank

    refuse_stream("--calibration", calibration)
    state = state_of(context)
    settings = state.settings()
    requested = {
        "degraded": degraded,
        "ageing": ageing,
        "characters": characters,
        "speed": speed,
        "calibration": calibration is not None,
    }
    with ExitStack() as stack:
        result = run_bench(
            load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec)),
            [_named(stack, argument) for argument in texts or ()],
            [] if texts or identifiers else [_demo()],
            tier or (),
            pages=pages,
            identifiers=identifiers,
            parts={part for part, chosen in requested.items() if chosen},
            device=settings.device,
            salience=salience_in_bank,
            progress=state.progress,
        )
    if calibration is not None and result.calibration is not None:
        result.calibration.write(calibration)
    document = result.to_dict()
    state.answer(document, lambda console: _show(console, document))


def _named(stack: ExitStack, argument: str) -> str:
    """Returns a file of `--texts`; for standard input, one with its contents that exists until the stack is closed."""
    name, equals, file = argument.rpartition("=")
    if not is_stream(file) or Path(argument).exists():
        return argument
    return f"{name}{equals}{stack.enter_context(input_file(Path(file)))}"


def _demo() -> dict[str, Any]:
    """Returns the conversation of the demo as a document."""
    from foxing.api.demo.conversation import demo_conversation

    messages = [message.model_dump(exclude={"created_at", "id", "thread"}) for message in demo_conversation()]
    return {"id": "demo", "lang": "en", "messages": messages}


def _show(console: Console, document: Mapping[str, Any]) -> None:
    """Prints the parts of the JSON document as tables, whose columns are its fields."""
    for columns in _ROWS:
        console.print(_table(document["rows"], columns.split()))
    console.print(UNIT_NOTE)
    if "characters" in document:
        console.print(_table(document["characters"]))
    if "speed" in document:
        console.print(_table(document["speed"]["tiers"]))
        console.print(f"Weights loaded in {document['speed']['load_ms']:.0f} ms.")
    if "calibration" in document:
        tiers = document["calibration"]["tiers"].items()
        console.print(_table([{"tier": name, **threshold} for name, threshold in tiers]))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Any:
    names = columns or list(rows[0] if rows else ())
    cells = [[f"{value:.4g}" if isinstance(value, float) else value for value in map(row.get, names)] for row in rows]
    return table(", ".join(names), [[cell[:20] if isinstance(cell, str) else cell for cell in row] for row in cells])
