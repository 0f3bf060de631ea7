"""`seal`, `age`, `undo`, `erase` and `policy`: the lifecycle of the pages of a bank."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from foxing.memory import AgeReport, ErasureReport, InvalidPolicy, Memory, PersonErasure, SealReport, UndoReport
from foxing.renderer import Progress

from .context import BankOption, JsonOption, NowOption, State, TimezoneOption, state_of
from .job_service import done_by_service
from .output import Timezone, forecast_text, jsonable, printable, table, write_json
from .pool import ActorGpusOption, ActorsOption, PoolOptions, RayOption
from .streams import name_of, read_input

LOG_NOT_ERASED = (
    "some copies remain because the write-ahead log or object storage is in use; the scheduler erases them later"
)


def seal(
    context: typer.Context,
    bank: BankOption,
    now: NowOption = None,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal the open messages of a bank onto pages now."""
    state = state_of(context)
    zone = state.timezone(timezone)
    at = datetime.now(UTC)
    with state.progress("sealing pages") as progress:
        report = None if now else done_by_service(state, bank, "POST", "seal", SealReport, progress, {})
        if report is None:
            with state.memory() as memory:
                at = memory.now(now, zone.name)
                report = memory.seal(bank, now=at, progress=progress)
    state.answer(
        report,
        lambda console: console.print(
            f"{zone.show(at)}: {len(report.pages)} pages sealed with {report.messages} messages; "
            f"{report.open_messages} still open"
        ),
    )


def age(
    context: typer.Context,
    bank: BankOption,
    now: NowOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; show what would move or be purged, and the savings.")
    ] = False,
    preview: Annotated[
        int,
        typer.Option(min=0, max=100, help="With --dry-run: number of pages to count fading facts and other words of."),
    ] = 8,
    ray: RayOption = False,
    actors: ActorsOption = None,
    actor_gpus: ActorGpusOption = 0,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the pages of a bank to the tiers that its policy sets for their age, and purge expired trash."""
    state, workers = state_of(context), PoolOptions(ray, actors, actor_gpus, dry_run=dry_run)
    zone = state.timezone(timezone)
    with workers.pool(state) as pool, state.memory() as memory, state.progress("ageing pages") as progress:
        by_service = None
        if pool is None and not dry_run and now is None:
            by_service = done_by_service(state, bank, "POST", "age", AgeReport, progress, {})
        if by_service is not None:
            report = by_service
        elif pool is None:
            report = memory.age(bank, now=now, timezone=zone.name, dry_run=dry_run, preview=preview, progress=progress)
        else:
            report = memory.operations.bulk.age(bank, pool, now=now, timezone=zone.name, progress=progress)
        paused_until = memory.policy(bank).paused_until

    def show(console: Console) -> None:
        _show(console, report, zone)
        if paused_until is not None and report.now < paused_until:
            until = zone.show(paused_until)
            console.print(f"ageing is paused until {until}; `foxing policy --bank {bank} --pause-for PT0S` ends that")

    state.answer(report, show)


def _show(console: Console, report: AgeReport, zone: Timezone) -> None:
    rows = [
        (
            *(move.page_id, move.from_tier, move.to_tier, move.messages),
            f"{move.vision_tokens_before:,} → {move.vision_tokens_after:,}",
            f"{move.bytes_before:,} → {move.bytes_after:,}",
            "dropped" if move.drops_text else "",
        )
        for move in report.moved
    ]
    if rows:
        console.print(table("page, from, to, >messages, >tokens, >bytes, text", rows))
    _show_words(console, report)
    moved, purged = ("would move", "would be purged") if report.dry_run else ("moved", "purged")
    console.print(
        f"{zone.show(report.now)}: {len(report.moved)} pages {moved}; vision tokens {report.vision_tokens_before:,} → "
        f"{report.vision_tokens_after:,}, bytes {report.bytes_before:,} → {report.bytes_after:,}; "
        f"{report.purged} trash entries {purged}",
    )
    for page in report.unreadable:
        console.print(f"page {page.page_id} was skipped: {page.reason}")
    if report.busy:
        console.print(f"{len(report.busy)} pages were skipped: another process ages or changes them; run it again")
    for forecast in report.upcoming:
        console.print(f"page {forecast.page_id} at {forecast.tier}: {forecast_text(forecast, zone)}")


def _show_words(console: Console, report: AgeReport) -> None:
    """Prints the words that would remain, by class, on the previewed pages."""
    page_words = [move.words for move in report.moved if move.words is not None]
    if not page_words:
        return
    rows = []
    for name in dict.fromkeys(name for words in page_words for name in words):
        counts = [words[name] for words in page_words if name in words]
        rows.append((name.replace("_", " "), sum(c.words for c in counts), sum(c.kept for c in counts)))
    console.print(table("class, >words, >would remain", rows))
    console.print(
        f"words of {len(page_words)} of {len(report.moved)} pages; `foxing preview PAGE` shows the text of one"
    )


def undo(
    context: typer.Context,
    bank: BankOption,
    since: Annotated[
        str | None,
        typer.Option(
            help="Restore only what was dropped at this time or later: an RFC 3339 time, a date, or words such as “2 "
            "hours ago”.",
            show_default="everything within the undo window",
        ),
    ] = None,
    page: Annotated[str | None, typer.Option(help="Id of the page.", show_default="all pages")] = None,
    now: NowOption = None,
    timezone: TimezoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore what ageing dropped within the undo window, and pin the restored pages."""
    state = state_of(context)
    zone = state.timezone(timezone)
    options = {"since": since, "page": page, "timezone": zone.name}
    with state.progress("restoring pages") as progress:
        report = None if now else done_by_service(state, bank, "POST", "undo", UndoReport, progress, options)
        if report is None:
            with state.memory() as memory:
                report = memory.undo(bank, since=since, page=page, now=now, timezone=zone.name, progress=progress)
    state.answer(report, lambda console: _show_undo(console, report, zone))


def _show_undo(console: Console, report: UndoReport, zone: Timezone) -> None:
    rows = [
        (
            *(page.page_id, page.from_tier, page.to_tier, page.messages, zone.show(page.dropped_at)),
            f"{page.vision_tokens_before:,} → {page.vision_tokens_after:,}",
            f"{page.bytes_before:,} → {page.bytes_after:,}",
            "restored" if page.text_restored else "",
        )
        for page in report.restored
    ]
    if rows:
        console.print(table("page, from, to, >messages, dropped, >tokens, >bytes, text", rows))
    console.print(
        f"{len(report.restored)} pages restored and pinned; vision tokens {report.vision_tokens_before:,} → "
        f"{report.vision_tokens_after:,}, bytes {report.bytes_before:,} → {report.bytes_after:,}",
    )
    if report.purged:
        console.print(f"the exact text of {len(report.purged)} pages has been purged; it can only come from a backup")
    if report.busy:
        console.print(f"{len(report.busy)} pages are locked by another process; run the command again")
    for skipped in report.unreadable:
        console.print(f"page {skipped.page_id} was skipped: {skipped.reason}")


def erase(
    context: typer.Context,
    bank: Annotated[str | None, typer.Option("--bank", "-b", help="Name of the bank.", show_default=False)] = None,
    message: Annotated[str | None, typer.Option(help="Id of the message to erase.", show_default=False)] = None,
    thread: Annotated[str | None, typer.Option(help="Name of the thread to erase.", show_default=False)] = None,
    person: Annotated[
        str | None,
        typer.Option(help="Speaker whose messages to erase in all banks; without --yes a dry run.", show_default=False),
    ] = None,
    mentions: Annotated[
        bool,
        typer.Option("--mentions", help="With --person: also messages of others with the name in their text."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Permanently erase a message, a thread, a whole bank, or what a person said in all banks."""
    state = state_of(context)
    if person is not None:
        if bank is not None or message is not None or thread is not None:
            raise typer.BadParameter("--person goes with no --bank, --message or --thread: it concerns all banks")
        _erase_person(state, person, mentions=mentions, dry_run=not yes)
        return
    if mentions:
        raise typer.BadParameter("--mentions goes with --person")
    if bank is None:
        raise typer.BadParameter("give --bank, or --person for all banks")
    if message is not None and thread is not None:
        raise typer.BadParameter("give --message or --thread, not both; without either, the whole bank is erased")
    what = f"bank '{bank}'"
    if message is not None or thread is not None:
        what = f"'{message or thread}' of {what}"
    if not yes:
        if state.as_json or not sys.stdin.isatty():
            raise typer.BadParameter(f"this permanently erases {what}; confirm with --yes", param_hint="--yes")
        typer.confirm(f"Permanently erase {printable(what)}?", abort=True)
    with state.progress("erasing messages") as progress:
        report = None
        if message is None:
            path = "" if thread is None else f"threads/{quote(thread, safe='')}"
            report = done_by_service(state, bank, "DELETE", path, ErasureReport, progress)
        if report is None:
            with state.memory() as memory:
                report = _erased(memory, bank, message, thread, progress)

    def show(console: Console) -> None:
        deleted = sum(page.deleted for page in report.pages)
        console.print(
            f"{report.messages:,} messages erased; {len(report.pages) - deleted} pages reencoded, "
            f"{deleted} deleted; bytes {report.bytes_before:,} → {report.bytes_after:,}",
        )
        if not report.log_erased:
            console.print(LOG_NOT_ERASED)

    state.answer(report, show)


def _erased(memory: Memory, bank: str, message: str | None, thread: str | None, progress: Progress) -> ErasureReport:
    """Erases a message, a thread or a bank."""
    if message is not None:
        return memory.erase_message(bank, message)
    if thread is not None:
        return memory.erase_thread(bank, thread, progress=progress)
    return memory.erase_bank(bank)


def _erase_person(state: State, person: str, *, mentions: bool, dry_run: bool) -> None:
    options = {"person": person, "mentions": mentions, "dry_run": False}
    with state.progress("erasing messages") as progress:
        report = None if dry_run else done_by_service(state, None, "POST", "erase", PersonErasure, progress, options)
        if report is None:
            with state.memory() as memory:
                report = memory.operations.persons.erase(person, mentions=mentions, dry_run=dry_run, progress=progress)
        report = report.model_copy(update={"person": person})  # a job does not keep it

    def show(console: Console) -> None:
        rows = [
            (part.bank, part.messages, part.quarantined, ", ".join(part.threads), part.reason or "")
            for part in report.banks
        ]
        console.print(table("bank, >messages, >quarantined, threads, note", rows))
        if dry_run:
            console.print(f"{report.messages:,} messages would be erased for good; repeat the command with --yes")
        else:
            console.print(f"{report.messages:,} messages erased, {report.remaining:,} remain")
        if not report.log_erased:
            console.print(LOG_NOT_ERASED)

    state.answer(report, show)
    if not dry_run and report.remaining:
        raise typer.Exit(1)


def policy(
    context: typer.Context,
    bank: BankOption,
    set_from: Annotated[
        Path | None,
        typer.Option("--set", help="Set the policy from this JSON file; - is standard input.", show_default=False),
    ] = None,
    pause_for: Annotated[
        str | None,
        typer.Option(
            help="Stop ageing in the bank for this ISO 8601 duration, such as P1D; PT0S ends a pause.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show, set or pause the ageing policy of a bank."""
    state = state_of(context)
    fields = None if set_from is None else _read_policy(set_from)
    with state.memory(create=set_from is not None) as memory:
        current = memory.policy(bank) if fields is None else memory.set_policy(bank, fields)
        if pause_for is not None:
            current = memory.set_policy(bank, current.paused(pause_for, memory.now()))
    if state.as_json:
        write_json(current)
    else:
        sys.stdout.write(json.dumps(jsonable(current), indent=2, ensure_ascii=False) + "\n")


def _read_policy(path: Path) -> dict[str, Any]:
    """Returns the JSON object in `path`, or on standard input for `-`. Raises `InvalidPolicy`."""
    name = name_of(path)
    try:
        fields = json.loads(read_input(path))
    except OSError as error:
        raise InvalidPolicy(f"{name} cannot be read ({error.strerror}); give a JSON file") from error
    except ValueError as error:
        raise InvalidPolicy(f"{name} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidPolicy(f"{name} must contain one JSON object; start from the output of `foxing policy --bank …`")
    return fields
