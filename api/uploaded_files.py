"""Files of a form, as browsers send them: received as the file itself if there is one, else as a zip archive of all.

An archive keeps the paths of the files without giving them to the file system.
"""

import re
import zipfile
from pathlib import Path
from typing import IO

from starlette.datastructures import Headers

from foxing.memory import InvalidInput, NamedFile
from foxing.memory.ingest.importers.files import leaves_folder
from foxing.renderer import FoxingError
from foxing.renderer.private_files import create, opener

from .multipart import FormPart, FormReader, invalid_form
from .problems import BODY_TOO_LARGE, RequestError

#: Maximum number of files of a form.
MAX_FILES = 10_000
MAX_PATH_CHARS = 1_000
#: Maximum number of other fields, and of the bytes of each.
MAX_FIELDS = 20
MAX_FIELD_BYTES = 10_000
#: Characters of a name that is shown.
_NAME_CHARS = 200
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class UploadedFiles(FormReader):
    """Receives the files of a form into a folder. What is wrong with the form is raised once all of it has arrived:
    browsers do not show an answer that comes before. Close it in any case."""

    def __init__(self, headers: Headers, folder: Path) -> None:
        """Raises `RequestError`."""
        super().__init__(headers)
        self.fields: dict[str, str] = {}
        self._first = folder / "file"
        self._archive_path = folder / "files.zip"
        self._archive: zipfile.ZipFile | None = None
        #: Paths of the files, in the order of the form.
        self._paths: dict[str, None] = {}
        #: The file or the archive member of the part that began last; None if it is a field, or is discarded.
        self._file: IO[bytes] | None = None
        self._field: str | None = None
        self._data = b""
        self._error: FoxingError | None = None

    def begin(self, part: FormPart) -> None:
        """See `FormReader.begin`."""
        path = part.path
        if path is None:
            if len(self.fields) >= MAX_FIELDS:
                raise invalid_form(f"the form has more than {MAX_FIELDS} fields; reload the page")
            self._field = part.name
            self._data = b""
        elif path and self._error is None:  # without a path, no file was chosen
            self._error = self._refusal(path := _CONTROLS.sub("_", path))
            if self._error is None:
                self._file = self._opened(path)
                self._paths[path] = None

    def take(self, data: bytes) -> None:
        """See `FormReader.take`."""
        if self._file is not None:
            self._file.write(data)
        elif self._field is not None:
            if len(self._data) + len(data) > MAX_FIELD_BYTES:
                raise invalid_form(f"the field '{self._field}' is too long; shorten it")
            self._data += data

    def end(self) -> None:
        """See `FormReader.end`."""
        if self._file is not None:
            self._file.close()
        elif self._field is not None:
            self.fields[self._field] = self._data.decode("utf-8", "replace")
        self._file = self._field = None

    def close(self) -> None:
        """Closes the files."""
        if self._file is not None:
            self._file.close()
        if self._archive is not None:
            self._archive.close()

    def received(self) -> NamedFile:
        """Returns the file, or the archive of all files, which has the name of the folder that they are in. Raises
        `RequestError`, `InvalidInput`."""
        self.finish()
        self.close()
        if self._error is not None:
            raise self._error
        if not self._paths:
            raise InvalidInput("choose a file or a folder; nothing was imported")
        if self._archive is None:
            return NamedFile(self._first, next(iter(self._paths))[-_NAME_CHARS:])
        folders = {path.partition("/")[0] if "/" in path else "" for path in self._paths}
        folder = folders.pop() if len(folders) == 1 else ""
        return NamedFile(self._archive_path, folder[-_NAME_CHARS:] or f"{len(self._paths):,} files", folder)

    def _refusal(self, path: str) -> FoxingError | None:
        """Returns why a file is not received; None if it is."""
        name = f"{path[:_NAME_CHARS]}…" if len(path) > _NAME_CHARS else path
        if len(self._paths) >= MAX_FILES:
            return RequestError(
                BODY_TOO_LARGE,
                f"an import in the console has at most {MAX_FILES:,} files; import the folder with 'foxing import', or "
                "as a zip archive; nothing was imported",
            )
        if len(path) > MAX_PATH_CHARS:
            return InvalidInput(
                f"the path '{name}' has more than {MAX_PATH_CHARS:,} characters; shorten it; nothing was imported"
            )
        if leaves_folder(path) or path.endswith("/"):
            return InvalidInput(f"the path '{name}' leaves its folder or is not a file's; nothing was imported")
        if path in self._paths:
            return InvalidInput(f"two files are called '{name}'; import them one by one; nothing was imported")
        return None

    def _opened(self, path: str) -> IO[bytes]:
        """Opens what a file is written to. The first is written as it is, in case that it is the only one."""
        if not self._paths and "/" not in path:
            return open(self._first, "xb", opener=opener)
        if self._archive is None:
            create(self._archive_path)
            self._archive = zipfile.ZipFile(self._archive_path, "w")
            for first in self._paths:
                self._archive.write(self._first, first)
        return self._archive.open(path, "w", force_zip64=True)
