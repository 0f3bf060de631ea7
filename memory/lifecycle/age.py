"""Ageing: pages move to lower tiers as the policy says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from foxing.encoder import Codec, token_grid
from foxing.memory.models import AgeReport, PageLeft, PageMove
from foxing.memory.policy import LONGEST, Policy
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages, wastebasket
from foxing.renderer import TIERS, PageLayout, tier_rank

from .plan import Move, plan
from .rewrite import BATCH, Change, Rewriter, Waste

_LOOKAHEAD = 256

Progress = Callable[[int, int], None]


class Ager:
    """Carries out what `plan` says."""

    def __init__(self, database: Database, rewriter: Rewriter) -> None:
        self.database = database
        self.rewriter = rewriter

    @property
    def codec(self) -> Codec:
        return self.rewriter.codec

    def age(
        self, bank_name: str, now: datetime, *, dry_run: bool = False, progress: Progress | None = None
    ) -> AgeReport:
        """Moves the pages of a bank that are due. Killed at any point, every page is whole at one tier; a second run
        does what the first did not. A page that cannot be read stays as it is. With `dry_run` nothing is written."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            policy = Policy.parse(bank.policy)
            due = list(self._due(connection, bank.id, policy, now))
            expired = wastebasket.count_expired(connection, bank.id, now)
        left = {m.page.key: self.rewriter.other_layout() for m in due if not self._possible(m)}
        moves = [move for move in due if self._possible(move)]
        if dry_run:
            purged = expired if policy.undo_window else expired + len(moves)
            return self._report(now, True, [(m, self._expected_bytes(m)) for m in moves], [], left, purged)
        done: list[tuple[Move, int]] = []
        busy: list[str] = []
        for start in range(0, len(moves), BATCH):
            batch = moves[start : start + BATCH]
            moved, unreadable = self._run(bank.id, policy, batch, now)
            done += moved
            left |= {move.page.key: unreadable[move.page.id] for move in batch if move.page.id in unreadable}
            finished = {move.page.id for move, _ in moved} | unreadable.keys()
            busy += [move.page.key for move in batch if move.page.id not in finished]
            if progress is not None:
                progress(min(start + BATCH, len(moves)), len(moves))
        purged = 0
        if expired or done:  # a bank where nothing is due is not written to
            with self.database.write() as connection:
                purged = wastebasket.purge(connection, bank.id, now)
        return self._report(now, False, done, busy, left, purged)

    def _due(self, connection: Connection, bank_id: int, policy: Policy, now: datetime) -> Iterator[Move]:
        last = policy.served_by(self.codec.tiers).tier_at(LONGEST, self.codec.tiers)
        unfinished = [tier for tier in TIERS if tier_rank(tier) < tier_rank(last)]
        after = 0
        while True:
            rows = pages.ageing_candidates(connection, bank_id, unfinished, now, after, _LOOKAHEAD)
            if not rows:
                return
            yield from plan(rows, policy, now, self.codec.tiers)
            after = rows[-1].id

    def _possible(self, move: Move) -> bool:
        return not move.changes_tier or self.rewriter.drawable(move.page)

    def _run(
        self, bank_id: int, policy: Policy, moves: Sequence[Move], now: datetime
    ) -> tuple[list[tuple[Move, int]], dict[int, str]]:
        """The moves of a batch that were made, with the bytes after; page id → why another was not."""
        changes = [Change(move.page, move.to_tier, move.changes_tier, move.drops_text) for move in moves]
        waste = Waste(now, wastebasket.purge_time(now, policy.undo_window))
        by_page = {move.page.id: move for move in moves}
        outcome = self.rewriter.run(bank_id, changes, waste=waste)
        done = [(by_page[item.change.page.id], item.token_bytes + item.text_bytes) for item in outcome.done]
        return done, outcome.unreadable

    def _expected_bytes(self, move: Move) -> int:
        """Bytes that the page's tokens and text would take after `move`."""
        page = move.page
        text = 0 if move.drops_text else page.text_bytes
        if not move.changes_tier:
            return page.token_bytes + text
        return self.rewriter.expected_token_bytes(page, move.to_tier) + text

    def _report(
        self,
        now: datetime,
        dry_run: bool,
        done: Sequence[tuple[Move, int]],
        busy: list[str],
        left: Mapping[str, str],
        purged: int,
    ) -> AgeReport:
        moved, dropped = [], []
        for move, bytes_after in done:
            page = move.page
            if move.drops_text:
                dropped.append(page.key)
            if not move.changes_tier:
                continue
            rows, columns = token_grid(self.codec, PageLayout.from_dict(page.layout), page.rows_used, move.to_tier)
            moved.append(
                PageMove.model_validate(
                    {
                        "page_id": page.key,
                        "from_tier": page.tier,
                        "to_tier": move.to_tier,
                        "messages": page.messages,
                        "drops_text": move.drops_text,
                        "vision_tokens_before": page.vision_tokens,
                        "vision_tokens_after": rows * columns,
                        "bytes_before": page.token_bytes + page.text_bytes,
                        "bytes_after": bytes_after,
                    }
                )
            )
        tokens_before = sum(move.page.vision_tokens for move, _ in done)
        tokens_saved = sum(m.vision_tokens_before - m.vision_tokens_after for m in moved)
        return AgeReport(
            now=now,
            dry_run=dry_run,
            moved=moved,
            text_dropped=dropped,
            busy=busy,
            unreadable=[PageLeft(page_id=key, reason=reason) for key, reason in left.items()],
            purged=purged,
            vision_tokens_before=tokens_before,
            vision_tokens_after=tokens_before - tokens_saved,
            bytes_before=sum(move.page.token_bytes + move.page.text_bytes for move, _ in done),
            bytes_after=sum(size for _, size in done),
        )
