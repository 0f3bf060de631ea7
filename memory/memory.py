"""The memory in process: the facade that the HTTP interface, the command line and embedders use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from sqlalchemy import Connection

from foxing.encoder import Codec, TokensError, VisionTokens, load_codec
from foxing.renderer import Cells, FoxingError, PageLayout, grid_text, render, tier_rank

from .ageing import Ager
from .database import Database
from .decoding import PageDecoder, PageState, unpack_cells
from .errors import Forgotten, InvalidInput, InvalidTime, NotFound, TokensDamaged
from .imaging import ImageRecaller
from .policy import Policy
from .recalling import Recaller, check_limit, decode_cursor, encode_cursor, time_cursor
from .remembering import Rememberer, recalled, uncertain_runs
from .repositories import banks, index, messages, pages, wastebasket
from .repositories.banks import Bank
from .repositories.pages import PageRow
from .sealing import Sealer
from .storing import store
from .types import (
    AgeReport,
    BankBytes,
    BankInfo,
    Banks,
    Fidelity,
    Line,
    NewMessage,
    PageInfo,
    PageReading,
    Pages,
    Recall,
    Recalled,
    RecallImages,
    SealReport,
    Stored,
    TickReport,
    TierStatistics,
)

Progress = Callable[[int, int], None]
MAX_MESSAGE_BYTES = 1 << 20  # 1 MiB


def utc_now() -> datetime:
    return datetime.now(UTC)


class Memory:
    """A long-context optical memory in one database.

    `database`: a SQLAlchemy URL or the path of a SQLite file, None for the file in the user's data folder; it is
    made and brought up to date. `codec`: a codec or its name; its weights are loaded with the first page that is
    encoded or decoded. `clock`: where the present comes from. Safe to share between threads.

    Raises `StorageError` when the database cannot be used, `DatabaseTooNew` when a newer version wrote it.
    """

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        codec: str | Codec = "native",
        device: str = "auto",
        clock: Callable[[], datetime] = utc_now,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._codec = codec
        self._device = device
        self._clock = clock
        self._max_message_bytes = max_message_bytes
        self._database = Database(database)
        try:
            self._database.migrate()
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database."""
        self._database.close()

    @property
    def database_url(self) -> str:
        """Where the memory lives, without the password."""
        return self._database.display_url

    @cached_property
    def codec(self) -> Codec:
        """Raises `CodecError` when it cannot be loaded."""
        return load_codec(self._codec, self._device) if isinstance(self._codec, str) else self._codec

    @cached_property
    def _decoder(self) -> PageDecoder:
        return PageDecoder(self.codec)

    @cached_property
    def _rememberer(self) -> Rememberer:
        return Rememberer(self._decoder)

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer(self._database, self.codec)

    @cached_property
    def _ager(self) -> Ager:
        return Ager(self._database, self.codec, self._decoder, self._rememberer)

    @cached_property
    def _recaller(self) -> Recaller:
        return Recaller(self._database, self._rememberer)

    @property
    def queue_depth(self) -> int:
        """Pages that wait to be decoded."""
        return self._decoder.queue.depth if "_decoder" in self.__dict__ else 0

    def now(self, now: datetime | None = None) -> datetime:
        """`now`, or what the clock says. Raises `InvalidTime` for a naive one."""
        if now is None:
            return self._clock().astimezone(UTC)
        if now.tzinfo is None:
            raise InvalidTime("now has no timezone; write it like 2026-03-02T09:15:00+01:00")
        return now.astimezone(UTC)

    def check(self) -> None:
        """Raises when the database or the codec cannot be used."""
        self._database.ping()
        _ = self.codec

    # messages

    def store(
        self,
        bank: str,
        messages: Sequence[NewMessage | Mapping[str, Any]],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> Stored:
        """Remembers messages, all or none; the bank comes into being with its first one. They are readable at once.

        The same id with the same message again adds nothing. A message without `created_at` is dated now, one without
        a thread belongs to `thread`. Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge`, or `Conflict` when an id
        or an idempotency key belongs to something else.
        """
        return store(
            self._database,
            bank,
            messages,
            thread=thread,
            idempotency_key=idempotency_key,
            now=self.now(),
            max_bytes=self._max_message_bytes,
        )

    def message(self, bank: str, message_id: str) -> Recalled:
        """One message as remembered. Raises `NotFound`."""
        with self._database.read() as connection:
            found = messages.by_keys(connection, banks.get(connection, bank).id, [message_id])
            if message_id not in found:
                raise NotFound(f"there is no message '{message_id}' in bank '{bank}'")
            message = found[message_id]
            return recalled(message, self._rememberer.messages(connection, [message])[message.id])

    def export(self, bank: str) -> Iterator[Recalled]:
        """Every message in time order, as remembered now."""
        cursor: str | None = None
        while True:
            part = self.recall(bank, limit=500, cursor=cursor)
            yield from part.spans
            cursor = part.next_cursor
            if cursor is None:
                return

    # recall

    def recall(
        self,
        bank: str,
        query: str | None = None,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        now: datetime | None = None,
        timezone: str | None = None,
        thread: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
        max_tokens: int | None = None,
        fidelity: Fidelity = "remembered",
    ) -> Recall:
        """The messages that answer `query`, best first, or without words those of the time window in time order.

        `since`, `until`: times or words (“3 weeks ago”, “지난달”), read against `now` and `timezone`; a time said in
        the query counts too, unless nothing of that time answers. `max_tokens`: text tokens of all spans together.
        `fidelity` "verbatim" gives only text that is kept exactly. Raises `NotFound`, `InvalidTime`, `InvalidCursor`,
        `InvalidInput`.
        """
        if fidelity not in ("remembered", "verbatim"):
            raise InvalidInput(f"fidelity is 'remembered' or 'verbatim', not '{fidelity}'")
        return self._recaller.recall(
            bank,
            query,
            since=since,
            until=until,
            now=self.now(now),
            timezone=timezone,
            thread=thread,
            limit=limit,
            cursor=cursor,
            max_tokens=max_tokens,
            verbatim=fidelity == "verbatim",
        )

    def recall_images(
        self,
        bank: str,
        query: str | None = None,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        now: datetime | None = None,
        timezone: str | None = None,
        thread: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
        reader: str = "native",
    ) -> RecallImages:
        """The same, as images of the pages that hold the answers, each page once, laid out for `reader`."""
        return ImageRecaller(self._database, self._recaller, self._decoder).recall(
            bank,
            query,
            since=since,
            until=until,
            now=self.now(now),
            timezone=timezone,
            thread=thread,
            limit=limit,
            cursor=cursor,
            reader=reader,
        )

    # ageing

    def seal(self, bank: str, *, now: datetime | None = None, progress: Progress | None = None) -> SealReport:
        """Seals all open messages onto pages; the last page may be short. Raises `NotFound`, `CodecError`."""
        return self._sealer.seal(bank, self.now(now), everything=True, progress=progress)

    def age(
        self, bank: str, *, now: datetime | None = None, dry_run: bool = False, progress: Progress | None = None
    ) -> AgeReport:
        """Moves pages to the tiers that their age calls for, and empties the wastebasket past the undo window.

        With `dry_run` it says what would happen and what it would save. Raises `NotFound`, `CodecError`.
        """
        return self._ager.age(bank, self.now(now), dry_run=dry_run, progress=progress)

    def tick(self, *, now: datetime | None = None) -> TickReport:
        """What is due in all banks: seals full pages and old ones, ages, purges. A bank whose work fails is named in
        the report, the others go on; the next tick tries it again."""
        at = self.now(now)
        with self._database.read() as connection:
            everyone = banks.everyone(connection)
        sealed = moved = purged = 0
        failed: dict[str, str] = {}
        for bank in everyone:
            try:
                sealed += self._seal_due(bank.name, Policy.parse(bank.policy), at)
                report = self.age(bank.name, now=at)
                moved += len(report.moved)
                purged += report.purged
            except FoxingError as error:
                failed[bank.name] = str(error)
        return TickReport(now=at, sealed_pages=sealed, moved_pages=moved, purged=purged, failed_banks=failed)

    def _seal_due(self, bank: str, policy: Policy, now: datetime) -> int:
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            oldest = messages.oldest_open(connection, bank_id)
            waiting = messages.count_open_chars(connection, bank_id)
        if oldest is None:
            return 0
        old = now - oldest >= policy.seal_after
        # a cell holds at most one character, so fewer characters may fill a page only by headers and full-width ones
        if not old and waiting * 4 < self.codec.layout.cells:
            return 0
        return len(self._sealer.seal(bank, now, everything=old).pages)

    # pages

    def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: str | None = None) -> Pages:
        """Pages by the time of their last message, oldest first. Raises `NotFound`, `InvalidCursor`, `LayoutError`."""
        check_limit(limit)
        if tier is not None:
            tier_rank(tier)
        mark = f"pages:{tier}"
        after = time_cursor(decode_cursor(cursor, mark)) if cursor else None
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            rows = pages.page_of(connection, bank_id, tier=tier, after=after, limit=limit + 1)
            shown = rows[:limit]
            infos = self._infos(connection, bank, shown)
        more = len(rows) > limit
        following = encode_cursor(mark, [shown[-1].last_at.isoformat(), shown[-1].id]) if more else None
        return Pages(pages=infos, next_cursor=following)

    def page(self, bank: str, page_id: str) -> PageInfo:
        """Raises `NotFound`."""
        with self._database.read() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            return self._infos(connection, bank, [row])[0]

    def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """PNG of the page as `tier` (None: its own) shows it, from the best the memory still has.

        Raises `NotFound`, and `Forgotten` for a tier that is sharper than what is left.
        """
        row, tokens, text = self._content(bank, page_id)
        layout = PageLayout.from_dict(row.layout)
        tier = self._allowed_tier(row, tier, text is not None)
        image = render(self._cells(row, tokens, text)[: row.rows_used], layout, tier)
        buffer = BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    def read_page(self, bank: str, page_id: str, tier: str | None = None) -> PageReading:
        """The page decoded now from its vision tokens, or as it would read at the lower `tier`. Keepsakes are spliced
        into the messages, not into `text`. Raises `NotFound`, `Forgotten`, `TokensDamaged`."""
        row, blob, text = self._content(bank, page_id)
        tier = self._allowed_tier(row, tier, text is not None)
        try:
            if tier == row.tier:
                tokens = VisionTokens.from_bytes(blob)
            else:
                if tier not in self.codec.tiers:
                    raise InvalidInput(f"the {self.codec.name} codec has no tier '{tier}'")
                cells = self._cells(row, blob, text)[: row.rows_used]
                tokens = self.codec.encode([render(cells, PageLayout.from_dict(row.layout), tier)], tier)[0]
            reading = self._decoder.read_tokens([tokens])[0]
        except TokensError as error:
            raise TokensDamaged(f"page {page_id} cannot be read: {error}") from error
        cells, sure = reading.cells[: row.rows_used], reading.confidence[: row.rows_used]
        state = PageState(
            tier, "decoded", reading.flag_below, reading.cells, reading.confidence, np.ones(1, dtype=bool)
        )
        with self._database.read() as connection:
            parts = pages.spans_of_pages(connection, [row.id]).get(row.id, [])
            found = messages.by_ids(connection, [span.message_id for span in parts])
            kept = pages.keepsakes_of(connection, [row.id]).get(row.id, [])
        spans = [recalled(found[span.message_id], self._rememberer.part(state, row, span, kept)) for span in parts]
        flat = sure.reshape(-1)
        return PageReading(
            page_id=page_id,
            tier=tier,
            source="decoded",
            text=reading.text,
            lines=_lines(cells, sure),
            uncertain=uncertain_runs(flat, flat < reading.flag_below),
            confidence=round(reading.mean_confidence, 4),
            messages=spans,
        )

    def page_tokens(self, bank: str, page_id: str) -> VisionTokens:
        """The stored vision tokens. Raises `NotFound`, `TokensDamaged`."""
        _, blob, _ = self._content(bank, page_id)
        try:
            return VisionTokens.from_bytes(blob)
        except TokensError as error:
            raise TokensDamaged(f"page {page_id}: {error}") from error

    def pin(self, bank: str, page_id: str) -> PageInfo:
        """Keeps a page as it is: a pinned page does not age. Raises `NotFound`."""
        return self._set_pinned(bank, page_id, True)

    def unpin(self, bank: str, page_id: str) -> PageInfo:
        """Lets a page age again. Raises `NotFound`."""
        return self._set_pinned(bank, page_id, False)

    # banks

    def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Banks by name with their statistics."""
        check_limit(limit)
        after = str(decode_cursor(cursor, "banks")[0]) if cursor else None
        with self._database.read() as connection:
            rows = banks.page_of(connection, after, limit + 1)
            infos = [self._statistics(connection, row) for row in rows[:limit]]
        more = len(rows) > limit
        return Banks(banks=infos, next_cursor=encode_cursor("banks", [rows[limit - 1].name]) if more else None)

    def bank(self, bank: str) -> BankInfo:
        """Statistics of a bank. Raises `NotFound`."""
        with self._database.read() as connection:
            return self._statistics(connection, banks.get(connection, bank))

    def policy(self, bank: str) -> Policy:
        """Raises `NotFound`."""
        with self._database.read() as connection:
            return Policy.parse(banks.get(connection, bank).policy)

    def set_policy(self, bank: str, policy: Policy | Mapping[str, Any]) -> Policy:
        """Replaces the ageing policy of a bank. Raises `NotFound`, `InvalidPolicy`."""
        if not isinstance(policy, Policy):
            policy = Policy.parse(policy)
        with self._database.write() as connection:
            banks.set_policy(connection, banks.get(connection, bank).id, policy.model_dump(mode="json"))
        return policy

    # what several of them need

    def _content(self, bank: str, page_id: str) -> tuple[PageRow, bytes, bytes | None]:
        with self._database.read() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            tokens, text = pages.contents(connection, [row.id])[row.id]
        return row, tokens, text

    def _cells(self, row: PageRow, tokens: bytes, text: bytes | None) -> Cells:
        """The best grid the memory still has of a page."""
        if text is not None:
            return unpack_cells(text, PageLayout.from_dict(row.layout).columns)
        state = self._decoder.read([row], {row.id: (tokens, text)})[row.id]
        if isinstance(state, TokensDamaged):
            raise state
        return state.cells

    @staticmethod
    def _allowed_tier(row: PageRow, tier: str | None, text_kept: bool) -> str:
        if tier is None:
            return row.tier
        if tier_rank(tier) < tier_rank(row.tier) and not text_kept:
            raise Forgotten(f"page {row.key} is held at '{row.tier}'; what '{tier}' showed is forgotten")
        return tier

    def _set_pinned(self, bank: str, page_id: str, pinned: bool) -> PageInfo:
        with self._database.write() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            if row.pinned != pinned:
                pages.set_pinned(connection, row.id, pinned)
        return self.page(bank, page_id)

    def _infos(self, connection: Connection, bank: str, rows: Sequence[PageRow]) -> list[PageInfo]:
        ids = [row.id for row in rows]
        threads = pages.threads_of(connection, ids)
        sizes = pages.keepsake_sizes(connection, ids)
        infos = []
        for row in rows:
            count, size = sizes.get(row.id, (0, 0))
            infos.append(
                PageInfo.model_validate(
                    {
                        "id": row.key,
                        "bank": bank,
                        "threads": threads.get(row.id, []),
                        "tier": row.tier,
                        "pinned": row.pinned,
                        "sealed_at": row.sealed_at,
                        "first_at": row.first_at,
                        "last_at": row.last_at,
                        "messages": row.messages,
                        "vision_tokens": row.vision_tokens,
                        "bytes": row.token_bytes + row.text_bytes + size,
                        "text_kept": row.text_bytes > 0,
                        "confidence": round(row.confidence, 4),
                        "codec": row.codec,
                        "keepsakes": count,
                    }
                )
            )
        return infos

    def _statistics(self, connection: Connection, bank: Bank) -> BankInfo:
        totals = messages.totals(connection, bank.id)
        tiers = pages.totals(connection, bank.id)
        token_bytes = sum(tier.token_bytes for tier in tiers)
        text_bytes = sum(tier.text_bytes for tier in tiers) + totals.open_text_bytes
        sizes = {
            "tokens": token_bytes,
            "text": text_bytes,
            "index": index.size_bytes(connection, bank.id),
            "keepsakes": pages.keepsake_bytes(connection, bank.id),
            "metadata": totals.metadata_bytes + pages.metadata_bytes(connection, bank.id),
            "wastebasket": wastebasket.size_bytes(connection, bank.id),
        }
        return BankInfo(
            id=bank.name,
            created_at=bank.created_at,
            messages=totals.messages,
            open_messages=totals.open_messages,
            threads=banks.count_threads(connection, bank.id),
            pages=sum(tier.pages for tier in tiers),
            tiers={
                tier.tier: TierStatistics(
                    pages=tier.pages, vision_tokens=tier.vision_tokens, token_bytes=tier.token_bytes
                )
                for tier in sorted(tiers, key=lambda t: tier_rank(t.tier))
            },
            bytes=BankBytes(**sizes, total=sum(sizes.values())),
            first_at=totals.first_at,
            last_at=totals.last_at,
        )


def _lines(cells: Cells, sure: Any) -> list[Line]:
    return [
        Line(row=row, text=grid_text(cells[row]), confidence=round(float(sure[row].mean()), 4))
        for row in range(cells.shape[0])
    ]
