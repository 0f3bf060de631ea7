"""Ageing: pages move to lower tiers as the policy says.

Plan, lease, encode outside any transaction, compare and swap.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from foxing.encoder import Codec, CodecError, Reading, TierSpec, TokensError, VisionTokens
from foxing.renderer import TIERS, Cells, PageLayout, render, tier_rank

from .database import Database
from .decoding import PageDecoder, PageState, unpack_cells
from .errors import TokensDamaged
from .indexing import read_ahead, reindex
from .policy import LONGEST, Policy
from .remembering import Rememberer
from .repositories import banks, pages, wastebasket
from .repositories.pages import PageRow
from .types import AgeReport, PageMove

BATCH = 8  # pages leased, encoded and swapped together
LEASE = timedelta(seconds=60)
_LOOKAHEAD = 256

Progress = Callable[[int, int], None]
Contents = dict[int, tuple[bytes, bytes | None]]  # page id → tokens, kept text


@dataclass(frozen=True)
class Move:
    """What the policy asks of a page: a lower tier, its exact text dropped, or both."""

    page: PageRow
    to_tier: str
    drops_text: bool

    @property
    def changes_tier(self) -> bool:
        return self.to_tier != self.page.tier


@dataclass(frozen=True)
class _Aged:
    """A page as it is after its move. `blob`: new tokens, None where the old ones stay; `reading`: what they say, None
    while the text is kept."""

    move: Move
    blob: bytes | None
    vision_tokens: int
    text: bytes | None
    reading: Reading | None

    @property
    def bytes_after(self) -> int:
        token_bytes = self.move.page.token_bytes if self.blob is None else len(self.blob)
        return token_bytes + (len(self.text) if self.text is not None else 0)


def plan(rows: Iterable[PageRow], policy: Policy, now: datetime, tiers: Mapping[str, TierSpec]) -> list[Move]:
    """The moves that `policy` asks for at `now`. Pinned pages stay; no page moves up; tiers that the codec lacks are
    skipped. A pure function."""
    policy = policy.served_by(tiers)
    moves = []
    for page in rows:
        if page.pinned:
            continue
        wanted = policy.tier_at(now - page.last_at, tiers)
        tier = max(wanted, page.tier, key=tier_rank)
        # a page young enough to be fresh keeps its text, also where the policy asked for another fresh tier before
        keeps_text = policy.keeps_text(wanted if policy.keep_text == "fresh" else tier)
        drops_text = page.text_bytes > 0 and not keeps_text
        if tier != page.tier or drops_text:
            moves.append(Move(page, tier, drops_text))
    return moves


class Ager:
    """Carries out what `plan` says."""

    def __init__(self, database: Database, decoder: PageDecoder, rememberer: Rememberer) -> None:
        self.database = database
        self.decoder = decoder
        self.rememberer = rememberer

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    def age(
        self, bank_name: str, now: datetime, *, dry_run: bool = False, progress: Progress | None = None
    ) -> AgeReport:
        """Moves the pages of a bank that are due. Killed at any point, every page is whole at one tier; a second run
        does what the first did not. A page that cannot be read stays as it is. With `dry_run` nothing is written."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            policy = Policy.parse(bank.policy)
            moves = list(self._due(connection, bank.id, policy, now))
            expired = wastebasket.count_expired(connection, bank.id, now)
        if dry_run:
            purged = expired if policy.undo_window else expired + len(moves)
            return self._report(now, True, [(m, self._expected_bytes(m)) for m in moves], [], purged)
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
        purged = 0
        if expired or done:  # a bank where nothing is due is not written to
            with self.database.write() as connection:
                purged = wastebasket.purge(connection, bank.id, now)
        return self._report(now, False, done, busy, purged)

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

    def _run(self, bank_id: int, policy: Policy, moves: Sequence[Move], now: datetime) -> list[tuple[Move, int]]:
        """Leases, encodes and swaps a batch; the moves that were made, with the bytes after."""
        owner = uuid.uuid4().hex
        clock = datetime.now(UTC)  # leases run on the real clock, whatever `now` pretends
        with self.database.write() as connection:
            leased = [m for m in moves if pages.lease(connection, m.page, owner, clock, clock + LEASE)]
            contents = pages.contents(connection, [move.page.id for move in leased])
        if not leased:
            return []
        try:
            return self._swap(
                bank_id, self._aged(leased, contents), contents, now, wastebasket.purge_time(now, policy.undo_window)
            )
        finally:
            with self.database.write() as connection:
                pages.release(connection, [move.page.id for move in leased], owner)

    def _aged(self, moves: Sequence[Move], contents: Contents) -> list[_Aged]:
        """The pages as they will be; those that cannot be read are left out."""
        grids = self._best_grids(moves, contents)
        new = self._encode([move for move in moves if move.changes_tier and move.page.id in grids], grids)
        tokens: dict[int, VisionTokens] = dict(new)
        for move in moves:
            if move.page.id in grids and not move.changes_tier:
                with suppress(TokensError):  # what can only be read from its text must not lose it
                    tokens[move.page.id] = VisionTokens.from_bytes(contents[move.page.id][0])
        moves = [move for move in moves if move.page.id in tokens]
        texts = {move.page.id: None if move.drops_text else contents[move.page.id][1] for move in moves}
        to_read = [page_id for page_id, text in texts.items() if text is None]
        readings = dict(zip(to_read, self.decoder.read_tokens([tokens[i] for i in to_read]), strict=True))
        aged = []
        for move in moves:
            page_id = move.page.id
            reading = readings.get(page_id)
            if not isinstance(reading, TokensError):
                blob = new[page_id].to_bytes() if page_id in new else None
                aged.append(_Aged(move, blob, tokens[page_id].count, texts[page_id], reading))
        return aged

    def _swap(
        self, bank_id: int, aged: Sequence[_Aged], contents: Contents, now: datetime, purge_at: datetime
    ) -> list[tuple[Move, int]]:
        """Writes the pages that nobody else changed meanwhile, and what the memory can still read of them."""
        faded = {item.move.page.id: PageState.of(item.reading) for item in aged if item.reading is not None}
        with self.database.read() as connection:
            read_ahead(connection, self.rememberer, _messages_on(connection, faded), faded)
        done: list[tuple[Move, int]] = []
        with self.database.write() as connection:
            for item in aged:
                page, old = item.move.page, contents[item.move.page.id]
                values = {
                    "tier": item.move.to_tier,
                    "vision_tokens": item.vision_tokens,
                    "token_bytes": page.token_bytes if item.blob is None else len(item.blob),
                    "text_bytes": len(item.text) if item.text is not None else 0,
                    "confidence": item.reading.mean_confidence if item.reading is not None else 1.0,
                    "codec": page.codec if item.blob is None else self.codec.name,
                }
                if not pages.swap(connection, page, tokens=item.blob, text=item.text, values=values):
                    faded.pop(page.id, None)
                    continue
                wastebasket.drop(
                    connection,
                    page,
                    tokens=old[0] if item.blob is not None else None,
                    text=old[1] if item.move.drops_text else None,
                    dropped_at=now,
                    purge_at=purge_at,
                )
                done.append((item.move, item.bytes_after))
            reindex(connection, bank_id, self.rememberer, _messages_on(connection, faded), faded)
        return done

    def _best_grids(self, moves: Sequence[Move], contents: Contents) -> dict[int, Cells]:
        """The best image the memory still has of each page, as a grid: kept text, else what the tokens say. Pages that
        are damaged are left out: a backup may still have them whole."""
        grids: dict[int, Cells] = {}
        faded = []
        for move in moves:
            text = contents[move.page.id][1]
            if text is None:
                faded.append(move.page)
                continue
            with suppress(TokensDamaged):
                grids[move.page.id] = unpack_cells(text, PageLayout.from_dict(move.page.layout).columns)
        for page_id, state in self.decoder.read(faded, contents).items():
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


def _messages_on(connection: Connection, page_ids: Iterable[int]) -> set[int]:
    spans = pages.spans_of_pages(connection, list(page_ids))
    return {span.message_id for parts in spans.values() for span in parts}
