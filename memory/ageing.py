"""Ageing: pages move to lower tiers as the policy says.

Plan, lease, encode outside any transaction, compare and swap.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from foxing.encoder import Codec, CodecError, Reading, TierSpec, VisionTokens
from foxing.renderer import Cells, PageLayout, render, tier_rank

from .database import Database
from .decoding import PageDecoder, PageState, unpack_cells
from .errors import TokensDamaged
from .indexing import remembered_terms
from .policy import Policy
from .remembering import Rememberer
from .repositories import banks, index, messages, pages, wastebasket
from .repositories.pages import PageRow
from .types import AgeReport, PageMove

BATCH = 8  # pages leased, encoded and swapped together
LEASE = timedelta(seconds=60)
_LOOKAHEAD = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Move:
    """What the policy asks of a page: a lower tier, its exact text dropped, or both."""

    page: PageRow
    to_tier: str
    drops_text: bool

    @property
    def changes_tier(self) -> bool:
        return self.to_tier != self.page.tier


def plan(rows: Iterable[PageRow], policy: Policy, now: datetime, tiers: Mapping[str, TierSpec]) -> list[Move]:
    """The moves that `policy` asks for at `now`. Pinned pages stay; no page moves up; tiers that the codec lacks are
    skipped. A pure function."""
    moves = []
    for page in rows:
        if page.pinned:
            continue
        tier = policy.tier_at(now - page.last_at, tiers)
        if tier_rank(tier) < tier_rank(page.tier):
            tier = page.tier
        drops_text = page.text_bytes > 0 and not policy.keeps_text(tier)
        if tier != page.tier or drops_text:
            moves.append(Move(page, tier, drops_text))
    return moves


class Ager:
    """Carries out what `plan` says."""

    def __init__(self, database: Database, codec: Codec, decoder: PageDecoder, rememberer: Rememberer) -> None:
        self.database = database
        self.codec = codec
        self.decoder = decoder
        self.rememberer = rememberer

    def age(
        self, bank_name: str, now: datetime, *, dry_run: bool = False, progress: Progress | None = None
    ) -> AgeReport:
        """Moves the pages of a bank that are due. Killed at any point, every page is whole at one tier; a second run
        does what the first did not. With `dry_run` nothing is written."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            policy = Policy.parse(bank.policy)
            moves = list(self._due(connection, bank.id, policy, now))
            expired = wastebasket.count_expired(connection, bank.id, now)
        if dry_run:
            return self._report(now, True, [(m, self._expected_bytes(m)) for m in moves], [], expired)
        done: list[tuple[Move, int]] = []
        busy: list[str] = []
        for start in range(0, len(moves), BATCH):
            batch = moves[start : start + BATCH]
            moved = self._run(bank.id, policy, batch, now)
            done += moved
            finished = {move.page.id for move, _ in moved}
            busy += [move.page.key for move in batch if move.page.id not in finished]
            if progress is not None:
                progress(min(start + BATCH, len(moves)), len(moves))
        with self.database.write() as connection:
            purged = wastebasket.purge(connection, bank.id, now)
        return self._report(now, False, done, busy, purged)

    def _due(self, connection: Connection, bank_id: int, policy: Policy, now: datetime) -> Iterator[Move]:
        youngest = min((step.after for step in policy.steps), default=timedelta(0))
        # a policy that no longer keeps text may ask something of pages of any age
        before = now if not policy.keeps_text(policy.fresh) else now - youngest
        after = 0
        while True:
            rows = pages.ageing_candidates(connection, bank_id, before, after, _LOOKAHEAD)
            if not rows:
                return
            yield from plan(rows, policy, now, self.codec.tiers)
            after = rows[-1].id

    def _run(self, bank_id: int, policy: Policy, moves: Sequence[Move], now: datetime) -> list[tuple[Move, int]]:
        """Leases, encodes and swaps a batch; the moves that were made, with the bytes after."""
        owner = uuid.uuid4().hex
        clock = datetime.now(UTC)  # leases run on the real clock, whatever `now` pretends
        with self.database.write() as connection:
            leased = [m for m in moves if pages.lease(connection, m.page, owner, clock, clock + LEASE)]
            contents = pages.contents(connection, [move.page.id for move in leased])
        try:
            return self._swap(bank_id, policy, leased, contents, now)
        finally:
            with self.database.write() as connection:
                pages.release(connection, [move.page.id for move in leased], owner)

    def _swap(
        self,
        bank_id: int,
        policy: Policy,
        moves: Sequence[Move],
        contents: Mapping[int, tuple[bytes, bytes | None]],
        now: datetime,
    ) -> list[tuple[Move, int]]:
        grids = self._best_grids(moves, contents)
        moves = [move for move in moves if move.page.id in grids]
        new = self._encode([move for move in moves if move.changes_tier], grids)
        tokens = {
            move.page.id: new.get(move.page.id) or VisionTokens.from_bytes(contents[move.page.id][0]) for move in moves
        }
        without_text = [move for move in moves if move.drops_text or not move.page.text_bytes]
        read = self.decoder.read_tokens([tokens[move.page.id] for move in without_text])
        readings = {move.page.id: reading for move, reading in zip(without_text, read, strict=True)}
        done: list[tuple[Move, int]] = []
        with self.database.write() as connection:
            for move in moves:
                page = move.page
                old_tokens, old_text = contents[page.id]
                blob = new[page.id].to_bytes() if page.id in new else None
                text = None if move.drops_text else old_text
                reading = readings.get(page.id)
                values = {
                    "tier": move.to_tier,
                    "vision_tokens": tokens[page.id].count,
                    "token_bytes": len(blob) if blob is not None else page.token_bytes,
                    "text_bytes": len(text) if text is not None else 0,
                    "confidence": reading.mean_confidence if reading is not None else 1.0,
                }
                if not pages.swap(connection, page, tokens=blob, text=text, values=values):
                    continue
                wastebasket.drop(
                    connection,
                    page,
                    tokens=old_tokens if blob is not None else None,
                    text=old_text if move.drops_text else None,
                    dropped_at=now,
                    purge_at=now + policy.undo_window,
                )
                done.append((move, values["token_bytes"] + values["text_bytes"]))  # type: ignore[operator]
            faded = {m.page.id: _state(readings[m.page.id], m.page) for m, _ in done if m.page.id in readings}
            if faded:
                self._reindex(connection, bank_id, faded)
        return done

    def _best_grids(
        self, moves: Sequence[Move], contents: Mapping[int, tuple[bytes, bytes | None]]
    ) -> dict[int, Cells]:
        """The best image the memory still has of each page, as a grid: kept text, else what the tokens say. Pages that
        cannot be read are left out, as they are."""
        grids: dict[int, Cells] = {}
        faded = []
        for move in moves:
            text = contents[move.page.id][1]
            if text is not None:
                grids[move.page.id] = unpack_cells(text, PageLayout.from_dict(move.page.layout).columns)
            else:
                faded.append(move.page)
        for page_id, state in self.decoder.read(faded, dict(contents)).items():
            if not isinstance(state, TokensDamaged):
                grids[page_id] = state.cells
        return grids

    def _encode(self, moves: Sequence[Move], grids: Mapping[int, Cells]) -> dict[int, VisionTokens]:
        by_tier: dict[str, list[Move]] = {}
        for move in moves:
            by_tier.setdefault(move.to_tier, []).append(move)
        result: dict[int, VisionTokens] = {}
        for tier, group in by_tier.items():
            images = [
                render(grids[m.page.id][: m.page.rows_used], PageLayout.from_dict(m.page.layout), tier) for m in group
            ]
            for move, tokens in zip(group, self.codec.encode(images, tier), strict=True):
                result[move.page.id] = tokens
        return result

    def _reindex(self, connection: Connection, bank_id: int, faded: Mapping[int, PageState]) -> None:
        """The index keeps only words that the memory can still read."""
        spans = pages.spans_of_pages(connection, list(faded))
        ids = sorted({span.message_id for parts in spans.values() for span in parts})
        found = messages.by_ids(connection, ids)
        sealed = [m for m in found.values() if not m.open]
        remembered = self.rememberer.messages(connection, sealed, faded)
        counts = {i: remembered_terms(item, found[i].name) for i, item in remembered.items()}
        index.replace(connection, bank_id, counts)

    def _expected_bytes(self, move: Move) -> int:
        """Bytes that the page's tokens and text would take after `move`."""
        page = move.page
        text = 0 if move.drops_text else page.text_bytes
        if not move.changes_tier:
            return page.token_bytes + text
        layout = PageLayout.from_dict(page.layout)
        spec = self.codec.tiers[move.to_tier]
        size = layout.vision_tokens(page.rows_used, move.to_tier) * spec.bytes_per_token
        side = layout.token_rows(move.to_tier)
        overhead = 0
        try:
            empty = VisionTokens(
                self.codec.name, self.codec.weights, move.to_tier, (1, side, 2), "uint8", b"\0" * side * 2
            )
            overhead = len(empty.to_bytes()) - 2 * side
        except CodecError:
            pass
        return size + overhead + text

    def _report(
        self, now: datetime, dry_run: bool, done: Sequence[tuple[Move, int]], busy: list[str], purged: int
    ) -> AgeReport:
        moved, dropped = [], []
        for move, bytes_after in done:
            page = move.page
            if move.drops_text:
                dropped.append(page.key)
            if not move.changes_tier:
                continue
            layout = PageLayout.from_dict(page.layout)
            moved.append(
                PageMove.model_validate(
                    {
                        "page_id": page.key,
                        "from_tier": page.tier,
                        "to_tier": move.to_tier,
                        "messages": page.messages,
                        "drops_text": move.drops_text,
                        "vision_tokens_before": page.vision_tokens,
                        "vision_tokens_after": layout.vision_tokens(page.rows_used, move.to_tier),
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
            purged=purged,
            vision_tokens_before=tokens_before,
            vision_tokens_after=tokens_before - tokens_saved,
            bytes_before=sum(move.page.token_bytes + move.page.text_bytes for move, _ in done),
            bytes_after=sum(size for _, size in done),
        )


def _state(reading: Reading, page: PageRow) -> PageState:
    known = np.ones(1, dtype=bool)
    return PageState(reading.tier, "decoded", reading.flag_below, reading.cells, reading.confidence, known)
