"""Image files: each is a message of the user."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import MAX_IMAGE_BYTES, ImageRefused
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart

from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_REFUSED = "images that cannot be kept"


class ImageFiles(SingleFiles):
    """Importer of PNG, JPEG, WebP and GIF files."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        head = files.head(name, 12)
        is_webp = head[:4] == b"RIFF" and head[8:] == b"WEBP"
        return "the file begins like an image" if is_webp or head.startswith(_SIGNATURES) else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`. An image is dated when it is imported."""
        with files.open(name) as file:
            content = file.read(MAX_IMAGE_BYTES + 1)
        where = files.place(name)
        try:
            ImageFile.read(content)
        except ImageRefused as error:
            files.leave_out(_REFUSED, f"{where}: {error}")
            return
        part = ImagePart(data=base64.b64encode(content).decode(), name=PurePosixPath(name).name[:200])
        key = f"image:{hashlib.sha256(content).hexdigest()[:24]}"
        yield ImportedMessage(NewMessage(role="user", content=(part,), id=key), where, files.bytes_read)


IMAGE = ImageFiles()
