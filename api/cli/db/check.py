"""`db check`: check the integrity of the database."""

from typing import Annotated

import typer

from foxing.api.cli.context import Check, JsonOption, state_of


def check(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild derived data and delete orphaned rows.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Decode every page and compare every message with the index, not only a sample."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the integrity of the database while services and workers keep running.

    All checksums, offsets and references are checked. Unless --all is given, 100 pages are decoded and 1,000 messages
    compared with the index. --repair deletes orphaned rows and rebuilds data derived from pages and messages: the word
    index, embeddings, and the lookup of messages by id. It never changes pages or messages; restore those from a
    backup. Exits with status 1 if problems remain.
    """
    from foxing.api.memory_factory import memory_options
    from foxing.memory import Maintenance

    state = state_of(context)
    settings = state.settings()
    with Maintenance(state.existing_database()) as database, state.progress("checking") as progress:
        report = database.check(
            settings.codec,
            settings.device,
            settings.codecs,
            memory_options(settings),
            repair=repair,
            everything=everything,
            progress=progress,
        )
    checks: list[Check] = []
    for part in report.parts:
        answer = f"{part.checked:,} checked, {part.problems:,} problems, {part.repaired:,} repaired {part.note or ''}"
        advice = f"{'; '.join(part.examples)}; run foxing db check --repair, or restore a backup"
        checks.append((part.name, "Is it sound?", answer.rstrip(), [advice] * (part.problems > part.repaired)))
    pages = f"{report.pages:,} pages ({report.pages_decoded:,} decoded)"
    contents = f"{report.banks:,} banks, {pages}, {report.messages:,} messages"
    checks.append((report.database, "What does it hold?", contents, ()))
    state.report({**report.model_dump(mode="json"), "ok": report.sound}, checks)
