"""Importers of conversations from files, folders and archives. Importing is idempotent."""

from foxing.memory.values.imports import AUTO, ImportPreview, ImportQuery, ImportReport

from .files import HistoryFiles
from .format import IMPORTERS, Importer, ReadOptions
from .importer import ImportOptions, ImportSource, check_file, import_file, not_in, preview_file, store_file
from .source import ImportedMessage, NamedFile
from .watcher import HistoryWatcher, WatchedFile

__all__ = [
    "AUTO",
    "IMPORTERS",
    "HistoryFiles",
    "HistoryWatcher",
    "ImportOptions",
    "ImportPreview",
    "ImportQuery",
    "ImportReport",
    "ImportSource",
    "ImportedMessage",
    "Importer",
    "NamedFile",
    "ReadOptions",
    "WatchedFile",
    "check_file",
    "import_file",
    "not_in",
    "preview_file",
    "store_file",
]
