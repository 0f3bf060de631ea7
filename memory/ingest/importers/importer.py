"""Import of files into a bank, in batches that are each stored completely or not at all."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import ChoiceNeeded, Conflict, InvalidInput, MessageTooLarge, NotFound
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
from foxing.renderer import Progress
from foxing.renderer.fading.languages import language_by_script, languages_of

from ..redaction import SENSITIVE, Redaction
from .files import HistoryFiles, Left
from .format import IMPORTERS, Importer, ReadOptions
from .source import ImportedMessage, NamedFile

MESSAGES_AT_ONCE = 500  # stored together, all or none
THREADS = 2  # batches that are prepared at the same time, each mostly embedding
NOT_SELECTED = "messages that the options exclude"
NOT_RECOGNISED = "files of no known format"
EMPTY = "empty files"
ARCHIVE = "archives among other files, which are imported one by one"
CHANGED = "messages that differ from those stored under their ids"
TOO_LARGE = "messages that are too large"


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

    @classmethod
    def of(cls, query: ImportQuery, now: datetime, max_bytes: int | None = None) -> "ImportOptions":
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
        )

    def admit(self, message: NewMessage) -> bool:
        """True if a message is to be imported."""
        thread, at = message.thread or "", message.created_at
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
        if role is None or role == imported.message.role:
            return imported
        changed = NewMessage.model_validate(imported.message.model_dump(exclude_none=True) | {"role": role})
        return ImportedMessage(changed, imported.where, imported.bytes_read)

    @property
    def reading(self) -> ReadOptions:
        """The options of readers."""
        zone = None if self.timezone is None else zone_of(self.timezone)
        return ReadOptions(zone, self.dates, self.branches)


def roles_of(speakers: Sequence[str]) -> dict[str, str]:
    """Returns name → role for entries NAME=ROLE. Raises `InvalidInput`."""
    known: tuple[str, ...] = get_args(get_args(Role)[0])
    roles: dict[str, str] = {}
    for each in speakers:
        name, _, role = each.rpartition("=")
        if not name or role not in known:
            raise InvalidInput(f"'{each}' gives no role; write NAME=ROLE with one of {', '.join(known)}")
        roles[name] = role
    return roles


@dataclass(frozen=True)
class Part:
    """Files that are read together."""

    #: name of their format
    format: str
    names: Sequence[str]


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
    """Files that have been read completely and are valid."""

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

    @property
    def batches(self) -> int:
        """Number of batches."""
        return -(-self.messages // MESSAGES_AT_ONCE)

    @property
    def strict(self) -> bool:
        """True if a message that cannot be stored ends the import, as in our own format."""
        return any(_importer(part.format).strict for part in self.parts)

    def read(self, files: HistoryFiles | None = None) -> Iterator[list[ImportedMessage]]:
        """Yields the messages in batches that are stored together. `files`: those at its path, which count what was
        read of them. Raises `InvalidInput` or `InvalidTime`."""
        remaining = _read(files or HistoryFiles.of(self.path, self.options.max_bytes), self.parts, self.options)
        while batch := list(islice(remaining, MESSAGES_AT_ONCE)):
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
    """Storage that prepares messages while those before are written, such as a `Memory`."""

    def prepare(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> Prepared:
        """Does the part of storing that needs no transaction; see `Memory.prepare`. Called in other threads than the
        storing."""


@runtime_checkable
class PolicyStorage(Protocol):
    """Storage that knows the policies of its banks, such as a `Memory`."""

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
    memory: Storage | PreparingStorage,
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

    Everything is read before anything is stored, so that what cannot be read stores nothing. Messages are then stored
    in batches, each all or nothing, under ids that are the same in every import: running it again resumes an
    interrupted import. What formats of others leave out is in the report; in JSON Lines, a mistake is an error. Raises
    `InvalidInput`, `InvalidTime`, `MessageTooLarge` or `Conflict`, with the place.
    """
    source = check_file(path, options or ImportOptions())
    rules = _policy(memory, bank).redact if isinstance(memory, PolicyStorage) else SENSITIVE
    return store_file(memory, source, bank=bank, progress=progress, counted=not_in(rules))


def not_in(rules: Collection[str]) -> Sequence[str]:
    """Returns the rules whose matches an import counts, because a policy with `rules` does not replace them."""
    return [rule for rule in SENSITIVE if rule not in rules]


def _policy(memory: "PolicyStorage", bank: str) -> Policy:
    try:
        return memory.policy(bank)
    except NotFound:  # a bank that the import makes
        return Policy()


def check_file(
    path: Path | NamedFile, options: ImportOptions, note: Callable[[NewMessage], object] = lambda message: None
) -> ImportSource:
    """Reads files for `import_file` completely and returns them. `note` is called with each message. Raises
    `InvalidInput` or `InvalidTime`, with the place."""
    files = HistoryFiles.of(path, options.max_bytes)
    found = _recognised_files(files, options.format)
    listed = [
        FilesOfImport(first=name, files=1, format=None, messages=0, left_out=reason)
        for name, reason in islice(found.left_out.items(), MOST_LISTED)
    ]
    threads: set[str | None] = set()
    first = last = None
    count = 0
    for part in found.parts:
        before = count
        for imported in _read(files, [part], options):
            count += 1
            note(imported.message)
            threads.add(imported.message.thread)
            at = imported.message.created_at
            if at is not None:
                first, last = min(first or at, at), max(last or at, at)
        if len(listed) < MOST_LISTED:
            name, number = part.names[0], len(part.names)
            listed.append(
                FilesOfImport(first=name, files=number, format=part.format, messages=count - before, left_out=None)
            )
    left = tuple(_left_out(files.left))
    if not count:
        reasons = "; ".join(f"{each.reason} ({each.count}, first {each.first})" for each in left)
        raise InvalidInput(f"{path} contains no messages; check its format{f' ({reasons})' if reasons else ''}")
    return ImportSource(path, found.parts, options, listed, found.by, count, len(threads), first, last, left)


def store_file(
    memory: Storage | PreparingStorage,
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
    storage = memory if isinstance(memory, PreparingStorage) else _InOrder(memory)
    files = HistoryFiles.of(source.path, source.options.max_bytes)
    size = files.total_bytes
    stored = duplicates = 0
    ageing: AgeingForecast | None = None
    left: dict[str, Left] = {}
    redacted: Counter[str] = Counter()
    seen, unused = Counter[str](), Redaction(tuple(counted), by_rule=True)
    for batch, prepared in _prepared(storage, bank, source.read(files), threads):
        try:
            results = [_store(prepared, source.path, batch)]
        except (Conflict, MessageTooLarge):
            if source.strict or not one_by_one:
                raise
            results = _stored_singly(storage, bank, source.path, batch, left)
        stored += sum(result.stored for result in results)
        duplicates += sum(result.duplicates for result in results)
        for result in results:
            redacted.update(result.redacted)
        for imported in batch if unused else ():
            unused.message(imported.message, seen)
        ageing = ageing or next((result.ageing for result in results if result.ageing is not None), None)
        if progress is not None:
            progress(min(files.bytes_read, size), size)
    if progress is not None:
        progress(size, size)
    contents = source.contents
    contents = contents.model_copy(update={"left_out": [*contents.left_out, *_left_out(left)]})
    return ImportReport(
        **dict(contents),
        stored=stored,
        duplicates=duplicates,
        redacted=dict(redacted),
        would_redact=dict(seen),
        ageing=ageing,
    )


def preview_file(
    path: Path | NamedFile,
    options: ImportOptions | None = None,
    note: Callable[[NewMessage], object] = lambda message: None,
) -> ImportPreview:
    """Returns what `import_file` would store, without a bank. `note` is called with each message. Raises the same
    errors."""
    tokens = 0
    languages: Counter[str] = Counter()
    seen, rules = Counter[str](), Redaction(SENSITIVE, by_rule=True)

    def count(message: NewMessage) -> None:
        nonlocal tokens
        note(message)
        tokens += count_text_tokens(message.text)
        languages.update(_languages(message.text))
        rules.message(message, seen)

    contents = check_file(path, options or ImportOptions(), count).contents
    return ImportPreview(
        **dict(contents), text_tokens=tokens, languages=dict(languages.most_common()), would_redact=dict(seen)
    )


def _languages(text: str) -> list[str]:
    """Returns the language of a text, if it is known."""
    by_script = language_by_script(text)
    return [by_script] if by_script is not None else list(languages_of(text.lower().split()))[:1]


def _left_out(left: Mapping[str, Left]) -> list[LeftOutOfImport]:
    return [LeftOutOfImport(reason=reason, count=each.count, first=each.first) for reason, each in left.items()]


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
    memory: PreparingStorage, bank: str, path: Path | NamedFile, batch: Sequence[ImportedMessage], left: dict[str, Left]
) -> list[StoreResult]:
    """Stores the messages of a batch one by one, and notes those that are refused in `left`."""
    results = []
    for imported in batch:
        try:
            prepared: Future[Prepared] = Future()
            prepared.set_result(memory.prepare(bank, [imported.message]))
            results.append(_store(prepared, path, [imported]))
        except (Conflict, MessageTooLarge) as error:
            reason = CHANGED if isinstance(error, Conflict) else TOO_LARGE
            left.setdefault(reason, Left(0, imported.where)).count += 1
    return results


def _store(prepared: Future[Prepared], path: Path | NamedFile, batch: Sequence[ImportedMessage]) -> StoreResult:
    """Stores a batch. Errors name the file and the place of the message."""
    try:
        return prepared.result().store()
    except Conflict as error:
        raise Conflict(f"{path}, {batch[0].where} to {batch[-1].where}: {error}") from error
    except InvalidInput as error:
        if error.index is None:
            raise
        raise type(error)(f"{path}, {batch[error.index].where}: {error.reason}").naming(*error.settings) from error


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
    parts, first, left_out = list[Part](), None, dict[str, str]()
    for name in files.names if len(files.names) > 1 else ():
        found = _recognised(files.only([name]))
        if found is None:
            left_out[name] = EMPTY if not files.sizes[name] else ARCHIVE if files.is_archive(name) else NOT_RECOGNISED
            files.leave_out(left_out[name], name)
            continue
        parts.append(Part(found[0], (name,)))
        first = first or found[1]
    if not parts:
        known = ", ".join(IMPORTERS.names())
        reasons = "; ".join(f"{reason}: {count}" for reason, count in Counter(left_out.values()).items())
        raise ChoiceNeeded(
            f"the format of {files.source} is not recognised{f' ({reasons})' if reasons else ''}; give it with "
            f"--format if it is one of these: {known}",
            choices=IMPORTERS.names(),
        )
    return _Recognised(parts, first, left_out)


def _recognised(files: HistoryFiles) -> tuple[str, str] | None:
    """Returns the name of the format that files have, and by what it was recognised; None if they have none. Raises
    `InvalidInput` if two fit."""
    found = [(plugin.name, reason) for plugin in IMPORTERS.working() if (reason := plugin.value.recognise(files))]
    if len(found) > 1:
        fitting = " and ".join(f"{name} ({reason})" for name, reason in found)
        place = files.place(files.names[0]) if len(files.names) == 1 else files.source
        raise ChoiceNeeded(f"{place} could be {fitting}; choose with --format", choices=[name for name, _ in found])
    return found[0] if found else None


def _read(files: HistoryFiles, parts: Sequence[Part], options: ImportOptions) -> Iterator[ImportedMessage]:
    """Yields the messages to be imported."""
    reading = options.reading
    for part in parts:
        own, before = files.only(part.names), files.bytes_read
        for imported in _importer(part.format).read(own, reading):
            files.bytes_read = before + own.bytes_read
            if options.admit(imported.message):
                yield options.given_roles(imported)
            else:
                files.leave_out(NOT_SELECTED, imported.where)
        files.bytes_read = before + own.total_bytes
