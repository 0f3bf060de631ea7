"""Importing conversations from files. Importing a file again adds nothing."""

from .importer import FORMATS, ImportReport, import_file

__all__ = ["FORMATS", "ImportReport", "import_file"]
