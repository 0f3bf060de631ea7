"""Import of files into a bank, in batches that are each stored completely or not at all."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import (
    ChoiceNeeded,
    Conflict,
    InvalidInput,
    InvalidTime,
    MemoryFault,
    MessageTooLarge,
    NotFound,
)
from foxing.memory.ingest.dry_run import DryRun
from foxing.memory.ingest.images import InvalidImage
from foxing.memory.text.times.window import parse_since, parse_until
from foxing.memory.text.zones import zone_of
from foxing.memory.values.imports import (
    AUTO,
    MOST_LISTED,
    DateOrder,
    FilesOfImport,
    ImportContents,
    ImportPreview,
    ImportQuery,
    ImportReport,
    LeftOutOfImport,
)
from foxing.memory.values.messages import NewMessage, Role, StoreResult
from foxing.memory.values.policy import AgeingForecast, Policy
from foxing.renderer import FoxingError, Progress
from foxing.renderer.fading.languages import language_by_script, languages_of

from ..redaction import SENSITIVE, Redaction
from .attached_images import NOT_KEPT
from .files import Deadline, HistoryFiles, Omission
from .format import IMPORTERS, Importer, ReadOptions
from .source import ImportedMessage, NamedFile

MESSAGES_AT_ONCE = 500  # stored together, all or none
BYTES_AT_ONCE = 32 << 20  # of texts and images, after which fewer are
THREADS = 2  # batches that are prepared at the same time, each mostly embedding
log = logging.getLogger(__name__)

NOT_SELECTED = "messages that the options exclude"
NOT_RECOGNISED = "files of no known format"
EMPTY = "empty files"
ARCHIVE = "archives among other files, which are imported one by one"
#: Error for which a message is refused → reason for leaving it out; the first that fits.
REFUSED: Mapping[type[MemoryFault], str] = {
    Conflict: "messages that differ from those stored under their ids",
    MessageTooLarge: "messages that are too large",
    InvalidTime: "messages with a time in the future, or out of range",
    InvalidInput: "messages that cannot be stored",
}


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import; see `import_file`."""

    format: str = AUTO
    timezone: str | None = None
    dates: DateOrder | None = None
    branches: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    backdate: bool = False
    threads: Sequence[str] = ()
    exclude: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: Cap on the bytes of the files after decompression; None for the ratio of expansion alone.
    max_bytes: int | None = None
    #: Seconds within which the files must be read; None for any time.
    max_seconds: float | None = None

    @classmethod
    def of(
        cls, query: ImportQuery, now: datetime, max_bytes: int | None = None, max_seconds: float | None = None
    ) -> "ImportOptions":
        """Returns the options of a query. Raises `InvalidInput` or `InvalidTime`."""
        return cls(
            format=query.format,
            timezone=query.timezone,
            dates=query.dates,
            branches=query.branches,
            roles=roles_of(query.speakers),
            backdate=query.backdate,
            threads=query.thread,
            exclude=query.exclude,
            since=None if query.since is None else parse_since(query.since, now, query.timezone),
            until=None if query.until is None else parse_until(query.until, now, query.timezone),
            max_bytes=max_bytes,
            max_seconds=max_seconds,
        )

    def admit(self, message: NewMessage) -> bool:
        """True if a message is to be imported."""
        thread = message.thread or ""
        at = message.created_at
        if self.threads and not any(fnmatchcase(thread, pattern) for pattern in self.threads):
            return False
        if any(fnmatchcase(thread, pattern) for pattern in self.exclude):
            return False
        if at is None:
            return self.since is None and self.until is None
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def given_roles(self, imported: ImportedMessage) -> ImportedMessage:
        """Returns a message with the role that the options give its speaker."""
        role = self.roles.get(imported.message.name or "")
        if role is None or (role == imported.message.role and imported.message.trust is None):
            return imported
        changed = NewMessage.model_validate(
            imported.message.model_dump(exclude_none=True, exclude={"trust"}) | {"role": role}
        )
        return ImportedMessage(changed, imported.where, imported.bytes_read)

    @property
    def reading(self) -> ReadOptions:
        """The options of readers."""
        zone = None if self.timezone is None else zone_of(self.timezone)
        return ReadOptions(zone, self.dates, self.branches)


#: Formats of conversations between people: whose words these are, the file does not say.
OF_SEVERAL_PEOPLE = frozenset({"discord", "irc", "mail", "slack", "telegram", "whatsapp"})


def _of_others(imported: ImportedMessage) -> ImportedMessage:
    """Returns a message with the class `imported`."""
    message = imported.message
    changed = message if message.trust is not None else message.model_copy(update={"trust": "imported"})
    return ImportedMessage(changed, imported.where, imported.bytes_read)


def roles_of(speakers: Sequence[str]) -> dict[str, str]:
    """Returns name → role for entries NAME=ROLE. Raises `InvalidInput`."""
    names: tuple[str, ...] = get_args(get_args(Role)[0])
    roles: dict[str, str] = {}
    for entry in speakers:
        name, _, role = entry.rpartition("=")
        if not name or role not in names:
            raise InvalidInput(f"'{entry}' gives no role; write NAME=ROLE with one of {', '.join(names)}")
        roles[name] = role
    return roles


@dataclass(frozen=True)
class Part:
    """Files that are read together."""

    #: name of their format
    format: str
    names: Sequence[str]
    #: number of messages that were read from them when they were checked; None before
    messages: int | None = None


@dataclass(frozen=True)
class _Recognised:
    """The files of a history by format."""

    parts: Sequence[Part]
    #: by what the first part was recognised; None if the format was given
    by: str | None
    #: path → why the file is left out
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class ImportSource:
    """Files that have been read completely and are valid. What is added to them later is not read."""

    path: Path | NamedFile
    parts: Sequence[Part]
    options: ImportOptions
    #: the first `MOST_LISTED` files, those left out first
    files: Sequence[FilesOfImport]
    #: what the first reader recognised; None if the format was given
    recognised_by: str | None
    #: number of messages
    messages: int
    #: number of threads
    threads: int
    #: times of the oldest and the newest message
    first_at: datetime | None
    last_at: datetime | None
    left_out: tuple[LeftOutOfImport, ...]
    #: number of batches
    batches: int
    #: numbers of the messages that the bank would refuse, in the order of reading, from 0
    refused: frozenset[int] = frozenset()
    #: number of a message → those of its images that the bank would refuse, each counted without the ones before
    refused_images: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def strict(self) -> bool:
        """True if a message that cannot be stored ends the import, as in our own format."""
        return any(_importer(part.format).strict for part in self.parts)

    def read(self, files: HistoryFiles | None = None) -> Iterator[list[ImportedMessage]]:
        """Yields the messages that the bank takes in batches that are stored together. `files`: those at its path,
        which count what was read of them. Raises `InvalidInput` or `InvalidTime`."""
        read = _read(files or HistoryFiles.of(self.path, self.options.max_bytes), self.parts, self.options)
        accepted = (
            imported.without_images(self.refused_images.get(number, ()))
            for number, imported in enumerate(read)
            if number not in self.refused
        )
        for batch in _batches(accepted):
            yield [imported.backdated() for imported in batch] if self.options.backdate else batch

    @property
    def contents(self) -> ImportContents:
        """Contents that were read."""
        return ImportContents(
            formats=Counter(part.format for part in self.parts),
            files=list(self.files),
            recognised_by=self.recognised_by,
            messages=self.messages,
            threads=self.threads,
            first_at=self.first_at,
            last_at=self.last_at,
            left_out=list(self.left_out),
        )


class Prepared(Protocol):
    """Messages that are ready to be written."""

    def store(self) -> StoreResult:
        """Writes the messages; see `Memory.store`."""


class Storage(Protocol):
    """Storage for the messages of an import, in their order."""

    def store(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> StoreResult:
        """Stores messages; see `Memory.store`."""


@runtime_checkable
class PreparingStorage(Protocol):
    """Storage that prepares messages while those before are written."""

    def prepare(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> Prepared:
        """Does the part of storing that needs no transaction. Called in other threads than the storing."""


class CheckingStorage(PreparingStorage, Protocol):
    """Storage that also says beforehand what it would refuse."""

    def dry_run(self, bank: str) -> DryRun:
        """Returns a dry run of storing, see `Operations.dry_run`."""


@runtime_checkable
class OperatedStorage(Protocol):
    """A `Memory`."""

    @property
    def operations(self) -> CheckingStorage:
        """See `Memory.operations`."""

    def policy(self, bank: str) -> Policy:
        """Returns the policy of a bank; see `Memory.policy`. Raises `NotFound`."""


@dataclass(frozen=True)
class _InOrder:
    """Storage that does everything when messages are written."""

    memory: Storage

    def prepare(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> Prepared:
        """See `PreparingStorage.prepare`."""
        return _Unprepared(self.memory, bank, messages)


@dataclass(frozen=True)
class _Unprepared:
    memory: Storage
    bank: str
    messages: Sequence[NewMessage | Mapping[str, Any]]

    def store(self) -> StoreResult:
        return self.memory.store(self.bank, self.messages)


def import_file(
    memory: Storage | OperatedStorage,
    path: Path | NamedFile,
    *,
    bank: str,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Stores the messages of a file, a folder or a zip archive, with their own times. Returns a report.

    The format is recognised by the contents: `format` names one of `IMPORTERS` where two fit, or none does. `timezone`
    applies to times without an offset, `dates` to dates that could be read in two ways; messages without a time get the
    time at which they are stored. `branches` keeps the branches of conversations that were left. `roles` gives speakers
    their roles, `threads` and `exclude` choose threads by patterns, `since` and `until` by time. Messages age from when
    they are stored, or from `arrived_at` if an exported line has it; with `backdate`, from when they were written, so
    that an old history fades soon.

    Everything is read, and checked as `store` checks it, before anything is stored, so that a mistake
    stores nothing. Messages are then stored in batches, each all or nothing, under ids that are the same in every
    import: running it again resumes an interrupted import, and the error of one says how much is stored. What formats
    of others leave out, or the bank refuses, is in the report; in JSON Lines, a mistake is an error. Raises
    `InvalidInput`, `InvalidTime`, `MessageTooLarge` or `Conflict`, with the place.
    """
    choices = options or ImportOptions()
    if not isinstance(memory, OperatedStorage):
        return store_file(memory, check_file(path, choices), bank=bank, progress=progress, counted=not_in(SENSITIVE))
    with memory.operations.dry_run(bank) as dry_run:
        source = check_file(path, choices, dry_run=dry_run)
    rules = _policy(memory, bank).redact
    return store_file(memory, source, bank=bank, progress=progress, counted=not_in(rules))


def not_in(rules: Collection[str]) -> Sequence[str]:
    """Returns the rules whose matches an import counts, because a policy with `rules` does not replace them."""
    return [rule for rule in SENSITIVE if rule not in rules]


def _policy(memory: OperatedStorage, bank: str) -> Policy:
    try:
        return memory.policy(bank)
    except NotFound:  # a bank that the import makes
        return Policy()


def check_file(
    path: Path | NamedFile,
    options: ImportOptions,
    note: Callable[[NewMessage], object] = lambda message: None,
    dry_run: DryRun | None = None,
) -> ImportSource:
    """Reads files for `import_file` completely and returns them. `note` is called with each message. `dry_run`: of the
    bank; None to leave what it would refuse to the storing. Raises `InvalidInput` or `InvalidTime`, and with `dry_run`
    for our own formats `MessageTooLarge` or `Conflict`, with the place."""
    files = HistoryFiles.of(path, options.max_bytes)
    files.deadline = None if options.max_seconds is None else Deadline(options.max_seconds)
    recognised = _recognised_files(files, options.format)
    listed = [
        FilesOfImport(first=name, files=1, format=None, messages=0, left_out=reason)
        for name, reason in islice(recognised.left_out.items(), MOST_LISTED)
    ]
    threads: set[str | None] = set()
    first = last = None
    count = batches = 0
    parts = list[Part]()
    refused = set[int]()
    refused_images = dict[int, list[int]]()
    limit = _BatchLimit()
    for part in recognised.parts:
        before = count
        strict = _importer(part.format).strict
        for batch in _batches(_read(files, [part], options)):
            answers = () if dry_run is None else dry_run.check([imported.message for imported in batch])
            for number, error in enumerate(answers):
                place = batch[number].where
                if error is not None and strict:
                    raise error.at(f"{path}, {place}")
                while isinstance(error, InvalidImage) and dry_run is not None:
                    files.leave_out(NOT_KEPT, f"{place}: {error.reason}")
                    refused_images.setdefault(count + number, []).append(error.number)
                    batch[number] = batch[number].without_images([error.number])
                    [error] = dry_run.check([batch[number].message])
                if error is not None:
                    refused.add(count + number)
                    files.leave_out(_reason(error), place)
            for number, imported in enumerate(batch, count):
                if number not in refused:
                    batches += limit.ends(imported)
            count += len(batch)
            for message in (imported.message for imported in batch):
                note(message)
                threads.add(message.thread)
                if message.created_at is not None:
                    first = min(first or message.created_at, message.created_at)
                    last = max(last or message.created_at, message.created_at)
        parts.append(replace(part, messages=count - before))
        if len(listed) < MOST_LISTED:
            name = part.names[0]
            number = len(part.names)
            listed.append(
                FilesOfImport(first=name, files=number, format=part.format, messages=count - before, left_out=None)
            )
    left_out = tuple(_left_out(files.omissions))
    if not count:
        reasons = "; ".join(f"{item.reason} ({item.count}, first {item.first})" for item in left_out)
        raise InvalidInput(f"{path} contains no messages; check its format{f' ({reasons})' if reasons else ''}")
    return ImportSource(
        path,
        parts,
        options,
        listed,
        recognised.by,
        count,
        len(threads),
        first,
        last,
        left_out,
        batches + limit.is_open,
        frozenset(refused),
        refused_images,
    )


class _BatchLimit:
    """Decides where a batch ends."""

    def __init__(self) -> None:
        self._messages = self._bytes = 0

    @property
    def is_open(self) -> bool:
        """True if the batch has messages."""
        return self._messages > 0

    def ends(self, imported: ImportedMessage) -> bool:
        """Adds a message to the batch, and returns whether it is the last one."""
        self._messages += 1
        self._bytes += imported.size
        if self._messages < MESSAGES_AT_ONCE and self._bytes < BYTES_AT_ONCE:
            return False
        self._messages = self._bytes = 0
        return True


def _batches(read: Iterable[ImportedMessage]) -> Iterator[list[ImportedMessage]]:
    """Yields messages in batches."""
    limit = _BatchLimit()
    batch = list[ImportedMessage]()
    for imported in read:
        batch.append(imported)
        if limit.ends(imported):
            yield batch
            batch = []
    if batch:
        yield batch


def _reason(error: MemoryFault) -> str:
    """Returns the reason for leaving out a message that is refused."""
    return next(reason for kind, reason in REFUSED.items() if isinstance(error, kind))


def store_file(
    memory: Storage | PreparingStorage | OperatedStorage,
    source: ImportSource,
    *,
    bank: str,
    progress: Progress | None = None,
    one_by_one: bool = True,
    threads: int = THREADS,
    counted: Sequence[str] = (),
) -> ImportReport:
    """Stores the messages of files and returns a report; see `import_file`. `one_by_one`: whether `memory` can store
    the messages of a batch one by one, to leave out those that it refuses. `threads`: number of batches that are
    prepared at the same time; 1 if they have to be prepared in order. `counted`: rules of redaction that the bank's
    policy does not have, whose matches are counted; see `not_in`."""
    target = memory.operations if isinstance(memory, OperatedStorage) else memory
    storage = target if isinstance(target, PreparingStorage) else _InOrder(target)
    files = HistoryFiles.of(source.path, source.options.max_bytes)
    size = files.total_bytes
    stored = duplicates = quarantined = 0
    ageing: AgeingForecast | None = None
    left_out: dict[str, Omission] = {}
    redacted: Counter[str] = Counter()
    seen = Counter[str]()
    unused = Redaction(tuple(counted), by_rule=True)
    try:
        for batch, prepared in _prepared(storage, bank, source.read(files), threads):
            try:
                results = [_store(prepared, source.path, batch)]
            except (Conflict, InvalidInput):
                if source.strict or not one_by_one:
                    raise
                results = _stored_singly(storage, bank, source.path, batch, left_out)
            stored += sum(result.stored for result in results)
            duplicates += sum(result.duplicates for result in results)
            quarantined += sum(result.quarantined for result in results)
            for result in results:
                redacted.update(result.redacted)
            for imported in batch if unused else ():
                unused.message(imported.message, seen)
            ageing = ageing or next((result.ageing for result in results if result.ageing is not None), None)
            if progress is not None:
                progress(min(files.bytes_read, size), size)
    except MemoryFault as error:
        raise with_state(error, stored + duplicates + quarantined, source.messages) from error.__cause__
    if progress is not None:
        progress(size, size)
    contents = source.contents
    contents = contents.model_copy(update={"left_out": [*contents.left_out, *_left_out(left_out)]})
    return ImportReport(
        **dict(contents),
        stored=stored,
        duplicates=duplicates,
        quarantined=quarantined,
        redacted=dict(redacted),
        would_redact=dict(seen),
        ageing=ageing,
    )


def with_state(error: MemoryFault, done: int, messages: int) -> MemoryFault:
    """Returns the error that ended an import, which also says how many of its messages are stored, and what to do."""
    state = (
        f"{done:,} of {messages:,} messages are stored; import it again to store the rest, nothing is stored twice"
        if done
        else "nothing was stored"
    )
    error.args = (f"{error}; {state}",)
    return error


def preview_file(
    path: Path | NamedFile,
    options: ImportOptions | None = None,
    note: Callable[[NewMessage], object] = lambda message: None,
    dry_run: DryRun | None = None,
) -> ImportPreview:
    """Returns what `import_file` would store. `note` is called with each message. `dry_run`: of the bank; None for
    what the files alone say. Raises the same errors as `import_file`."""
    tokens = 0
    languages: Counter[str] = Counter()
    seen = Counter[str]()
    rules = Redaction(SENSITIVE, by_rule=True)

    def count(message: NewMessage) -> None:
        nonlocal tokens
        note(message)
        tokens += count_text_tokens(message.text)
        languages.update(_languages(message.text))
        rules.message(message, seen)

    contents = check_file(path, options or ImportOptions(), count, dry_run).contents
    return ImportPreview(
        **dict(contents),
        text_tokens=tokens,
        languages=dict(languages.most_common()),
        would_redact=dict(seen),
        stored=None if dry_run is None else dry_run.stored,
        duplicates=None if dry_run is None else dry_run.duplicates,
        quarantined=0 if dry_run is None else dry_run.quarantined,
        redacted={} if dry_run is None else dict(dry_run.redacted),
    )


def _languages(text: str) -> list[str]:
    """Returns the language of a text, if it is known."""
    by_script = language_by_script(text)
    return [by_script] if by_script is not None else list(languages_of(text.lower().split()))[:1]


def _left_out(reasons: Mapping[str, Omission]) -> list[LeftOutOfImport]:
    return [LeftOutOfImport(reason=reason, count=entry.count, first=entry.first) for reason, entry in reasons.items()]


def _prepared(
    memory: PreparingStorage, bank: str, batches: Iterator[list[ImportedMessage]], threads: int
) -> Iterator[tuple[list[ImportedMessage], Future[Prepared]]]:
    """Yields each batch with what is prepared of it; threads prepare the next ones while the caller writes it."""
    with ThreadPoolExecutor(threads, "prepares imports") as pool:
        waiting: deque[tuple[list[ImportedMessage], Future[Prepared]]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, pool.submit(memory.prepare, bank, [imported.message for imported in batch])))
                if len(waiting) > threads:
                    yield waiting.popleft()
            yield from waiting
        finally:
            for _, prepared in waiting:
                prepared.cancel()


def _stored_singly(
    memory: PreparingStorage,
    bank: str,
    path: Path | NamedFile,
    batch: Sequence[ImportedMessage],
    left_out: dict[str, Omission],
) -> list[StoreResult]:
    """Stores the messages of a batch one by one, and notes those that are refused in `left_out`."""
    results = []
    for imported in batch:
        try:
            results.append(_stored_alone(memory, bank, path, imported, left_out))
        except (Conflict, InvalidInput) as error:
            left_out.setdefault(_reason(error), Omission(0, imported.where)).count += 1
    return results


def _stored_alone(
    memory: PreparingStorage,
    bank: str,
    path: Path | NamedFile,
    imported: ImportedMessage,
    left_out: dict[str, Omission],
) -> StoreResult:
    """Stores a message without those of its images that are refused, which are noted in `left_out`."""
    while True:
        try:
            prepared: Future[Prepared] = Future()
            prepared.set_result(memory.prepare(bank, [imported.message]))
            return _store(prepared, path, [imported])
        except InvalidImage as error:
            left_out.setdefault(NOT_KEPT, Omission(0, f"{imported.where}: {error}")).count += 1
            imported = imported.without_images([error.number])


def _store(prepared: Future[Prepared], path: Path | NamedFile, batch: Sequence[ImportedMessage]) -> StoreResult:
    """Stores a batch. Errors name the file and the place of the message."""
    try:
        return prepared.result().store()
    except Conflict as error:
        raise error.at(f"{path}, {batch[0].where} to {batch[-1].where}") from error
    except InvalidInput as error:
        if error.index is None:
            raise
        raise error.at(f"{path}, {batch[error.index].where}") from error


def _importer(name: str) -> Importer:
    if name not in IMPORTERS:
        raise InvalidInput(f"unknown format '{name}'; choose one of {', '.join((AUTO, *IMPORTERS.names()))}")
    return IMPORTERS.get(name).value


def _recognised_files(files: HistoryFiles, format: str) -> _Recognised:
    """Returns the files with the format of each. Files that belong together, such as those of an export, are one part;
    else each file is one. Raises `InvalidInput` if nothing is recognised, or if two formats fit."""
    if not files.names:
        raise InvalidInput(f"{files.source} contains no files; nothing was imported")
    if format != AUTO:
        importer = _importer(format)
        if len(files.names) == 1 or importer.recognise(files) is not None:
            return _Recognised([Part(format, tuple(files.names))], None, {})
        alone = [Part(format, (name,)) for name in files.names if importer.recognise(files.only([name]))]
        return _Recognised(alone, None, {})
    if not files.total_bytes:
        raise InvalidInput(f"{files.source} is empty; nothing was imported")
    whole = _recognised(files)
    if whole is not None:
        return _Recognised([Part(whole[0], tuple(files.names))], whole[1], {})
    parts = list[Part]()
    first = None
    left_out = dict[str, str]()
    for name in files.names if len(files.names) > 1 else ():
        recognised = _recognised(files.only([name]))
        if recognised is None:
            left_out[name] = EMPTY if not files.sizes[name] else ARCHIVE if files.is_archive(name) else NOT_RECOGNISED
            files.leave_out(left_out[name], name)
            continue
        parts.append(Part(recognised[0], (name,)))
        first = first or recognised[1]
    if not parts:
        names = ", ".join(IMPORTERS.names())
        reasons = "; ".join(f"{reason}: {count}" for reason, count in Counter(left_out.values()).items())
        raise ChoiceNeeded(
            f"the format of {files.source} is not recognised{f' ({reasons})' if reasons else ''}; choose "
            f"the format if it is one of these: {names}",
            choices=IMPORTERS.names(),
        )
    return _Recognised(parts, first, left_out)


def _recognised(files: HistoryFiles) -> tuple[str, str] | None:
    """Returns the name of the format that files have, and by what it was recognised; None if they have none. Raises
    `InvalidInput` if two fit."""
    formats = [(plugin.name, reason) for plugin in IMPORTERS.working() if (reason := plugin.value.recognise(files))]
    if len(formats) > 1:
        fitting = " and ".join(f"{name} ({reason})" for name, reason in formats)
        place = files.place(files.names[0]) if len(files.names) == 1 else files.source
        raise ChoiceNeeded(f"{place} could be {fitting}; choose the format", choices=[name for name, _ in formats])
    return formats[0] if formats else None


def _read(files: HistoryFiles, parts: Sequence[Part], options: ImportOptions) -> Iterator[ImportedMessage]:
    """Yields the messages to be imported."""
    reading = options.reading
    for part in parts:
        own = files.only(part.names)
        before = files.bytes_read
        yield from islice(_read_part(files, own, before, part, options, reading), part.messages)
        files.bytes_read = before + own.total_bytes


def _without_bugs(name: str, read: Iterator[ImportedMessage], files: HistoryFiles) -> Iterator[ImportedMessage]:
    """Yields what an importer reads. Raises `InvalidInput` if it raises what it should not."""
    where = ""
    try:
        for imported in read:
            where = f" after {imported.where}"
            yield imported
    except (FoxingError, GeneratorExit, MemoryError, OSError):
        raise
    except Exception as error:
        log.exception("the importer '%s' failed%s", name, where)
        raise InvalidInput(
            f"{files.source} cannot be read{where}: {type(error).__name__} in the importer '{name}', a bug; report it"
        ) from error


def _read_part(
    files: HistoryFiles,
    own: HistoryFiles,
    before: int,
    part: Part,
    options: ImportOptions,
    reading: ReadOptions,
) -> Iterator[ImportedMessage]:
    """Yields the messages of the files `own` of a part. `before`: bytes that were read of those before."""
    for imported in _without_bugs(part.format, _importer(part.format).read(own, reading), own):
        files.bytes_read = before + own.bytes_read
        own.check_deadline()
        if options.admit(imported.message):
            yield options.given_roles(_of_others(imported) if part.format in OF_SEVERAL_PEOPLE else imported)
        else:
            files.leave_out(NOT_SELECTED, imported.where)
