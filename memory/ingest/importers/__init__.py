"""Importers of conversations from files. Importing is idempotent."""

from .importer import FORMATS, ImportReport, ImportSource, check_file, import_file, store_file
from .source import NamedFile

__all__ = ["FORMATS", "ImportReport", "ImportSource", "NamedFile", "check_file", "import_file", "store_file"]
