"""Images of messages: those in the files of a history, and those that its messages hold themselves.

An image that cannot be kept, or that the export does not have, leaves its label in the text, and is counted.
"""

import base64
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import image_fields
from foxing.memory.errors import InvalidInput
from foxing.memory.images.limits import MAX_IMAGE_BYTES, MAX_IMAGES
from foxing.memory.values.parts import ImagePart, Part, TextPart

from .files import HistoryFiles
from .source import label_of

#: Reasons for leaving an image out, except for its label.
NOT_KEPT = "images that cannot be kept, except for their names"
NOT_THERE = "images that the export does not have, except for their names"
TOO_MANY = f"images of a message beyond {MAX_IMAGES}, except for their names"
#: A message with images, as a text and images in their places.
Pieces = Iterable[str | ImagePart]


@dataclass
class AttachedImages:
    """The images among the files of a history."""

    files: HistoryFiles
    #: names of files without their folders, sorted, each with its path
    _names: list[tuple[str, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._names = sorted((PurePosixPath(name).name, name) for name in self.files.names)

    def beginning(self, key: str) -> str | None:
        """Returns the path of the file whose name is `key`, or begins with it and a sign; None if there is none."""
        for name, path in self._names[bisect_left(self._names, (key, "")) :] if key else ():
            if not name.startswith(key):
                return None
            if not name[len(key) : len(key) + 1].isalnum():
                return path
        return None

    def named(self, name: str, neighbour: str) -> str | None:
        """Returns the path of the file of this name, or of this path, in the folder of the file `neighbour`; None if
        there is none."""
        path = str(PurePosixPath(neighbour).parent / name)
        place = bisect_left(self._names, (PurePosixPath(name).name, path))
        return path if self._names[place : place + 1] == [(PurePosixPath(name).name, path)] else None

    def read(self, path: str | None, title: str, where: str) -> ImagePart | str:
        """Returns the image in a file, or its label `[image: TITLE]` if it is not there or cannot be kept."""
        label = f"[image: {title}]"
        if path is None:
            self.files.leave_out(NOT_THERE, where)
            return label
        before = self.files.bytes_read
        try:
            with self.files.open(path) as file:
                content = file.read(MAX_IMAGE_BYTES + 1)
        except InvalidInput as error:
            self.files.leave_out(NOT_KEPT, f"{where}: {error}")
            return label
        finally:
            self.files.bytes_read = before
        return image_of(self.files, content, title, where) or label


def image_of(files: HistoryFiles, content: bytes, name: str | None, where: str) -> ImagePart | None:
    """Returns an image with its file; None, and a note that it is left out, if it cannot be kept."""
    label = " ".join(name.split())[:200] if name else None
    return kept(files, {"type": "image", "data": base64.b64encode(content).decode(), "name": label or None}, where)


def kept(files: HistoryFiles, fields: Mapping[str, Any], where: str) -> ImagePart | None:
    """Returns an image in the form of ours or of a provider; None, and a note that it is left out, if it cannot be
    kept."""
    try:
        return ImagePart.model_validate(image_fields(fields) or fields)
    except ValidationError as error:
        files.leave_out(NOT_KEPT, f"{where}: {error.errors()[0]['msg']}")
        return None


def content_with_images(files: HistoryFiles, pieces: Pieces, where: str) -> str | tuple[Part, ...]:
    """Returns pieces as content: a text of lines, or parts if images are among them."""
    parts = list[Part]()
    images = 0
    for piece in pieces:
        if isinstance(piece, ImagePart):
            images += 1
            if images <= MAX_IMAGES:
                parts.append(piece)
                continue
            files.leave_out(TOO_MANY, where)
            piece = label_of(piece)
        if parts and isinstance(parts[-1], TextPart):
            parts[-1] = TextPart(text=f"{parts[-1].text}\n{piece}")
        else:
            parts.append(TextPart(text=piece))
    return parts[0].text if len(parts) == 1 and isinstance(parts[0], TextPart) else tuple(parts)
