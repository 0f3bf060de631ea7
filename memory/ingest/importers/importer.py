"""Import of a file into a bank, in batches that are each stored completely or not at all."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import Field

from foxing.memory.errors import Conflict, InvalidInput
from foxing.memory.text.zones import zone_of
from foxing.memory.values.base import Value
from foxing.memory.values.messages import ImportFormat, NewMessage, StoreResult
from foxing.memory.values.policy import AgeingForecast
from foxing.renderer import Progress

from .jsonl import read_jsonl
from .locomo import is_locomo, read_locomo
from .source import ImportedMessage, NamedFile, path_of, read_lines

FORMATS: tuple[str, ...] = get_args(ImportFormat)
MESSAGES_AT_ONCE = 500  # stored together, all or none


class ImportReport(Value):
    """Report of an import."""

    messages: int = Field(description="Number of messages in the file.")
    stored: int = Field(description="Number of new messages.")
    duplicates: int = Field(description="Number of messages that were already stored.")
    threads: int = Field(description="Number of threads that the messages belong to.")
    ageing: AgeingForecast | None = Field(
        description="When the first of the new messages will age under the current policy, and to which tiers; null "
        "if none is new."
    )


@dataclass(frozen=True)
class ImportSource:
    """A file that has been read completely and is valid."""

    path: Path | NamedFile
    #: "jsonl" or "locomo"
    format: str
    #: timezone of times without an offset
    timezone: str | None
    #: number of messages
    messages: int
    #: number of threads
    threads: int
    #: True if messages count as having arrived in the bank when they were written
    backdate: bool

    @property
    def batches(self) -> int:
        """Number of batches."""
        return -(-self.messages // MESSAGES_AT_ONCE)

    def read(self) -> Iterator[list[ImportedMessage]]:
        """Yields the messages in batches that are stored together. Raises `InvalidInput` or `InvalidTime`."""
        zone = zone_of(self.timezone) if self.timezone is not None else None
        remaining = _read(self.path, self.format, zone)
        while batch := list(islice(remaining, MESSAGES_AT_ONCE)):
            yield [imported.backdated() for imported in batch] if self.backdate else batch


class Storage(Protocol):
    """Storage for the messages of an import, such as a `Memory`."""

    def store(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> StoreResult:
        """Stores messages; see `Memory.store`."""


def import_file(
    memory: Storage,
    path: Path | NamedFile,
    *,
    bank: str,
    format: str = "auto",
    timezone: str | None = None,
    backdate: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Stores the messages of a file, which may be gzipped, with their own times. Returns a report.

    `format` is one of `FORMATS`. A line of "jsonl" is a conversation `{"id", "messages": [{"role", "content", "name"?,
    "created_at"?, "metadata"?}, …]}` or a message `{"id", "thread", "role", "content", …}`. Tool calls and results in
    the formats of OpenAI and Anthropic become parts. `timezone` applies to times without an offset; messages without a
    time get the time at which they are stored. Messages age from when they are stored, or from `arrived_at` if an
    exported line has it; with `backdate`, from when they were written, so that an old history fades soon.

    The complete file is read before anything is stored, so an invalid file stores nothing. Messages are then stored in
    batches, each all or nothing, under ids that are the same in every import: running it again resumes an interrupted
    import. Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge` or `Conflict`, with the line.
    """
    source = check_file(path, format=format, timezone=timezone, backdate=backdate)
    return store_file(memory, source, bank=bank, progress=progress)


def check_file(path: Path | NamedFile, *, format: str, timezone: str | None, backdate: bool = False) -> ImportSource:
    """Reads a file for `import_file` completely and returns it. Raises `InvalidInput` or `InvalidTime`, with the
    line."""
    if format not in FORMATS:
        raise InvalidInput(f"unknown format '{format}'; choose one of {', '.join(FORMATS)}")
    zone = zone_of(timezone) if timezone is not None else None
    chosen = _detect_format(path) if format == "auto" else format
    threads = Counter(imported.message.thread for imported in _read(path, chosen, zone))
    if not threads:
        raise InvalidInput(f"{path} contains no messages; check its format")
    return ImportSource(path, chosen, timezone, threads.total(), len(threads), backdate)


def store_file(memory: Storage, source: ImportSource, *, bank: str, progress: Progress | None = None) -> ImportReport:
    """Stores the messages of a file and returns a report; see `import_file`."""
    size = path_of(source.path).stat().st_size
    stored = duplicates = 0
    ageing: AgeingForecast | None = None
    for batch in source.read():
        result = _store(memory, bank, source.path, batch)
        stored += result.stored
        duplicates += result.duplicates
        ageing = ageing or result.ageing
        if progress is not None:
            progress(min(batch[-1].bytes_read, size), size)
    if progress is not None:
        progress(size, size)
    return ImportReport(
        messages=source.messages, stored=stored, duplicates=duplicates, threads=source.threads, ageing=ageing
    )


def _store(memory: Storage, bank: str, path: Path | NamedFile, batch: Sequence[ImportedMessage]) -> StoreResult:
    """Stores a batch. Errors name the file and the place of the message."""
    try:
        return memory.store(bank, [imported.message for imported in batch])
    except Conflict as error:
        raise Conflict(f"{path}, {batch[0].where} to {batch[-1].where}: {error}") from error
    except InvalidInput as error:
        if error.index is None:
            raise
        raise type(error)(f"{path}, {batch[error.index].where}: {error.reason}").naming(*error.settings) from error


def _detect_format(path: Path | NamedFile) -> str:
    """Returns "locomo" if the file is one JSON document, else "jsonl"."""
    first = next((line.data for line in read_lines(path) if line.data.strip()), b"")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return "locomo" if first.lstrip()[:1] == b"[" or first.strip() == b"{" else "jsonl"
    return "locomo" if isinstance(value, list) or is_locomo(value) else "jsonl"


def _read(path: Path | NamedFile, format: str, zone: tzinfo | None) -> Iterator[ImportedMessage]:
    return read_locomo(path, zone) if format == "locomo" else read_jsonl(path, zone)
