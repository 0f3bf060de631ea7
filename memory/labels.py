"""Labels of recalls: what a person says about the answer to a question, in a file of JSON Lines.

A label has the words of the question, and no others. Erasing a message or a bank erases the labels that name it, in the
file that this process writes; the file is neither part of a backup nor of a bundle.
"""

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from .errors import InvalidInput, NotFound, StorageError
from .storage.database import Database
from .storage.repositories import banks, messages
from .values.labels import VERDICTS, RecallLabel, Verdict
from .values.recall import MAX_QUERY_CHARS

try:
    import fcntl
except ImportError:  # Windows: labels are written by one process at a time
    fcntl = None  # type: ignore[assignment]

#: Value of the setting that keeps no labels.
NO_FILE = "none"


def labels_path(database_url: str, chosen: str | None) -> Path | None:
    """Returns the file of the labels: the chosen one, else one beside a SQLite file; None for no labels. `chosen`: a
    path, or "none"."""
    if chosen is not None:
        return None if chosen == NO_FILE else Path(chosen).expanduser().resolve()
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
        return None
    return Path(url.database).with_suffix(".labels.jsonl")


class RecallLabels:
    """The labels of a memory. Each is appended as a whole line; what erases labels replaces the file as a whole."""

    def __init__(self, database: Database, path: Path | None, now: Callable[[], datetime]) -> None:
        """`path`: the file; None to keep no labels."""
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        #: The file, which need not exist; None if no labels are kept.
        self.path = path

    def add(self, bank: str, query: str, verdict: Verdict, message_id: str) -> RecallLabel:
        """Appends a label. Raises `NotFound` if there is no such message, `InvalidInput`, and `StorageError` if the
        file cannot be written."""
        if self.path is None:
            raise InvalidInput("this memory keeps no labels; set labels_file to a path")
        query = query.strip()
        if not query or len(query) > MAX_QUERY_CHARS:
            raise InvalidInput(f"a label needs a question of 1 to {MAX_QUERY_CHARS:,} characters")
        if verdict not in VERDICTS:
            raise InvalidInput(f"'{verdict}' is not a verdict: {', '.join(VERDICTS)}")
        with self._database.read() as connection:
            row = banks.get(connection, bank)
            if not messages.by_keys(connection, row.id, [message_id]):
                raise NotFound(f"there is no message '{message_id}' in bank '{bank}'")
        at = self._now().astimezone(UTC)
        label = RecallLabel(bank=bank, bank_id=row.id, query=query, message_id=message_id, verdict=verdict, at=at)
        line = json.dumps(label.model_dump(mode="json"), ensure_ascii=True) + "\n"
        with self._open() as file:
            file.write(line.encode())
        return label

    def erase(self, bank_id: int, message_ids: Collection[str] | None = None) -> int:
        """Removes the labels of these messages, or all of a bank. Returns how many. Raises `StorageError`."""
        if self.path is None or not self.path.exists():
            return 0
        erased = 0
        with self._open() as file:
            file.seek(0)
            lines = file.readlines()
            remaining = [line for line in lines if not _names(line, bank_id, message_ids)]
            erased = len(lines) - len(remaining)
            if erased:
                self._replace(b"".join(remaining))
        return erased

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        """Opens the file to append, alone. Raises `StorageError`."""
        assert self.path is not None
        try:
            with self._lock, self._locked() as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            failure = StorageError(f"the labels in {self.path} cannot be written ({error})")
            raise failure.naming("labels_file") from error

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        assert self.path is not None
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                is_current = False  # another process may have replaced the file while this one waited
                with suppress(FileNotFoundError):
                    is_current = os.path.samestat(os.fstat(descriptor), self.path.stat())
                if is_current:
                    yield file
                    return

    def _replace(self, content: bytes) -> None:
        assert self.path is not None
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


def _names(line: bytes, bank_id: int, message_ids: Collection[str] | None) -> bool:
    """Returns True if a line is a label of these messages, or of the bank. A line that is no label is kept."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    if not isinstance(entry, dict) or entry.get("bank_id") != bank_id:
        return False
    return message_ids is None or entry.get("message_id") in message_ids
