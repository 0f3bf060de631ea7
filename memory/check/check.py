"""Consistency check of a whole database while it is in use."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from foxing.memory.codec_source import CodecSource
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.pages.assembler import MessageAssembler
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, integrity
from foxing.memory.storage.repositories.banks import Bank
from foxing.renderer import Progress

from . import tables
from .blobs import check_blobs, check_orphans
from .finding import EXAMPLES, Finding, chunks
from .images import check_images
from .index import AT_ONCE, IndexChecks
from .messages import MESSAGE_CHECKS, MessageBatch, check_exact_text
from .page_checks import PAGE_CHECKS, DecodingCheck, PageBatch, PageCheck, WeightsCheck
from .report import CheckedPart, CheckReport
from .survey import BankSurvey, check_lookup, check_manifests

SAMPLED_PAGES = 100  # decoded unless `everything` is set
SAMPLED_MESSAGES = 1_000  # compared with the index unless `everything` is set
_PAGES_AT_ONCE = 128
_MESSAGES_AT_ONCE = 1_000


@dataclass(frozen=True)
class CheckOptions:
    """Options of a check."""

    #: Repair problems where possible.
    repair: bool = False
    #: Decode every page and compare every message with the index, instead of a sample.
    everything: bool = False
    progress: Progress | None = None


@dataclass
class _Progress:
    total: int
    report: Progress | None
    done: int = 0

    def add(self, number: int) -> None:
        self.done += number
        if self.report is not None:
            self.report(min(self.done, self.total), self.total)


@dataclass
class _Run:
    """One run over a database."""

    options: CheckOptions
    parts: dict[str, CheckedPart] = field(default_factory=dict)

    def add(self, name: str, checked: int, findings: Iterable[Finding]) -> None:
        """Counts the rows checked and the problems found, and repairs these if requested."""
        part = self.part(name)
        part.checked += checked
        for problem in findings:
            part.problems += 1
            done = self.options.repair and problem.repair is not None and problem.repair()
            part.repaired += done
            if len(part.examples) < EXAMPLES:
                part.examples.append(f"{problem.what} (repaired)" if done else problem.what)

    def add_parts(self, name: str, parts: Iterable[tuple[int, Sequence[Finding]]]) -> None:
        for checked, findings in parts:
            self.add(name, checked, findings)
        self.part(name)

    def part(self, name: str) -> CheckedPart:
        return self.parts.setdefault(name, CheckedPart(name=name))


class DatabaseCheck:
    """Checks a database, whose schema must be of this version, and rebuilds derived data."""

    def __init__(self, database: Database, codecs: CodecSource, search: HybridSearch) -> None:
        self._database = database
        self._codecs = codecs
        self._decoder = PageDecoder(codecs.current, codecs.bundled)
        self._afresh = PageDecoder(codecs.current, codecs.bundled, cache_bytes=0)
        self._index = IndexChecks(database, search, MessageAssembler(self._decoder))

    def run(self, options: CheckOptions | None = None) -> CheckReport:
        """Checks every row and returns the report. Raises `StorageError` if the database has another schema,
        `CodecError` if the present codec cannot be loaded."""
        options = options or CheckOptions()
        revision = self._database.check_revision()
        run = _Run(options)
        self._check_tables(run, revision)
        with self._database.read() as connection:
            counts = integrity.count_all(connection)
        self._codecs.current()
        decoding = DecodingCheck(self._decoder, self._afresh, _step(counts.pages, SAMPLED_PAGES, options))
        step = _step(counts.messages, SAMPLED_MESSAGES, options)
        progress = _Progress(counts.pages + counts.messages, options.progress)
        number = 0
        for bank in self._banks():
            number += 1
            survey = self._check_bank(run, bank)
            self._check_pages(run, survey, decoding, progress)
            self._check_messages(run, survey, step, progress)
        run.part("postings").note = run.part("terms").note = self._index.note
        return CheckReport(
            database=self._database.display_url,
            revision=revision,
            banks=number,
            pages=run.part("page-tokens").checked,
            messages=run.part("message-text").checked,
            pages_decoded=decoding.decoded,
            parts=list(run.parts.values()),
        )

    def _check_tables(self, run: _Run, revision: str) -> None:
        database = self._database
        run.add("schema", 1, tables.check_schema(database, revision))
        run.add("file", 1, tables.check_file(database))
        run.add("references", 1, tables.check_references(database))
        run.add_parts("blobs", check_blobs(database))
        run.add("blob-orphans", 1, check_orphans(database))

    def _check_bank(self, run: _Run, bank: Bank) -> BankSurvey:
        database = self._database
        survey = BankSurvey.of(self._database, bank)
        run.add("page-manifests", survey.pages, check_manifests(survey))
        run.add("lookup", survey.pages, check_lookup(database, survey))
        run.add_parts("trash", tables.check_trash(database, bank))
        run.add_parts("images", check_images(database, survey))
        run.add("postings", 1, self._index.postings(survey))
        run.add("codes", 1, self._index.codes(survey))
        return survey

    def _check_pages(self, run: _Run, survey: BankSurvey, decoding: DecodingCheck, progress: _Progress) -> None:
        checks: dict[str, PageCheck] = {
            **PAGE_CHECKS,
            "page-weights": WeightsCheck(self._decoder),
            "page-decoding": decoding,
        }
        after = 0
        while True:
            with self._database.read() as connection:
                batch = PageBatch.after(connection, survey, after, _PAGES_AT_ONCE)
            if not batch.rows:
                break
            after = batch.rows[-1].id
            for name, check in checks.items():
                decoded = decoding.decoded
                findings = list(check(batch))
                run.add(name, decoding.decoded - decoded if check is decoding else len(batch.rows), findings)
            progress.add(len(batch.rows))
        for name in checks:
            run.part(name)

    def _check_messages(self, run: _Run, survey: BankSurvey, step: int, progress: _Progress) -> None:
        for visible in chunks(survey.visible(survey.ids.tolist()), _MESSAGES_AT_ONCE):
            with self._database.read() as connection:
                batch = MessageBatch.of(connection, survey, visible)
            for name, check in MESSAGE_CHECKS.items():
                run.add(name, len(batch.messages), check(batch))
            for ids in chunks((message.id for message in batch.messages[::step]), AT_ONCE):
                read = self._index.read(survey, ids)
                run.add("message-text", 0, check_exact_text(survey.bank, read, batch.digest_key))
                run.add("terms", len(read.remembered), self._index.terms_of(survey, read))
            progress.add(len(visible))
        for name in (*MESSAGE_CHECKS, "terms"):
            run.part(name)

    def _banks(self) -> Iterator[Bank]:
        after: str | None = None
        while True:
            with self._database.read() as connection:
                rows = banks.list_after(connection, after, 500)
            if not rows:
                return
            yield from rows
            after = rows[-1].name


def _step(number: int, sampled: int, options: CheckOptions) -> int:
    """Step of the sample: one row in this many is checked."""
    return 1 if options.everything else max(1, -(-number // sampled))
