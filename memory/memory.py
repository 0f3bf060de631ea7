"""The in-process memory: the facade behind the HTTP API and the command line, and the API for embedding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from foxing.memory.values.base import aware_utc
from foxing.renderer.clock import utc_now

from .audit import AuditLog, audited
from .codec_source import CodecSource
from .conversation import Provider
from .errors import EmbedderError, InvalidInput, NotFound
from .index.embedder import DEFAULT_EMBEDDER
from .index.embedders import import_default, open_embedder
from .ingest.calls import StoreCall
from .ingest.late_embedding import LateEmbedding
from .ingest.validate import check_bank_name
from .lifecycle.recall_weights import RecallWeights
from .limits import TenantLimits
from .listings import bank_info, list_banks, list_pages, newest_banks, page_info, set_pinned
from .once import once
from .options import MemoryOptions
from .pages.assembler import MessageAssembler
from .pages.decoder import PageDecoder
from .pages.message_images import MessageImages
from .recall.banks import by_bank
from .recall.search import Recaller
from .storage.database import DatabaseOptions, open_database
from .storage.repositories import banks
from .storage.repositories.sizes import database_sizes
from .text.times import parse_since
from .text.times.window import split_query
from .values.banks import BankEnd, BankInfo, Banks
from .values.base import MAX_PREVIEWED_PAGES, PREVIEWED_PAGES, Value, checked
from .values.compression import CompressRequest, CompressResult, RetrieveResult
from .values.context import ContextFields, ContextRequest, ContextResult
from .values.facts import FACT_TOKENS, Fact, FactCorrection, Facts
from .values.fold import FoldRequest, FoldResult
from .values.forecasts import PolicyForecast
from .values.messages import FetchResult, MessageInfo, NewMessage, RecalledMessage, StoreResult
from .values.pages import PageInfo, PageReading, Pages
from .values.policy import Policy
from .values.recall import ImageQueryFields, RecalledImages, RecallQuery, RecallResult, TextQueryFields
from .values.reports import (
    AgeReport,
    EmbeddingReport,
    ErasureReport,
    MarkdownReport,
    PagePreview,
    ReencodingReport,
    SealReport,
    TickReport,
    UndoReport,
)
from .values.savings import ModelCall, ModelCalls, RecordedCalls, Savings, SavingsBy, SavingsWindow
from .values.sizes import DatabaseSizes, PoolSizes
from .values.threads import ThreadInfo, ThreadQuery, ThreadQueryFields, Threads, ThreadTitle

if TYPE_CHECKING:
    from foxing.encoder import Codec, VisionTokens
    from foxing.renderer import Progress
    from foxing.renderer.readers import ProofReader

    from .bank_jobs import BankJobs
    from .bulk.work import BulkWork
    from .bundle.bundles import Bundles
    from .codec_source import OptionsOfCodecs
    from .context.builder import ContextBuilder
    from .facts import StandingFacts
    from .fold.compressor import Compressor
    from .fold.folder import Folder
    from .holds import LegalHolds
    from .ingest.dry_run import DryRun
    from .ingest.importers.jobs import ImportJobs
    from .ingest.seal import Sealer
    from .ingest.store import MessageStore, PreparedCall
    from .keys import ApiKeys
    from .labels import RecallLabels
    from .lifecycle.age import Ager
    from .lifecycle.embed import MessageEmbedder
    from .lifecycle.erase import Eraser
    from .lifecycle.jobs import JobQueue
    from .lifecycle.persons import Persons
    from .lifecycle.reencode import Reencoder
    from .lifecycle.undo import Undoer
    from .pages.fetch import Fetcher
    from .pages.indexing import Reindexer
    from .pages.view import PageViewer
    from .quarantine import Quarantine
    from .recall.images import ImageRecaller
    from .records.store import RecordStore
    from .savings.ledger import Ledger
    from .threads import ThreadList


@audited(lambda memory: memory._database)
class Memory:
    """A long-context optical memory in one database. Safe to share between threads.

    Every method that names a bank raises `NotFound` if there is no such bank, except `store` and `set_policy`, which
    create it, and recall and context, which give nothing and say so in `notes`. Methods that take `progress` call it
    with the number of items done and the total.
    """

    def __init__(
        self,
        database: str | Path | DatabaseOptions | None = None,
        *,
        codec: str | Codec = "native",
        device: str = "auto",
        codec_options: OptionsOfCodecs | None = None,
        clock: Callable[[], datetime] = utc_now,
        options: MemoryOptions | None = None,
    ) -> None:
        """Opens the database, creating or migrating it if necessary.

        `database`: path of a SQLite file, by default one in the user's data folder, or a database URL, alone or in
        `DatabaseOptions`. `codec`: a codec or its name; it is loaded on first use. `device`: device of a codec given by
        name, "auto", "cpu" or "cuda". `codec_options`: options of the codec, or codec name → options, for pages encoded
        by other codecs. `clock`: returns the current time, timezone-aware. `options`: further options.

        Raises `StorageError` if the database or the search index cannot be used, `DatabaseTooNew` if a newer version
        wrote the database, `NoDatabase` if it does not exist and `DatabaseOptions(create=False)` is given, and
        `EmbedderError` for an endpoint without address or model.
        """
        self._codecs = CodecSource(codec, device, codec_options)
        self._clock = clock
        self._options = options or MemoryOptions()
        self._search = self._options.search()
        self._index = self._search.index
        self._vectors = self._search.vectors
        self._database = open_database(database)
        self._audit = AuditLog(
            self._database, self.now, self._options.audit, self._options.audit_days, self._options.door
        )
        self._decoder = PageDecoder(
            self._codecs.current, self._codecs.bundled, cache_bytes=self._options.page_cache_bytes
        )
        self._assembler = MessageAssembler(self._decoder)
        self._recall_weights = RecallWeights(self._database, enabled=self._options.recall_weights)
        self._recaller = Recaller(self._database, self._search, self._assembler, self._options.gap_mark)
        self._images = MessageImages(self._database)
        self._limits = TenantLimits(self._database, self.now)
        self._late = LateEmbedding(lambda bank: self._embedder.embed_stored(bank))

    @once
    def _store(self) -> MessageStore:
        from .ingest.store import MessageStore

        limit = self._options.max_message_bytes
        return MessageStore(self._database, self._search, limit, self._late.embed, self._limits)

    @once
    def _reindexer(self) -> Reindexer:
        from .pages.indexing import Reindexer

        return Reindexer(self._database, self._search, self._assembler)

    @once
    def _sealer(self) -> Sealer:
        from .images.ocr import ImageTextReader
        from .ingest.image_texts import ImageTexts
        from .ingest.seal import Sealer

        texts = ImageTexts(self._database, ImageTextReader(self._options.read_images))
        return Sealer(self._database, self._decoder, self._reindexer, texts)

    @once
    def _ager(self) -> Ager:
        from .lifecycle.age import Ager
        from .lifecycle.rewrite import Rewriter

        return Ager(self._database, Rewriter(self._database, self._decoder, self._reindexer))

    @once
    def _undoer(self) -> Undoer:
        from .lifecycle.undo import Undoer

        return Undoer(self._database, self._decoder, self._reindexer)

    @once
    def _of_any_codec(self) -> PageDecoder:
        return self._decoder.with_codecs(self._codecs.named)

    @once
    def _labels(self) -> RecallLabels:
        from .labels import RecallLabels, labels_path

        path = labels_path(self.operations.database_url, self._options.labels_file)
        return RecallLabels(self._database, path, self.now)

    @once
    def _eraser(self) -> Eraser:
        from .lifecycle.blanking import PageBlanker
        from .lifecycle.erase import Eraser

        blanker = PageBlanker(self._database, self._of_any_codec, self._index.document_frequencies)
        return Eraser(self._database, blanker, self._reindexer, self._labels)

    @once
    def _embedder(self) -> MessageEmbedder:
        from .lifecycle.embed import MessageEmbedder
        from .records.embedding import MissingVectors

        missing = MissingVectors(self._database, self._vectors.source)
        return MessageEmbedder(self._database, self._reindexer, missing)

    @once
    def _reencoder(self) -> Reencoder:
        from .lifecycle.reencode import Reencoder

        return Reencoder(self._database, self._of_any_codec, self._search)

    @once
    def _fetcher(self) -> Fetcher:
        from .pages.fetch import Fetcher

        return Fetcher(self._database, self._assembler, self._options.gap_mark)

    @once
    def _proofs(self) -> ProofReader:
        from foxing.renderer.readers import ProofReader

        return ProofReader()

    @once
    def _image_recaller(self) -> ImageRecaller:
        from .recall.images import ImageRecaller

        readers = self._options.readers
        gap_mark = self._options.gap_mark
        return ImageRecaller(self._database, self._search, self._assembler, readers, gap_mark, self._proofs)

    @once
    def _context(self) -> ContextBuilder:
        from .context.builder import ContextBuilder

        readers = self._options.readers
        weights = self._recall_weights
        return ContextBuilder(
            self._database, self._recaller, self._assembler, readers, weights, lambda: self._facts, self._proofs
        )

    @once
    def _folder(self) -> Folder:
        from .fold.folder import Folder

        return Folder(self._database, self._store, self._options.readers, self._proofs)

    @once
    def _ledger(self) -> Ledger:
        from .savings.ledger import Ledger

        return Ledger(self._database)

    @once
    def _compressor(self) -> Compressor:
        from .fold.compressor import Compressor

        return Compressor(self._database, self._store)

    @once
    def _viewer(self) -> PageViewer:
        from .pages.view import PageViewer

        return PageViewer(self._database, self._decoder, self._index.document_frequencies, self._clock)

    @once
    def _facts(self) -> StandingFacts:
        from .facts import StandingFacts

        return StandingFacts(
            self._database, self._vectors, self._assembler, lambda: self._store, self._options.gap_mark
        )

    @once
    def _threads(self) -> ThreadList:
        from .threads import ThreadList

        return ThreadList(self._database, self._assembler)

    @once
    def _jobs(self) -> JobQueue:
        from .lifecycle.job_runner import JobRunner
        from .lifecycle.jobs import JobQueue

        runner = JobRunner(self._database, self._codecs, self._sealer, self._ager, self._embedder, self._eraser)
        return JobQueue(self._database, runner, self._codecs.name, self._recall_weights)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the memory, once long messages are embedded. Running calls finish or raise `Closed`, without partial
        writes; later calls that need the database raise it. Idempotent."""
        self._late.wait()
        self._recall_weights.write()
        self._audit.close()
        self._database.close()
        self._vectors.source.close()

    @property
    def codec(self) -> Codec:
        """The current codec, loaded if necessary. Raises `CodecError` if it cannot be loaded."""
        return self._codecs.current()

    @cached_property
    def operations(self) -> Operations:
        """Calls of a service, its workers and its operator."""
        return Operations(self)

    @cached_property
    def records(self) -> RecordStore:
        """Key-value records of agent frameworks, which are stored beside the messages and never fade."""
        from .records.store import RecordStore

        return RecordStore(self._database, self._vectors, self.now)

    def now(self, now: str | datetime | None = None, timezone: str | None = None) -> datetime:
        """Returns `now`, or the time of the memory's clock, in UTC.

        `now`: a datetime, or text in words, as a date or in RFC 3339; a period is taken at its start. `timezone`: IANA
        name or offset for text, UTC by default. Raises `InvalidTime`.
        """
        present = self._clock().astimezone(UTC)
        if isinstance(now, str):
            return parse_since(now, present, timezone)
        return present if now is None else aware_utc(now)

    def check(self) -> None:
        """Checks that the database and the codec can be used. Raises `StorageError` or `CodecError`."""
        self._database.ping()
        _ = self.codec

    def store(
        self,
        bank: str,
        messages: Iterable[NewMessage | Mapping[str, Any]],
        *,
        thread: str | None = None,
        idempotency_key: str | None = None,
        provider: Provider | None = None,
        session: str | None = None,
        answer: str | None = None,
    ) -> StoreResult:
        """Stores messages atomically, creating the bank if necessary. They can be recalled immediately: those above
        about 40 kB by their words, and by their meaning once a thread has embedded them.

        A message without `created_at` is dated now; one without `thread` belongs to `thread`. Storing the same message
        under the same id is idempotent. `idempotency_key`: a repeated call with the same key returns the first result.
        `provider`: the messages are those of its API, as a request or an answer has them. `session`: they are a
        conversation from its beginning, of which each turn is stored once; "auto" for a session that follows from its
        first words. `answer`: body of the answer to them.
        Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge`, and `Conflict` if an id or the idempotency key was used
        for other content.
        """
        if provider is None:
            if session is not None or answer is not None:
                raise InvalidInput("session and answer need provider, the format of the messages")
            return self._store.store(StoreCall(bank, messages, thread, idempotency_key), self.now())
        from .ingest.provider_messages import messages_of

        read = messages_of(provider, messages, thread=thread, session=session, answer=answer)
        if not read.messages and (read.left_out or session):
            return StoreResult(ids=[], stored=0, duplicates=0, left_out=read.left_out)
        result = self._store.store(StoreCall(bank, read.messages, thread, idempotency_key), self.now())
        return result.model_copy(update={"left_out": read.left_out})

    def message(self, bank: str, message_id: str) -> MessageInfo:
        """Returns a message as remembered, with its keepsakes and its recall weight. Raises `NotFound`."""
        [message] = self._images.fill(
            bank,
            self._recaller.with_expiries(bank, [self._recaller.message(bank, message_id, self.now())]),
            everything=True,
        )
        keepsakes = self._recaller.keepsakes(bank, message.message_id) if message.page_ids else []
        return self._recall_weights.info(bank, message, keepsakes, self.now())

    def export(self, bank: str) -> Iterator[RecalledMessage]:
        """Yields all messages of a bank in time order, as remembered now. Raises `NotFound`."""
        cursor: str | None = None
        while True:
            query = RecallQuery.build(None, limit=500, cursor=cursor)
            part = self._recaller.recall(bank, query, self.now())
            for span in self._recaller.with_expiries(
                bank, part.spans
            ):  # one by one, since many images take much memory
                yield from self._images.fill(bank, [span], everything=True)
            cursor = part.next_cursor
            if cursor is None:
                return

    def recall(
        self,
        bank: str,
        query: str | RecallQuery | None = None,
        *,
        track: bool = True,
        **fields: Unpack[TextQueryFields],
    ) -> RecallResult:
        """Returns the messages that match `query`, best first; without a query, those of the time window in time order.
        Images in messages come as parts, with their data up to 24 MiB an answer.

        `track`: whether the messages gain recall weight; False for a person who looks. `fields`: the fields of
        `RecallQuery` that apply to text. They override those of a `RecallQuery` given as `query`. Raises `InvalidTime`,
        `InvalidCursor`, `InvalidInput`.
        """
        built = RecallQuery.build(query, **fields).for_format("text")
        now = self.now(built.now, built.timezone)
        result = self._recaller.recall(bank, built, now)
        parts = by_bank(result.spans, bank)
        if track:
            for name, spans in parts.items():
                self._recall_weights.record(name, result.model_copy(update={"spans": spans}), now)
        filled = {name: iter(self._images.fill(name, spans)) for name, spans in parts.items()}
        spans = [next(filled[span.bank or bank]) for span in result.spans]
        scores = self._recaller.scores(bank, built, now) if built.explain else []
        return result.model_copy(update={"spans": spans, "scores": scores})

    def recall_images(
        self, bank: str, query: str | RecallQuery | None = None, **fields: Unpack[ImageQueryFields]
    ) -> RecalledImages:
        """Returns images of the pages with messages that match `query`, each page once: as stored for the reader
        "native", or laid out for another reader, on one or more images.

        `fields`: the fields of `RecallQuery` that apply to images. Open messages have no page yet and are returned as
        text. Raises the errors of `recall`, and `UnknownReader`.
        """
        built = RecallQuery.build(query, **fields).for_format("images")
        result = self._image_recaller.recall(bank, built, now := self.now(built.now, built.timezone))
        self._limits.add_image_tokens(result.vision_tokens)
        words, _ = split_query(built.query or "", now, built.timezone)
        self._recall_weights.record_images(bank, words, result, now)
        return result

    def context(
        self,
        bank: str,
        request: ContextRequest | None = None,
        *,
        track: bool = True,
        **fields: Unpack[ContextFields],
    ) -> ContextResult:
        """Returns content for the prompt of a reader, within the budget of the request: recalled messages, as text or
        page image, whichever shows more per billed token, and the last messages verbatim. An image never costs more
        than its text.

        `track`: as for `recall`. `fields`: the fields of `ContextRequest`, in place of a request, or to override those
        of one. Raises `UnknownReader`, `InvalidTime`, and `InvalidInput` for invalid fields, or if the budget is too
        small for the last message.
        """
        request = ContextRequest.with_fields(request, fields)
        result = self._context.build(bank, request, self.now(request.now, request.timezone), weighs=track)
        self._limits.add_image_tokens(result.image_tokens)
        return result

    def fold(self, bank: str, request: FoldRequest) -> FoldResult:
        """Returns a conversation with its older history folded into text and page images, in one user message. What is
        folded is the same at every call until a later fold adds to it or lets it fade, also in another process.

        A fold is made where it pays, while the cache is cold, or where the budget is nearly exhausted. It stores the
        folded messages, each once, and creates the bank if necessary; `fetch` resolves their references. Raises
        `InvalidInput` for a conversation with unpaired tool calls, or a budget too small for what must stay, and
        `UnknownReader`. Nothing is stored then.
        """
        return self._folder.fold(bank, checked(request, FoldRequest), self.now())

    def record_model_calls(
        self, bank: str, calls: ModelCalls | Sequence[ModelCall | Mapping[str, object]]
    ) -> RecordedCalls:
        """Records what calls of models were billed, from which `savings` derives what folding saved. Each call is
        recorded once. Creates the bank if necessary. Raises `InvalidInput`, `InvalidTime`; nothing is recorded then."""
        recorded = calls if isinstance(calls, ModelCalls) else ModelCalls.from_fields({"calls": list(calls)})
        return self._ledger.record(bank, recorded.calls, self.now())

    def savings(
        self,
        bank: str | None,
        *,
        by: SavingsBy = "day",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> Savings:
        """Returns what folding saved by day, session or model: what the recorded calls were billed, and what they would
        have been without folding under the same state of the provider's cache. `limit`: maximum number of rows, the
        newest. `bank`: None for all banks together. Raises `NotFound`, `InvalidInput`, `InvalidTime`."""
        window = SavingsWindow.from_fields({"by": by, "since": since, "until": until, "limit": limit})
        return self._ledger.savings(bank, window)

    def facts(
        self,
        bank: str,
        *,
        at: str | datetime | None = None,
        subject: str | None = None,
        max_tokens: int = FACT_TOKENS,
        timezone: str | None = None,
    ) -> Facts:
        """Returns the standing facts of a bank: clauses of messages that state what holds, pinned ones first, then the
        newest, as many as `max_tokens` hold as text. What rules do not recognise is not among them.

        `at`: what held at that time, by default now; text in words, as a date or in RFC 3339. `subject`: of whom, by
        name, role or a word such as "daughter". Raises `NotFound`, `InvalidInput`, `InvalidTime`.
        """
        until = None if at is None else self.now(at, timezone)
        return self._facts.standing(bank, self.now(), at=until, subject=subject, max_tokens=max_tokens)

    def pin_fact(self, bank: str, fact_id: str, *, pinned: bool = True) -> Fact:
        """Pins a fact, which is then listed first and ended by no message, or unpins it. Raises `NotFound`."""
        return self._facts.pin(bank, fact_id, pinned=pinned)

    def correct_fact(self, bank: str, fact_id: str, text: str) -> Fact:
        """Stores a statement of the user in place of a fact, and returns it. A repeated call stores nothing new. Raises
        `NotFound`, `InvalidInput`."""
        return self._facts.correct(bank, fact_id, FactCorrection.from_fields({"text": text}), self.now())

    def dismiss_fact(self, bank: str, fact_id: str) -> Fact:
        """Dismisses a fact: it holds no more from now on. Its message stays. Raises `NotFound`."""
        return self._facts.dismiss(bank, fact_id, self.now())

    def fetch(self, bank: str, refs: str | Sequence[str]) -> FetchResult:
        """Returns the complete messages, as remembered now, of one or up to 100 references, such as those on a page
        image: "k7q" or "[k7q]". Counts as a recall of these messages.

        References without a message are listed in `missing`. If none has a message, raises `Forgotten` if all were
        erased, else `NotFound`. Raises `InvalidInput` for no references or too many.
        """
        now = self.now()
        result = self._fetcher.fetch(bank, refs, now)
        for message in result.messages:
            self._recall_weights.record_keys(bank, [message.message_id], now)
        return result.model_copy(update={"messages": self._images.fill(bank, result.messages)})

    def seal(
        self,
        bank: str,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> SealReport:
        """Seals all open messages onto pages, the last of which may be partly filled, and returns a report. `now`,
        `timezone`: see `now`. `progress` counts messages. Raises `NotFound`, `InvalidTime`, `CodecError`."""
        return self._sealer.seal(bank, self.now(now, timezone), everything=True, progress=progress)

    def age(
        self,
        bank: str,
        *,
        now: str | datetime | None = None,
        timezone: str | None = None,
        dry_run: bool = False,
        preview: int = PREVIEWED_PAGES,
        progress: Progress | None = None,
    ) -> AgeReport:
        """Moves the pages of a bank to the tiers that the policy sets for their age, purges trash past the undo window,
        and returns a report. `progress` counts pages.

        `now`, `timezone`: see `now`. `dry_run`: writes nothing and reports what would happen, the savings, and the
        words that would fade from up to `preview` pages, at a few tenths of a second per page. Raises `NotFound`,
        `InvalidTime`, `InvalidInput`, `CodecError`.
        """
        at = self.now(now, timezone)
        self._recall_weights.write()
        if not dry_run:
            return self._ager.age(bank, at, progress=progress)
        if not 0 <= preview <= MAX_PREVIEWED_PAGES:
            raise InvalidInput(f"preview must be from 0 to {MAX_PREVIEWED_PAGES} pages, not {preview}")
        return self._ager.dry_run(bank, at, preview)

    def tick(self, *, now: str | datetime | None = None) -> TickReport:
        """Runs the work due in all banks, and returns a report: erases expired messages and those whose time has
        come by the policies, seals full pages and old messages, ages pages, and purges the trash. `now`: see `now`.

        A failure in one bank is reported, does not affect other banks, and is retried by the next tick.
        """
        return self._jobs.tick(self.now(now))

    def undo(
        self,
        bank: str,
        *,
        since: str | datetime | None = None,
        page: str | None = None,
        now: str | datetime | None = None,
        timezone: str | None = None,
        progress: Progress | None = None,
    ) -> UndoReport:
        """Restores data that ageing dropped, of a bank or of one `page`, pins the restored pages, so that they do not
        age again until they are unpinned, and returns a report. Only data within its undo window at `now` can be
        restored.

        `since`: restore only data dropped at or after this time: a datetime, or words such as “2 hours ago”. Of several
        versions, the earliest is restored. Idempotent. `progress` counts pages. Raises `NotFound`, `InvalidTime`, and
        `Forgotten` for a `page` whose dropped data has been purged.
        """
        at = self.now(now, timezone)
        start = parse_since(since, at, timezone) if isinstance(since, str) else since and aware_utc(since)
        return self._undoer.undo(bank, at, since=start, page_key=page, progress=progress)

    def erase_message(self, bank: str, message_id: str) -> ErasureReport:
        """Permanently erases a message: from its pages at every tier, the trash, the index and every other table.
        Returns a report.

        Other messages on its pages are kept and read as before, but sharper versions of these pages are deleted, so
        that their ageing can no longer be undone. The erasure is atomic. Raises `NotFound`, `Held` if a legal hold
        keeps it, and `Unreadable` if a page with other messages cannot be read.
        """
        return self._eraser.erase_message(bank, message_id, self.now())

    def erase_thread(self, bank: str, thread: str, *, progress: Progress | None = None) -> ErasureReport:
        """Permanently erases all messages of a thread, as `erase_message` does, and returns a report. Messages stored
        meanwhile are kept. Repeating the call completes an interrupted erasure. `progress` counts messages.

        Raises `NotFound`, `Held` if a legal hold keeps any of them, and `Unreadable` if some pages cannot be read,
        after everything else has been erased.
        """
        return self._eraser.erase_thread(bank, thread, self.now(), progress=progress)

    def erase_bank(self, bank: str) -> ErasureReport:
        """Permanently erases a bank with all its data, records included, in one transaction, and returns a report.
        Raises `NotFound`, and `Held` if a legal hold keeps the bank or a person who speaks in it."""
        return self._eraser.erase_bank(bank)

    def pages(self, bank: str, *, limit: int = 50, cursor: str | None = None, tier: str | None = None) -> Pages:
        """Returns the pages of a bank, or those at `tier`, sorted by their last message, oldest first.

        `limit`: 1 to 500. `cursor`: `next_cursor` of the previous call. Raises `NotFound`, `InvalidInput`,
        `InvalidCursor`, and `LayoutError` for an unknown tier.
        """
        return list_pages(self._database, bank, limit=limit, cursor=cursor, tier=tier)

    def page(self, bank: str, page_id: str) -> PageInfo:
        """Returns the statistics of a page. Raises `NotFound`."""
        return page_info(self._database, bank, page_id)

    def page_image(self, bank: str, page_id: str, tier: str | None = None) -> bytes:
        """Returns a PNG of the page at `tier`, by default its own, drawn from the sharpest version that the memory
        holds.

        Raises `NotFound`, `TokensDamaged`, `ReaderFailed`, and `Forgotten` for a tier sharper than that version.
        """
        return self._viewer.image(bank, page_id, tier)

    def read_page(self, bank: str, page_id: str, tier: str | None = None) -> PageReading:
        """Returns the text of the page, decoded from its vision tokens, or as it would read at the lower `tier`.

        Keepsakes are spliced into the messages but not into the text of the page. Raises `NotFound`, `Forgotten`,
        `InvalidInput` for a tier that the codec lacks, `TokensDamaged`, `ReaderFailed`.
        """
        return self._viewer.read(bank, page_id, tier)

    def preview_page(self, bank: str, page_id: str, tier: str | None = None) -> PagePreview:
        """Returns a preview of a page at a lower tier, by default the next one of the codec.

        Raises `NotFound`, `InvalidInput` for a tier that is not lower or that the codec lacks, `TokensDamaged`,
        `ReaderFailed`.
        """
        return self._viewer.preview(bank, page_id, tier)

    def page_tokens(self, bank: str, page_id: str) -> VisionTokens:
        """Returns the stored vision tokens of a page. Raises `NotFound`, `TokensDamaged`."""
        return self._viewer.tokens(bank, page_id)

    def pin(self, bank: str, page_id: str, *, pinned: bool = True) -> PageInfo:
        """Pins a page, which exempts it from ageing, or unpins it, and returns its statistics. Raises `NotFound`."""
        return set_pinned(self._database, bank, page_id, pinned=pinned)

    def banks(self, *, limit: int = 50, cursor: str | None = None) -> Banks:
        """Returns the statistics of banks, sorted by name. `limit`: 1 to 500. `cursor`: `next_cursor` of the previous
        call. Raises `InvalidInput`, `InvalidCursor`."""
        return list_banks(self._database, self._index, self.now(), limit=limit, cursor=cursor)

    def threads(
        self, bank: str, *, limit: int = 50, cursor: str | None = None, **conditions: Unpack[ThreadQueryFields]
    ) -> Threads:
        """Returns the threads of a bank with their titles, speakers, and the number and the times of their messages,
        those with the newest messages first.

        `conditions`: fields of `ThreadQuery`: words of the title `q`, a `person` who speaks, the `source` with which
        the name begins, and `since` and `until`, between which the last message was said. `limit`: 1 to 500. `cursor`:
        `next_cursor` of the previous call; a thread to which messages are added meanwhile may be missing. Raises
        `NotFound`, `InvalidInput`, `InvalidTime`, `InvalidCursor`."""
        query = ThreadQuery.from_fields(conditions)
        return self._threads.select(bank, query, self.now(), limit=limit, cursor=cursor)

    def bank(self, bank: str) -> BankInfo:
        """Returns the statistics of a bank. Raises `NotFound`."""
        with self._database.read() as connection:
            return bank_info(connection, banks.get(connection, bank), self._index, self.now())

    def policy(self, bank: str) -> Policy:
        """Returns the ageing policy of a bank. Raises `NotFound`."""
        with self._database.read() as connection:
            return Policy.parse(banks.get(connection, bank).policy)

    def set_policy(self, bank: str, policy: Policy | Mapping[str, Any]) -> Policy:
        """Sets the ageing policy of a bank, creating the bank if necessary, and returns the policy. Raises
        `InvalidPolicy`, and `InvalidInput` for an invalid bank name."""
        policy = policy if isinstance(policy, Policy) else Policy.parse(policy)
        check_bank_name(bank)
        fields = policy.model_dump(mode="json")
        with self._database.write() as connection:
            banks.set_policy(connection, banks.get_or_create(connection, bank, self.now(), fields).id, fields)
        return policy


@audited(lambda operations: operations._memory._database)
class Operations:
    """Calls of a service, its workers and its operator, beside the verbs of a memory: the job queue, imports, worker
    pools, and what follows a change of weights, embedder or search index. Raises the errors of `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def database_url(self) -> str:
        """URL of the database, without the password."""
        return self._memory._database.display_url

    @property
    def queue_depth(self) -> int:
        """Number of pages waiting to be decoded."""
        return self._memory._decoder.queue_depth

    @property
    def waiting_searches(self) -> int:
        """Number of recalls of this process that wait for others."""
        return self._memory._recaller.waiting

    @property
    def waiting_writers(self) -> int:
        """Number of threads of this process that wait to write."""
        return self._memory._database.waiting_writers

    @property
    def connections(self) -> PoolSizes:
        """Database connections of this process."""
        return self._memory._database.connections

    def sizes(self) -> DatabaseSizes:
        """Returns the size of the database, and what its tenants have stored, from counters alone. Raises
        `StorageError`."""
        with self._memory._database.read() as connection:
            return database_sizes(connection)

    def thread(self, bank: str, thread: str) -> ThreadInfo:
        """Returns a thread with its title, its speakers, and the number and the times of its messages. Raises
        `NotFound`."""
        return self._memory._threads.find(bank, thread)

    def message_days(self, bank: str, thread: str | None = None) -> Counter[date]:
        """Returns the number of messages of a bank, or of one of its threads, by day of UTC; sealed messages count on
        the day of the first of their page and thread. Raises `NotFound`."""
        return self._memory._threads.days(bank, thread)

    def rename_thread(self, bank: str, thread: str, title: str | None) -> ThreadInfo:
        """Gives a thread a title, in one line and without what the policy of the bank redacts, and returns the thread.
        None: the title of its export or its first request. Raises `NotFound`, `InvalidInput`, and `Held` if a legal
        hold keeps the bank."""
        request = ThreadTitle.from_fields({"title": title})
        return self._memory._threads.rename(bank, thread, request.title)

    @property
    def jobs(self) -> JobQueue:
        """The job queue, for a scheduler that enqueues due work and workers that run it; `Memory.tick` does both."""
        return self._memory._jobs

    @cached_property
    def bulk(self) -> BulkWork:
        """Ageing, reencoding and importing with a worker pool."""
        from .bulk.work import BulkWork

        return BulkWork(
            self._memory._ager,
            self._memory._reencoder,
            self._memory._store,
            self._memory.now,
            before=self._memory._recall_weights.write,
        )

    @cached_property
    def imports(self) -> ImportJobs:
        """Imports that a service carries out, with their progress; in process, see `importers.import_file`."""
        from .ingest.importers.jobs import ImportJobs

        return ImportJobs(self._memory._store, self.bank_jobs, self._memory.now)

    @cached_property
    def bank_jobs(self) -> BankJobs:
        """Jobs of banks that a service carries out: imports, and calls that take longer than a request."""
        from .bank_jobs import BankJobs

        memory = self._memory
        verbs: dict[str, Callable[..., Value]] = {
            "seal": memory.seal,
            "age": memory.age,
            "undo": memory.undo,
            "reencode": self.reencode,
            "erase_thread": lambda bank, **options: memory._eraser.erase_thread(bank, now=memory.now(), **options),
            "erase_bank": lambda bank, **options: memory._eraser.erase_bank(bank, **options),
            "erase_person": lambda _, **options: self.persons.erase_until(**options),
        }
        return BankJobs(memory._database, memory.now, verbs)

    @property
    def audit(self) -> AuditLog:
        """Audit log of this memory's database."""
        return self._memory._audit

    @cached_property
    def keys(self) -> ApiKeys:
        """API keys of a service over this memory."""
        from .keys import ApiKeys

        return ApiKeys(self._memory._database, self._memory.now)

    @property
    def limits(self) -> TenantLimits:
        """Limits of tenants, and their usage."""
        return self._memory._limits

    @property
    def labels(self) -> RecallLabels:
        """Labels of recalls: which messages a person calls right, wrong or missing in an answer."""
        return self._memory._labels

    @cached_property
    def holds(self) -> LegalHolds:
        """Legal holds on banks and persons."""
        from .holds import LegalHolds

        return LegalHolds(self._memory._database, self._memory.now)

    @cached_property
    def persons(self) -> Persons:
        """Erasure and export of what persons said, in all banks of the caller."""
        from .lifecycle.persons import Persons

        memory = self._memory
        mark = memory._options.gap_mark
        return Persons(memory._database, lambda: memory._eraser, memory._assembler, memory._images, mark, memory.now)

    @cached_property
    def bundles(self) -> Bundles:
        """Banks that move: as bundles, as copies, and under other names."""
        from .bundle.bundles import Bundles

        memory = self._memory
        return Bundles(
            memory._database,
            memory._codecs,
            memory._limits,
            memory.now,
            before=memory._recall_weights.write,
            index_moves=memory._index.name == "packed",
            reindex=lambda bank: self.reindex(bank, words=True),
        )

    @cached_property
    def quarantine(self) -> Quarantine:
        """Messages that the policies of banks have quarantined."""
        from .quarantine import Quarantine

        return Quarantine(self._memory._database, self._memory._store, self._memory.now)

    @staticmethod
    def import_parts() -> None:
        """Imports what the first store and the first recall of a process need, and opens nothing: for callers whose
        requests have a deadline."""
        from .ingest import store  # noqa: F401

        import_default()

    def load(self) -> None:
        """Loads the vocabulary and the bundled embedder, which the first call that needs them loads otherwise. An
        embedder that cannot be loaded is reported by recall."""
        from foxing.encoder.text_tokens import load_vocabulary

        load_vocabulary()
        if self._memory._options.embedder == DEFAULT_EMBEDDER:
            with suppress(EmbedderError):
                open_embedder(DEFAULT_EMBEDDER)

    def warm(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Warms the page cache: while no other call is running, decodes the newest pages of all banks until the cache
        is full or `stopping()` returns True. Returns the number of pages. Raises `StorageError` or `CodecError`."""
        from .pages.warming import CacheWarmer

        return CacheWarmer(self._memory._database, self._memory._decoder).warm(stopping)

    def prepare(self, bank: str, messages: Iterable[NewMessage | Mapping[str, Any]]) -> PreparedCall:
        """Does the part of `store` that needs no transaction, embeddings included, and returns what `store` of the
        result writes. Lets an import prepare messages while those before are being written. Raises `InvalidInput`,
        `InvalidTime`, `MessageTooLarge`."""
        return self._memory._store.prepare(StoreCall(bank, messages), self._memory.now())

    def dry_run(self, bank: str) -> DryRun:
        """Returns a dry run of `store` for a bank, which need not exist: it checks messages as `store` does, ids
        included, and writes nothing. Lets an import check everything before it stores anything. Raises
        `InvalidInput` for an invalid name."""
        from .ingest.dry_run import DryRun

        return DryRun.of(self._memory._store, bank, self._memory.now())

    def store_each(self, calls: Sequence[StoreCall]) -> list[StoreResult | BaseException]:
        """Returns, for each of several calls of `store`, its result or the exception that it would raise. The calls
        share transactions where possible."""
        return self._memory._store.store_each(calls, self._memory.now())

    def compress(self, bank: str, request: CompressRequest) -> CompressResult:
        """Returns a conversation in which excerpts stand for its long older texts, each message in its place. A text
        that was replaced once is replaced by the same excerpt at every later call, also in another process.

        Further texts are replaced where this pays although the provider's prompt cache has to be written again. Stores
        the texts, each once, and creates the bank if necessary; `retrieve` returns them. Raises `InvalidInput` for what
        is no conversation; nothing is stored then.
        """
        return self._memory._compressor.compress(bank, checked(request, CompressRequest), self._memory.now())

    def retrieve(self, bank: str, hash: str, query: str | None = None) -> RetrieveResult:
        """Returns the exact text, as remembered now, that an excerpt of `compress` stands for, or the part of it that
        matches `query`; the whole text if none does. Counts as a recall. Raises `NotFound` for a hash that the bank
        does not have."""
        from .fold.compressor import matching_part, message_id_of

        try:
            message = self._memory._recaller.message(bank, message_id_of(hash), self._memory.now())
        except NotFound as error:
            raise NotFound(f"there is no text with the hash '{hash[:40]}' here; it may have been erased") from error
        self._memory._recall_weights.record_keys(bank, [message.message_id], self._memory.now())
        text = message.text if query is None else matching_part(message.text, query)
        return RetrieveResult(
            hash=hash,
            original_content=text,
            complete=text == message.text and not message.gaps,
            trust=message.trust,
            suspicious=message.suspicious,
            kept=message.kept,
        )

    def reencode(self, bank: str, *, dry_run: bool = False, progress: Progress | None = None) -> ReencodingReport:
        """Reencodes every page of another codec or other weights, pinned pages included, with the current ones, and
        returns a report.

        A page is drawn from its kept text, else from its decoded tokens, for which their codec is loaded. It keeps its
        tier, or moves to the next sharper one if the codec lacks it. A page laid out for another codec is typeset
        again, on several pages if it no longer fits one. Unreadable pages are skipped and reported.

        An interrupted call leaves every page intact, and the next call resumes. `progress` counts pages. `dry_run`:
        writes nothing and reports what would happen. Raises `NotFound`, `CodecError`.
        """
        return self._memory._reencoder.reencode(bank, self._memory.now(), dry_run=dry_run, progress=progress)

    def export_markdown(self, bank: str, folder: Path, *, progress: Progress | None = None) -> MarkdownReport:
        """Writes a bank to a folder as Markdown, as remembered now: a file for each thread, with the images beside. The
        same bank gives the same files, and `import_file` reads them back. Raises `NotFound`, and `InvalidInput` if the
        folder cannot be written."""
        from .markdown_folder import write_folder

        total = self._memory.bank(bank).messages
        messages = self._memory.export(bank)
        return write_folder(messages, folder, self._memory._options.gap_mark, total, progress)

    def reindex(self, bank: str, *, words: bool = False, progress: Progress | None = None) -> EmbeddingReport:
        """Embeds the messages without an embedding by the current embedder, as remembered now, and returns a report.
        These are messages embedded by another embedder or stored while there was none. The scheduler does the same
        after an update and for slow embedders.

        `words`: also reindexes the words of all messages, which a change of search index requires; an embedder is then
        optional. Faded words that the index recognises stay in it, or leave it if the policy says so now. Each batch is
        committed, so that the next call resumes an interrupted one. `progress` counts messages.
        Raises `NotFound`, and `EmbedderError` if there is no embedder or it does not respond.
        """
        return self._memory._embedder.reindex(bank, words=words, progress=progress)

    def embed_new(self, bank: str) -> int:
        """Embeds a batch of the messages stored since the last call, and returns their number, 0 when all are embedded.
        For callers that set `MemoryOptions.embed_later`. Raises `NotFound`, `EmbedderError`."""
        return self._memory._embedder.embed_new(bank)

    def newest_banks(self) -> list[BankEnd]:
        """Returns all banks that have messages, with the times of their last ones, newest first, then by name."""
        return newest_banks(self._memory._database)

    def preview_policy(self, bank: str, policy: Policy | Mapping[str, Any]) -> PolicyForecast:
        """Returns what a policy would do to the pages of a bank, now and within a year. Writes nothing. A pause of
        ageing does not count. Raises `NotFound`, `InvalidPolicy`, `CodecError`."""
        from .lifecycle.forecast import forecast

        policy = policy if isinstance(policy, Policy) else Policy.parse(policy)
        tiers = self._memory.codec.tiers
        with self._memory._database.read() as connection:
            return forecast(connection, banks.get(connection, bank), policy, self._memory.now(), tiers)
