"""Object storage in a folder, and messages whose pages are there."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from foxing.memory import DatabaseOptions, Memory

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MIN_BYTES = 64  # so that nearly all is outside


@dataclass(frozen=True)
class Storage:
    """A folder."""

    folder: Path

    def options(self, database: str) -> DatabaseOptions:
        """A database with its large blobs here."""
        return DatabaseOptions(database, blobs_url=self.folder.as_uri(), blobs_min_bytes=MIN_BYTES)

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def contents(self) -> list[bytes]:
        return [path.read_bytes() for path in self.files()]

    def make_old(self) -> None:
        """Dates all objects two hours back."""
        for path in self.files():
            then = path.stat().st_mtime - 7_200
            os.utime(path, (then, then))


def said(number: int) -> str:
    return f"The {number}th crate went to Harbour Road {7 * number}, whatever customs wrote of order 4f{number:06x}."


def messages(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "role": "user", "content": said(n), "created_at": START + timedelta(minutes=n)} for n in numbers
    ]


def fill(memory: Memory, pages: int = 3) -> None:
    """Pages of eight messages each."""
    for page in range(pages):
        memory.store("ana", messages(range(8 * page, 8 * page + 8)))
        memory.seal("ana")
