"""Ageing: moves pages to the tiers that the policy requires."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from random import randrange

from sqlalchemy import Connection

from foxing.encoder import Codec
from foxing.memory.pages.page_writer import DiscardTimes
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, holds, pages, trash
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.telemetry import Value, bank_operation
from foxing.memory.values.policy import LONGEST, Policy
from foxing.memory.values.reports import AgeReport, PageForecast, PageMove, SizeChange, WordCounts
from foxing.renderer import Progress, all_tiers, tier_rank

from . import reasons
from .changes import (
    Batch,
    BatchOutcome,
    BatchResult,
    Change,
    Work,
    WrittenPage,
    carry_out,
    size_change,
    total_sizes,
)
from .plan import Move, plan
from .rewrite import BATCH, Rewriter

_PAGES_AT_ONCE = 256  # pages planned together
_FORECASTS = 500  # reported by a dry run, for pages that are not due


@dataclass(frozen=True)
class _Moved:
    """A move that was carried out, or is expected to be."""

    move: Move
    size: SizeChange
    #: word counts before and after; None if not computed
    words: WordCounts | None = None


@dataclass(frozen=True)
class _Due:
    """Pages of a bank that are due for ageing."""

    bank_id: int
    policy: Policy
    moves: list[Move]
    #: page key → why a due move is not possible
    impossible: dict[str, str]
    #: number of trash entries past their undo window
    expired: int


def _figures(report: AgeReport) -> dict[str, Value]:
    pages = [move.page_id for move in report.moved]
    return {"pages": pages, "moved": len(pages), "purged": report.purged}


class Ager:
    """Ages the pages of banks."""

    def __init__(self, database: Database, rewriter: Rewriter) -> None:
        self.database = database
        self.rewriter = rewriter

    @property
    def codec(self) -> Codec:
        """Current codec."""
        return self.rewriter.codec

    def dry_run(self, bank_name: str, now: datetime, preview: int) -> AgeReport:
        """Returns the report that `age` would return. For the first `preview` pages, words that fade and sizes are
        exact; for others, sizes are estimates."""
        due = self._survey(bank_name, now)
        moved: list[_Moved] = []
        exact = self._previews(due.moves[:preview], now)
        for move in due.moves:
            expected = exact.get(move.page.id) or self._expected(move)
            if isinstance(expected, str):
                due.impossible[move.page.key] = expected
            else:
                moved.append(expected)
        purged = due.expired if due.policy.undo_window else due.expired + len(moved)
        upcoming = self._upcoming(due, {move.page.id for move in due.moves})
        report = self._report(now, moved, due.impossible, purged=purged, dry_run=True)
        return report.model_copy(update={"upcoming": upcoming})

    @bank_operation("age", _figures)
    def age(
        self,
        bank_name: str,
        now: datetime,
        *,
        progress: Progress | None = None,
        shared: bool = False,
        work: Work[Move] | None = None,
    ) -> AgeReport:
        """Moves the due pages of a bank to lower tiers and purges its trash. Returns a report.

        Resumable: if the process is killed, every page is intact at one tier, and the next call completes the work. A
        page that cannot be read is left unchanged. `shared`: True if other workers age the same bank; this one then
        starts at a random batch and skips batches that others have begun. `work`: carries out the batches with `move`,
        in place of this process.
        """
        due = self._survey(bank_name, now)
        moves = due.moves
        result = BatchResult[Move](due.impossible)
        if shared and moves:
            first = randrange(0, len(moves), BATCH)
            moves = [*moves[first:], *moves[:first]]
        purged = self._purge(due.bank_id, now) if due.expired else 0  # purging does not wait for ageing
        discard = DiscardTimes(now, trash.purge_time(now, due.policy.undo_window))
        in_turn = partial(self._in_turn, shared=shared)
        carry_out(moves, BATCH, in_turn if work is None else work, result, now, discard, progress)
        if work is not None:
            self._add_unreported(result)
        if result.done:  # with an undo window of zero
            purged += self._purge(due.bank_id, now)
        moved = [_Moved(move, size_change(move.page, page.vision_tokens, page.bytes)) for move, page in result.done]
        return self._report(now, moved, result.reasons, result.busy, purged=purged, dry_run=False)

    def move(self, batch: Batch[Move]) -> BatchOutcome:
        """Carries out a batch of moves and returns the outcome. Idempotent; resumes an interrupted batch."""
        changes = self._changes(batch.items)
        outcome = self.rewriter.run(changes, batch.now, discard=batch.discard, owner=batch.owner)
        return BatchOutcome.of(outcome)

    def is_large(self, bank_name: str, now: datetime) -> bool:
        """True if more pages of a bank are due than fit in one batch. Reads only as many rows as that takes."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            moves = self._due(connection, bank.id, Policy.parse(bank.policy), now)
            return sum(1 for _ in islice(moves, BATCH + 1)) > BATCH

    def _in_turn(self, batches: Sequence[Batch[Move]], *, shared: bool) -> Iterator[tuple[Batch[Move], BatchOutcome]]:
        for planned in batches:
            batch = replace(planned, items=self._unchanged(planned.items)) if shared else planned
            if batch.items:
                yield batch, self.move(batch)

    def _add_unreported(self, result: BatchResult[Move]) -> None:
        """Counts pages as done that have the planned state although no worker reported them, because it was killed
        after writing them."""
        with self.database.read() as connection:
            rows = pages.by_ids(connection, [move.page.id for move in result.busy])
        pairs = [(move, rows[move.page.id]) for move in result.busy if move.page.id in rows]
        written = [(move, WrittenPage.of([row])) for move, row in pairs if _is_carried_out(move, row)]
        result.done += written
        ids = {move.page.id for move, _ in written}
        result.busy = [move for move in result.busy if move.page.id not in ids]

    def _unchanged(self, moves: Sequence[Move]) -> Sequence[Move]:
        """Returns the moves whose pages have not changed since they were planned. Reads only."""
        with self.database.read() as connection:
            changed = pages.changed(connection, [move.page for move in moves])
        return [move for move in moves if move.page.id not in changed]

    def _purge(self, bank_id: int, now: datetime) -> int:
        with self.database.write() as connection:
            banks.lock(connection, bank_id)
            on_hold = holds.that_keeps(connection, bank_id) is not None
            purged = 0 if on_hold else trash.purge(connection, bank_id, now)
        self.database.purge_deleted()
        return purged

    def _survey(self, bank_name: str, now: datetime) -> _Due:
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            policy = Policy.parse(bank.policy)
            on_hold = holds.that_keeps(connection, bank.id) is not None  # a hold keeps words
            moves = [] if on_hold else list(self._due(connection, bank.id, policy, now))
            expired = 0 if on_hold else trash.count_expired(connection, bank.id, now)
        impossible = {m.page.key: self.rewriter.layout_reason() for m in moves if not self._is_possible(m)}
        return _Due(bank.id, policy, [move for move in moves if self._is_possible(move)], impossible, expired)

    def _upcoming(self, due: _Due, moving: Collection[int]) -> list[PageForecast]:
        """Returns the forecasts of pages that are not in `moving`, the soonest first."""
        forecasts: list[PageForecast] = []
        after = 0
        while True:
            with self.database.read() as connection:
                rows = pages.list_after(connection, due.bank_id, after, _PAGES_AT_ONCE)
            if not rows:
                return forecasts
            after = rows[-1].id
            waiting = [page for page in rows if not page.pinned and page.id not in moving]
            forecasts += (f for f in (self._forecast(page, due.policy) for page in waiting) if f.steps)
            forecasts = sorted(forecasts, key=lambda forecast: forecast.steps[0].at)[:_FORECASTS]

    def _forecast(self, page: PageRow, policy: Policy) -> PageForecast:
        forecast = policy.forecast(policy.age_of(page), self.codec.tiers, tier=page.tier, exact=page.text_kept)
        return PageForecast(page_id=page.key, tier=page.tier, **forecast.model_dump())

    def _changes(self, moves: Sequence[Move]) -> list[Change]:
        return [self.rewriter.change(move.page, move.to_tier, drops_text=move.drops_text) for move in moves]

    def _previews(self, moves: Sequence[Move], now: datetime) -> dict[int, _Moved | str]:
        """Returns page id → result of its move, or why the page would be left unchanged."""
        results: dict[int, _Moved | str] = {}
        for start in range(0, len(moves), BATCH):
            batch = moves[start : start + BATCH]
            outcome = self.rewriter.preview(self._changes(batch), now)
            results |= outcome.pages.reasons
            by_id = {move.page.id: move for move in batch}
            for change in outcome.pages.changes:
                page_id = change.page.id
                row = change.after[0].row
                drawn = outcome.drawn.get(page_id)
                words = drawn.words if drawn is not None and drawn.before else None
                size = size_change(change.page, row.vision_tokens, row.bytes)
                results[page_id] = _Moved(by_id[page_id], size, words)
        return results

    def _due(self, connection: Connection, bank_id: int, policy: Policy, now: datetime) -> Iterator[Move]:
        """Yields the moves that the policy requires of a bank."""
        last = policy.served_by(self.codec.tiers).tier_at(LONGEST, self.codec.tiers)
        unfinished = [tier for tier in all_tiers() if tier_rank(tier) < tier_rank(last)]
        after = 0
        while rows := pages.ageing_candidates(connection, bank_id, unfinished, now, after, _PAGES_AT_ONCE):
            yield from plan(rows, policy, now, self.codec.tiers)
            after = rows[-1].id

    def _is_possible(self, move: Move) -> bool:
        return not move.changes_tier or self.rewriter.can_encode(move.page)

    def _expected(self, move: Move) -> _Moved:
        """Returns the estimated result of `move`."""
        page = move.page
        text = 0 if move.drops_text else page.text_bytes
        tokens = page.vision_tokens
        size = page.token_bytes
        if move.changes_tier:
            tokens, size = self.rewriter.expected_tokens(page, move.to_tier)
        return _Moved(move, size_change(page, tokens, size + text))

    def _report(
        self,
        now: datetime,
        moved: Sequence[_Moved],
        reasons_by_key: Mapping[str, str],
        busy: Sequence[Move] = (),
        *,
        purged: int,
        dry_run: bool,
    ) -> AgeReport:
        return AgeReport(
            now=now,
            dry_run=dry_run,
            moved=[_page_move(item) for item in moved if item.move.changes_tier],
            text_dropped=[item.move.page.key for item in moved if item.move.drops_text],
            busy=[move.page.key for move in busy],
            unreadable=reasons.skipped_pages(reasons_by_key),
            purged=purged,
            **total_sizes([item.size for item in moved]),
        )


def _is_carried_out(move: Move, row: PageRow) -> bool:
    """True if the page, whose current row is `row`, has changed exactly once since `move` was planned, to the state
    that it requires."""
    as_required = row.tier == move.to_tier and not (move.drops_text and row.text_kept)
    return row.version == move.page.version + 1 and as_required


def _page_move(moved: _Moved) -> PageMove:
    move = moved.move
    page = moved.move.page
    return PageMove.model_validate(
        {
            "page_id": page.key,
            "from_tier": page.tier,
            "to_tier": move.to_tier,
            "messages": page.messages,
            "drops_text": move.drops_text,
            "words": moved.words,
            **moved.size.model_dump(),
        }
    )
