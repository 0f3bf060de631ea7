"""`reencode`: rewrite pages of another codec or other weights with the current codec."""

from typing import Annotated

import typer
from rich.console import Console

from foxing.memory import ReencodingReport

from .context import JsonOption, all_banks, state_of
from .output import printable, table
from .pool import ActorGpusOption, ActorsOption, PoolOptions, RayOption


def reencode(
    context: typer.Context,
    bank: Annotated[
        str | None, typer.Option("--bank", "-b", help="Reencode only this bank.", show_default="all banks")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be reencoded.")] = False,
    ray: RayOption = False,
    actors: ActorsOption = None,
    actor_gpus: ActorGpusOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Reencode pages written by another codec or other weights with the current codec.

    An interrupted run resumes when started again. Exits with status 1 if pages were skipped because another process has
    locked them or because they cannot be read.
    """
    state, workers = state_of(context), PoolOptions(ray, actors, actor_gpus, dry_run=dry_run)
    reports = []
    with workers.pool(state) as pool, state.memory() as memory:
        for name in [bank] if bank is not None else [info.id for info in all_banks(memory)]:
            with state.progress(f"reencoding {printable(name)}") as progress:
                if pool is None:
                    reports.append(memory.operations.reencode(name, dry_run=dry_run, progress=progress))
                else:
                    reports.append(memory.operations.bulk.reencode(name, pool, progress=progress))
    state.answer(
        {"banks": [report.model_dump(mode="json") for report in reports]}, lambda console: _show(console, reports)
    )
    if not dry_run and any(report.busy or report.unreadable for report in reports):
        raise typer.Exit(1)


def _show(console: Console, reports: list[ReencodingReport]) -> None:
    rows = []
    for report in reports:
        before, after = report.confidence_before, report.confidence_after
        confidence = "" if before is None else f"{before:.2%}"
        rows.append(
            (
                *(report.bank, len(report.reencoded), report.current, len(report.busy), len(report.unreadable)),
                f"{report.bytes_before:,} → {report.bytes_after:,}",
                confidence if after is None else f"{confidence} → {after:.2%}",
            )
        )
    if rows:
        columns = "bank, >pages, >current, >busy, >unreadable, >bytes, >confidence"
        console.print(table(columns, rows))
    for report in reports:
        for page in report.unreadable:
            console.print(f"page {page.page_id} was skipped: {printable(page.reason)}")
    pages = sum(len(report.reencoded) for report in reports)
    verb = "would be reencoded" if any(report.dry_run for report in reports) else "reencoded"
    size = f"{sum(r.bytes_before for r in reports):,} → {sum(r.bytes_after for r in reports):,}"
    console.print(f"{pages:,} pages {verb}; bytes of vision tokens {size}")
