"""`codec check`: test the selected codec on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foxing.api.cli.context import JsonOption, state_of
from foxing.api.cli.output import table
from foxing.api.cli.streams import refuse_stream

if TYPE_CHECKING:
    from foxing.encoder.diagnostics import CodecCheck

FULL = "With --full: "


def check(
    context: typer.Context,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Run all checks that depend on the weights and the machine, and write a report and a calibration "
            "file. Takes minutes on a GPU and hours without one.",
        ),
    ] = False,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE…",
            help=f"{FULL}JSON Lines files of messages, as for `codec bench`. Default: sentences in eight languages.",
        ),
    ] = None,
    pages: Annotated[int, typer.Option(min=1, help=f"{FULL}maximum number of pages per language.")] = 4,
    tier: Annotated[
        list[str] | None,
        typer.Option(metavar="TIER", help=f"{FULL}check only this tier; may be repeated.", show_default="all"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help=f"{FULL}maximum number of pages per call.")] = 32,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"{FULL}file for the report.", show_default="codec-check-CODEC.md"),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"{FULL}file for the thresholds.", show_default="codec-calibration-CODEC.json"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load the selected codec, encode and decode a page of plain English at every tier, and show the results.

    Exits with status 1 if the codec cannot be loaded or reached, or misreads the page at its sharpest tier. A codec
    behind an endpoint is called once per tier.

    With --full, also run the conformance suite, pages in several languages at all tiers, every prompt of the model,
    calls of 1 to 32 pages (with device utilisation), and the same tokens on the server and on this machine. This
    determines the confidence threshold below which characters are flagged and writes it to a file for the codec's
    option `calibration`. The report is Markdown with all results as JSON at its end, and can be attached to an issue.
    """
    from foxing.encoder import load_codec
    from foxing.encoder.diagnostics import check_codec

    refuse_stream("--report", report)
    refuse_stream("--calibration", calibration)
    state = state_of(context)
    settings = state.settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
    if full:
        from .full_check import measure, plan_check, show_files, write_report

        report = report or Path(f"codec-check-{codec.name}.md")
        calibration = calibration or Path(f"codec-calibration-{codec.name}.json")
        plan = plan_check(settings, codec, texts=texts or (), tiers=tier or (), pages=pages, batch=batch)
        checked = measure(state, codec, plan)
        checked.calibration.write(calibration)
        write_report(checked, report)

        def show(console: Console) -> None:
            show_check(console, checked.first)
            show_files(console, checked, report, calibration)

        files = {"report": str(report), "calibration_file": str(calibration)}
        state.answer({**checked.to_dict(), **files}, show)
        passed = checked.passed
    else:
        with state.progress("checking") as progress:
            result = check_codec(codec, progress)
        state.answer(result.to_dict(), lambda console: show_check(console, result))
        passed = result.passed
    if not passed:
        raise typer.Exit(1)


def show_check(console: Console, result: "CodecCheck") -> None:
    """Prints the codec, its weights and a table of the tiers."""
    console.print(f"{result.codec}, weights {result.weights}, pages of {result.layout}")
    for name, value in result.runs_on.items():
        console.print(f"  {name}: {value}")
    has_positions = any(row.positions is not None for row in result.tiers)
    has_prompt_tokens = any(row.prompt_tokens is not None for row in result.tiers)
    columns = (
        "tier, >px, >accuracy, >confidence, >flagged, >vision tokens, "
        f"{'>positions, ' if has_positions else ''}{'>prompt tokens, ' if has_prompt_tokens else ''}"
        ">bytes, >encode s, >decode s"
    )
    rows = [
        (
            *(row.tier, row.side_px, "unread" if row.unread else f"{row.accuracy:.2%}"),
            *(f"{row.confidence:.1%}", f"{row.flagged_share:.1%}", row.vision_tokens),
            *((row.positions,) if has_positions else ()),
            *((row.prompt_tokens,) if has_prompt_tokens else ()),
            *(row.token_bytes, f"{row.encode_s:.2f}", f"{row.decode_s:.2f}"),
        )
        for row in result.tiers
    ]
    console.print(table(columns, rows))
    console.print("Passed." if result.passed else "Failed: the codec misreads plain English at its sharpest tier.")
