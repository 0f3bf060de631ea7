"""Formats of histories: what reads one, found by entry point.

A package adds a format with an entry point in the group `foxing.importers`, whose name is that of the format:

    [project.entry-points."foxing.importers"]
    signal = "signal_import:SIGNAL"
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, Protocol, runtime_checkable

from foxing.renderer.plugins import PluginError, Plugins

from .files import HistoryFiles
from .source import ImportedMessage

GROUP = "foxing.importers"
#: Reasons for leaving something out that several formats have.
OTHER_BRANCHES = "branches of conversations that were left, which the option 'branches' keeps"
THOUGHTS = "thoughts of the model"


@dataclass(frozen=True)
class ReadOptions:
    """Options for what a file does not say."""

    #: timezone of times without an offset
    zone: tzinfo | None = None
    #: whether the day or the month comes first in dates that could be either
    dates: Literal["day-first", "month-first"] | None = None
    #: with the branches of conversations that were left, each as a thread of its own
    branches: bool = False


@runtime_checkable
class Importer(Protocol):
    """Reader of one format."""

    #: True if a mistake in a file, or a message that cannot be stored, ends the import; False if it is left out
    strict: bool

    def recognise(self, files: HistoryFiles) -> str | None:
        """Returns by what files are recognised as this format: “conversations.json has mapping”; None if they are not.
        Judges by contents, never by a name alone, and reads only what it must."""

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """Yields the messages of each thread in order, with the same ids at every import. Notes what it leaves out with
        `files.leave_out`. Raises `InvalidInput`, and `InvalidTime` for a time that needs a timezone."""


class SingleFiles(ABC):
    """Base of the importers of formats whose files are read one by one."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        return self.recognise_file(files, files.names[0]) if len(files.names) == 1 else None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        for name in files.names:
            yield from self.read_file(files, name, options)

    @abstractmethod
    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """Returns by what a file is recognised; see `Importer.recognise`."""

    @abstractmethod
    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """Yields the messages of a file; see `Importer.read`."""


def _checked(name: str, value: object) -> Importer:
    if not isinstance(value, Importer):
        raise PluginError(f"the importer '{name}' lacks recognise or read; update its package")
    return value


IMPORTERS: Plugins[Importer] = Plugins(GROUP, _checked)
