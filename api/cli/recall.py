"""`recall`: find messages by query and time."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Unpack

import typer

from foxing.memory import InvalidInput, RecallQuery, RecallResult, TextQueryFields
from foxing.memory.values.recall import fields_only_for
from foxing.memory.values.signatures import takes
from foxing.memory.values.speakers import speaker_of

from .context import BankOption, JsonOption, state_of
from .fields import help_of, options_of
from .output import Timezone, printable, underlined

if TYPE_CHECKING:
    from rich.console import Console

    from foxing.memory import RecalledMessage

_REASONS = {
    "max_tokens": "over --max-tokens",
    "not_verbatim": "the exact text is not kept",
    "unreadable": "the page cannot be read at the moment",
}


#: `query` and `metadata` are declared below; the command has no pagination.
_APART = ("query", "metadata", "cursor", *fields_only_for("images"))


@takes(options_of(RecallQuery, leave_out=_APART))
def recall(
    context: typer.Context,
    bank: BankOption,
    query: Annotated[str | None, typer.Argument(help=help_of(RecallQuery, "query"), show_default=False)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only messages whose metadata has this value; may be repeated. VALUE is parsed as JSON if it is a "
            "number, true, false or null, and is a string otherwise; quote a string that looks like JSON: "
            "'turn=\"3\"'.",
            show_default=False,
        ),
    ] = None,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            help="Show the messages one by one, best first, with thread, tier, share kept and confidence; uncertain "
            "characters are underlined.",
        ),
    ] = False,
    as_json: JsonOption = False,
    **fields: Unpack[TextQueryFields],
) -> None:
    """Find messages by query, time, or both, and print them as a model is to see them."""
    state = state_of(context)
    zone = state.timezone(fields.get("timezone"))
    fields["timezone"] = zone.name
    fields["metadata"] = dict(_condition(text) for text in where or ())
    request = RecallQuery.build(query, **fields)
    answer = None if request.now is not None else state.ask_service(bank, "recall", request, RecallResult)
    if answer is not None:
        result = answer
    else:
        with state.memory() as memory:
            result = memory.recall(bank, request)

    def show(console: "Console") -> None:
        if details:
            for span in result.spans:
                show_span(console, span, zone)
        elif result.rendered:
            console.print(printable(result.rendered))
            console.print()
        uncertain = sum(bool(span.uncertain) for span in result.spans)
        if uncertain and not details:
            console.print(f"{uncertain} may be misread in part; --details shows where", style="dim")
        for part in result.scores:
            sum_ = f"({part.words:.3f} words + {part.meaning:.3f} meaning + {part.neighbours:.3f} neighbours)"
            console.print(f"{part.message_id}: {part.score:.3f} = {sum_} × {part.preference:.2f}", style="dim")
        advice = "" if result.next_cursor is None else "; raise --limit or --max-tokens to see more"
        console.print(f"{len(result.spans)} messages, {result.text_tokens} text tokens{advice}")
        for reason, number in Counter(part.reason for part in result.left_out).items():
            console.print(f"{number} omitted: {_REASONS[reason]}", style="dim")
        for note in result.notes:
            console.print(printable(note), style="yellow")

    state.answer(result, show)


def _condition(text: str) -> "tuple[str, Any]":
    """Returns the key and the value of `--where`. Raises `InvalidInput`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--where takes KEY=VALUE, such as channel=planning, not '{text}'")
    try:
        parsed = json.loads(value)
    except ValueError:
        return key, value
    return key, value if isinstance(parsed, (dict, list)) else parsed


def show_span(console: "Console", span: "RecalledMessage", zone: Timezone) -> None:
    """Prints a message with its time, speaker and source, and its uncertain characters underlined."""
    source = span.source if span.tier is None else f"{span.source} at {span.tier}"
    sure = "" if span.source != "decoded" else f", {span.kept_percent}% kept, confidence {span.confidence:.1%}"
    neighbour = "" if span.neighbour_of is None else f", neighbour of {span.neighbour_of}"
    faded = ", found by a faded word" if span.matched_faded else ""
    relevant = "" if span.relevance is None else f", relevance {span.relevance:.2f}"
    replaced = ""
    if span.superseded_by is not None and span.superseded_at is not None:
        replaced = f", replaced by {span.superseded_by} on {zone.show(span.superseded_at)}"
    notes = f"{sure}{relevant}{faded}{replaced}{neighbour}"
    head = f"{zone.show(span.created_at)}  {speaker_of(span)}  [{span.thread}]  {source}{notes}"
    console.print(printable(head), style="dim")
    console.print(underlined(span.text, span.uncertain))
    console.print()
