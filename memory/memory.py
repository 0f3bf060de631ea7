"""The memory in process: the facade that the HTTP interface, the command line and embedders use."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from foxing.encoder import CODECS, Codec, CodecError, CodecOptions, VisionTokens, load_codec
from foxing.renderer import FoxingError, tier_rank

from .errors import Closed, InvalidInput, InvalidTime, NotFound
from .ingest.seal import Sealer
from .ingest.store import MessageStore
from .ingest.validate import check_bank_name
from .lifecycle.age import Ager
from .lifecycle.reencode import Reencoder
from .lifecycle.rewrite import Rewriter
from .models import (
    AgeReport,
    BankInfo,
    Banks,
    Fidelity,
    NewMessage,
    PageInfo,
    PageLeft,
    PageReading,
    Pages,
    RecalledImages,
    RecalledMessage,
    RecallResult,
    ReencodingReport,
    SealReport,
    StoreResult,
    TickReport,
)
from .pages.decoder import PageDecoder
from .pages.message_parts import recalled
from .pages.view import PageViewer
from .policy import Policy
from .recall.assemble import MessageAssembler
from .recall.cursors import decode_cursor, encode_cursor, time_cursor
from .recall.images import ImageRecaller
from .recall.query import check_limit
from .recall.search import Recaller
from .statistics import bank_info, page_infos
from .storage.database import Database
from .storage.repositories import banks, messages, pages

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
MAX_MESSAGE_BYTES = 1 << 20  # 1 MiB


def utc_now() -> datetime:
    return datetime.now(UTC)


class Memory:
    """A long-context optical memory in one database.

    `database`: a SQLAlchemy URL or the path of a SQLite file, None for the file in the user's data folder; it is
    made and brought up to date. `codec`: a codec or its name; its weights are loaded with the first page that is
    encoded or decoded. `token_bytes`: for a codec by name, bytes of a vision token at some tiers; `codec_options`: what
    else can be chosen about it. `clock`: where the present comes from. Safe to share between threads.

    Raises `StorageError` when the database cannot be used, `DatabaseTooNew` when a newer version wrote it.
    """

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        codec: str | Codec = "native",
        device: str = "auto",
        token_bytes: Mapping[str, int] | None = None,
        codec_options: CodecOptions | None = None,
        clock: Callable[[], datetime] = utc_now,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._load: Callable[[], Codec] = lambda: (
            load_codec(codec, device, token_bytes, codec_options) if isinstance(codec, str) else codec
        )
        self._clock = clock
        self._max_message_bytes = max_message_bytes
        self._database = Database(database)
        try:
            self._database.migrate()
        except BaseException:
            self._database.close()
            raise
        others = partial(_writer, device=device, options=codec_options)
        self._decoder = PageDecoder(self._load, partial(others, shipped=True))
        self._rememberer = MessageAssembler(self._decoder)
        self._sealer = Sealer(self._database, self._decoder, self._rememberer)
        self._ager = Ager(self._database, Rewriter(self._database, self._decoder, self._rememberer))
        self._reencoder = Reencoder.reading(self._database, PageDecoder(self._load, others))
        self._recaller = Recaller(self._database, self._rememberer)
        self._imager = ImageRecaller(self._database, self._recaller, self._decoder)
        self._viewer = PageViewer(self._database, self._decoder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the memory: every call that needs the database raises `Closed` from then on, calls that are running
        finish or raise it, and nothing is left half done. Closing again has no effect."""
        self._database.close()

    @property
    def database_url(self) -> str:
        """Where the memory lives, without the password."""
        return self._database.display_url

    @property
    def codec(self) -> Codec:
        """Raises `CodecError` when it cannot be loaded."""
        return self._load()

    @property
    def queue_depth(self) -> int:
        """Pages that wait to be decoded."""
        return self._decoder.queue.depth

    def now(self, now: datetime | None = None) -> datetime:
        """`now`, or what the clock says. Raises `InvalidTime` for a naive one."""
        if now is None:
            return self._clock().astimezone(UTC)
        if now.tzinfo is None:
            raise InvalidTime("now has no timezone; write it like 2026-03-02T09:15:00+01:00")
        try:
            return now.astimezone(UTC)
        except OverflowError as error:
            raise InvalidTime("now lies outside the years 1 to 9999 in UTC") from error

    def check(self) -> None:
        """Raises when the database or the codec cannot be used."""
        self._database.ping()
        _ = self.codec

    # messages

    def store(
        self,
        bank: str,
        messages: Iterable[NewMessage | Mapping[str, Any]],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
    ) -> StoreResult:
        """Remembers messages, all or none; the bank comes into being with its first one. They are readable at once.

        The same id with the same message again adds nothing. A message without `created_at` is dated now, one without
        a thread belongs to `thread`. Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge`, or `Conflict` when an id
        or an idempotency key belongs to something else.
        """
        storing = MessageStore(self._database, self._max_message_bytes)
        return storing.store(bank, messages, thread=thread, idempotency_key=idempotency_key, now=self.now())

    def message(self, bank: str, message_id: str) -> RecalledMessage:
        """One message as remembered. Raises `NotFound`."""
        with self._database.read() as connection:
            found = messages.by_keys(connection, banks.get(connection, bank).id, [message_id])
            if message_id not in found:
                raise NotFound(f"there is no message '{message_id}' in bank '{bank}'")
            message = found[message_id]
            return recalled(message, self._rememberer.messages(connection, [message])[message.id])

    def export(self, bank: str) -> Iterator[RecalledMessage]:
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
    ) -> RecallResult:
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
    ) -> RecalledImages:
        """The same, as images of the pages that hold the answers, each page once, laid out for `reader`."""
        return self._imager.recall(
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
        unreadable: dict[str, list[PageLeft]] = {}
        for bank in everyone:
            try:
                sealed += self._seal_due(bank.name, Policy.parse(bank.policy), at)
                report = self.age(bank.name, now=at)
                moved += len(report.moved)
                purged += report.purged
                if report.unreadable:
                    unreadable[bank.name] = report.unreadable
            except Closed:
                raise
            except FoxingError as error:
                failed[bank.name] = str(error)
            except Exception as error:  # whatever is wrong with one bank, the others go on
                log.exception("ageing of bank '%s' failed", bank.name)
                failed[bank.name] = f"{type(error).__name__}: {error}"
        return TickReport(
            now=at,
            sealed_pages=sealed,
            moved_pages=moved,
            purged=purged,
            failed_banks=failed,
            unreadable=unreadable,
        )

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

    # weights

    def reencode(self, bank: str, *, dry_run: bool = False, progress: Progress | None = None) -> ReencodingReport:
        """Writes every page whose tokens another codec or other weights wrote, pinned ones included, anew with the
        present ones: from its kept text, else from what its tokens say, for which the codec that wrote them is loaded.
        Its tier stays, or is the next sharper one that the codec has. A page laid out for another codec is typeset
        again, and becomes several where pages of the present one hold less.

        Stopped at any point it leaves every page whole, and the next call goes on; where nothing is left to do it
        writes nothing. A page that cannot be read stays as it is and is named in the report. Reading and ageing need
        none of this, as long as the codec reads the retired weights. `progress` is told pages done and pages to do.
        With `dry_run` nothing is written. Raises `NotFound`, `CodecError`.
        """
        return self._reencoder.reencode(bank, self.now(), dry_run=dry_run, progress=progress)

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
            rows = pages.list_by_time(connection, bank_id, tier=tier, after=after, limit=limit + 1)
            shown = rows[:limit]
            infos = page_infos(connection, bank, shown)
        more = len(rows) > limit
        following = encode_cursor(mark, [shown[-1].last_at.isoformat(), shown[-1].id]) if more else None
        return Pages(pages=infos, next_cursor=following)

    def page(self, bank: str, page_id: str) -> PageInfo:
        """Raises `NotFound`."""
        with self._database.read() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            return page_infos(connection, bank, [row])[0]

    def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """PNG of the page as `tier` (None: its own) shows it, from the best the memory still has.

        Raises `NotFound`, and `Forgotten` for a tier that is sharper than what is left.
        """
        return self._viewer.image(bank, page_id, tier)

    def read_page(self, bank: str, page_id: str, tier: str | None = None) -> PageReading:
        """The page decoded now from its vision tokens, or as it would read at the lower `tier`. Keepsakes are spliced
        into the messages, not into `text`. Raises `NotFound`, `Forgotten`, `TokensDamaged`, `ReaderFailed`."""
        return self._viewer.read(bank, page_id, tier)

    def page_tokens(self, bank: str, page_id: str) -> VisionTokens:
        """The stored vision tokens. Raises `NotFound`, `TokensDamaged`."""
        return self._viewer.tokens(bank, page_id)

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
            rows = banks.list_after(connection, after, limit + 1)
            infos = [bank_info(connection, row) for row in rows[:limit]]
        more = len(rows) > limit
        return Banks(banks=infos, next_cursor=encode_cursor("banks", [rows[limit - 1].name]) if more else None)

    def bank(self, bank: str) -> BankInfo:
        """Statistics of a bank. Raises `NotFound`."""
        with self._database.read() as connection:
            return bank_info(connection, banks.get(connection, bank))

    def policy(self, bank: str) -> Policy:
        """Raises `NotFound`."""
        with self._database.read() as connection:
            return Policy.parse(banks.get(connection, bank).policy)

    def set_policy(self, bank: str, policy: Policy | Mapping[str, Any]) -> Policy:
        """Sets the ageing policy of a bank, which is created if necessary, and returns it. Raises `InvalidPolicy`, and
        `InvalidInput` for an invalid name."""
        if not isinstance(policy, Policy):
            policy = Policy.parse(policy)
        check_bank_name(bank)
        fields = policy.model_dump(mode="json")
        with self._database.write() as connection:
            banks.set_policy(connection, banks.get_or_create(connection, bank, self.now(), fields).id, fields)
        return policy

    def _set_pinned(self, bank: str, page_id: str, pinned: bool) -> PageInfo:
        with self._database.write() as connection:
            row = pages.get(connection, banks.get(connection, bank).id, page_id)
            if row.pinned != pinned:
                pages.set_pinned(connection, row.id, pinned)
        return self.page(bank, page_id)


def _writer(name: str, *, device: str, options: CodecOptions | None, shipped: bool = False) -> Codec:
    """The codec that wrote pages before the present one. `shipped`: only if it comes with the package; any other is a
    model that reading a page must not load unasked. Raises `CodecError`."""
    entry = CODECS.get(name)
    if shipped and entry is not None and not entry.shipped:
        raise CodecError(f"move the page to the present codec by foxing reencode, or set FOXING_CODEC={name}")
    return load_codec(name, device, options=options)
