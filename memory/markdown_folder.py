"""Export of a bank as a folder of Markdown files, one a thread, with the images beside; see `importers.thread_file`.

The same bank gives the same bytes, so that the folder can stand in git: what is unchanged is not written again, and the
files of threads and images that are gone are deleted. Files of others in the folder are left alone.
"""

import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.importers.thread_file import (
    IMAGE_NAME,
    IMAGES,
    beginning,
    entry,
    file_name,
    is_thread_file,
    title_of,
)
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.reports import MarkdownReport
from foxing.renderer import Progress
from foxing.renderer.private_files import make_folder, opener

_PREFIX = ".foxing-export-"
#: Files that are open at the same time.
_OPEN = 64


@dataclass
class _Thread:
    """A thread that is being written."""

    name: str
    #: day of its last message
    day: str | None = None


@dataclass
class _Parts:
    """The new files of an export, in a folder of their own until all are complete."""

    folder: Path
    threads: dict[str, _Thread] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    _open: OrderedDict[str, IO[str]] = field(default_factory=OrderedDict)

    def add(self, message: RecalledMessage) -> None:
        """Writes a message to the file of its thread."""
        thread = self.threads.get(message.thread)
        if thread is None:
            thread = self.threads[message.thread] = _Thread(file_name(message.thread))
            self._file(thread.name).write(beginning(message.thread, title_of(message)))
        text, thread.day = entry(message, thread.day, self._keep)
        self._file(thread.name).write(text)

    def close(self) -> None:
        """Closes all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _file(self, name: str) -> IO[str]:
        file = self._open.pop(name, None)
        if file is None:
            if len(self._open) >= _OPEN:
                self._open.popitem(last=False)[1].close()
            file = open(  # noqa: SIM115  # `close` closes it
                self.folder / name, "a", encoding="utf-8", newline="", opener=opener
            )
        self._open[name] = file
        return file

    def _keep(self, name: str, content: bytes) -> None:
        if name in self.images:
            return
        make_folder(self.folder / IMAGES)
        with open(self.folder / name, "xb", opener=opener) as file:
            file.write(content)
        self.images.add(name)


def write_folder(
    messages: Iterator[RecalledMessage], folder: Path, mark: str, total: int, progress: Progress | None
) -> MarkdownReport:
    """Writes messages, in time order, as files of threads to a folder, which is created if necessary. Nothing in it
    changes before all are read. `mark`: gap mark in their texts. Raises `InvalidInput` if it cannot be written."""
    try:
        make_folder(folder)
        with ExitStack() as stack:
            place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            parts = _Parts(place)
            stack.callback(parts.close)
            count = 0
            for count, message in enumerate(messages, 1):
                parts.add(_with_common_mark(message, mark))
                if progress is not None:
                    progress(count, max(count, total))
            parts.close()
            names = {thread.name for thread in parts.threads.values()}
            for name in sorted(names | parts.images):
                _replace(place / name, folder / name)
            _remove_stale(folder, names, parts.images)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be written ({error.strerror or error}); choose another folder") from error
    return MarkdownReport(messages=count, threads=len(names), images=len(parts.images), folder=str(folder))


def _with_common_mark(message: RecalledMessage, mark: str) -> RecalledMessage:
    """Returns a message with the common gap mark in its text, where a setting chooses another."""
    if mark == TEXT_GAP_MARK or not message.gaps:
        return message
    pieces = list[str]()
    gaps = list[int]()
    start = length = 0
    for gap in message.gaps:
        pieces += [message.text[start:gap], TEXT_GAP_MARK]
        gaps.append(length + gap - start)
        length = gaps[-1] + len(TEXT_GAP_MARK)
        start = gap + len(mark)
    return message.model_copy(update={"text": "".join([*pieces, message.text[start:]]), "gaps": gaps})


def _replace(new: Path, place: Path) -> None:
    """Moves a file to its place, unless the same is there."""
    if place.is_symlink():
        raise OSError(f"{place} is a link; remove it")
    if place.is_file() and place.stat().st_size == new.stat().st_size and place.read_bytes() == new.read_bytes():
        return
    make_folder(place.parent)
    new.replace(place)


def _remove_stale(folder: Path, names: set[str], images: set[str]) -> None:
    """Deletes files of an earlier export that are not in this one."""
    for path in folder.glob("*.md"):
        if path.name not in names and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                is_ours = is_thread_file(file.read(200))
            if is_ours:
                path.unlink()
    for path in (folder / IMAGES).glob("*"):
        if f"{IMAGES}/{path.name}" not in images and IMAGE_NAME.fullmatch(path.name) and path.is_file():
            path.unlink()
    for path in folder.glob(f"{_PREFIX}*"):
        if path.is_dir() and not path.is_symlink():  # of an export that was killed
            shutil.rmtree(path, ignore_errors=True)
