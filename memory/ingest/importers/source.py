"""Imported messages, and JSON within limits. Errors name the file and the place in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from foxing.memory.bounded_json import JsonTooLarge, loads
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part, TextPart

MAX_LINE_BYTES = 256 << 20
#: Cap on values (objects, lists, strings, numbers…) in a JSON document; each takes up to 100 bytes once parsed.
MAX_VALUES = 10_000_000
#: Beyond this many bytes, the expansion ratio of a gzipped file is capped at `MAX_EXPANSION`. Text has a ratio of 3 to
#: 20, a gzip bomb 1,000.
EXPANDED_BYTES = 64 << 20
MAX_EXPANSION = 200


@dataclass(frozen=True)
class NamedFile:
    """A file with a display name for errors, such as a copy of standard input."""

    path: Path
    name: str
    #: Folder within an archive that the paths of its files are relative to.
    folder: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ImportedMessage:
    """A message read from a file."""

    message: NewMessage
    #: Its place in the file: “line 12”.
    where: str
    #: Bytes of the file read so far, before decompression.
    bytes_read: int

    def without_images(self, numbers: Sequence[int]) -> "ImportedMessage":
        """Returns the message with labels in place of some of its images. `numbers`: theirs, from 1, each counted
        without the ones before."""
        message = self.message
        for number in numbers:
            content = _without_image(message.parts or (), number)
            message = message.with_content(content)
        return replace(self, message=message)

    @property
    def size(self) -> int:
        """Approximate bytes of its text and of its images."""
        content = self.message.content
        if isinstance(content, str):
            return len(content)
        return sum(len(part.data or "") for part in self.message.images) + 100 * len(content or ())

    def backdated(self) -> "ImportedMessage":
        """Returns the message with its creation time as the time of arrival in the bank."""
        message = self.message
        arrived_at = message.arrived_at or message.created_at
        return replace(self, message=message.model_copy(update={"arrived_at": arrived_at}))


class SourceLine(NamedTuple):
    """A line of a file, with its line break."""

    number: int
    data: bytes
    #: Bytes of the file read so far, before decompression.
    bytes_read: int


def path_of(file: Path | NamedFile) -> Path:
    """Returns the path of the file."""
    return file.path if isinstance(file, NamedFile) else file


def parse_json(path: Path | NamedFile | str, where: str, data: bytes) -> Any:
    """Returns the JSON value of `data`, which is at `where` in the file. Raises `InvalidInput`."""
    try:
        return loads(data, max_values=MAX_VALUES)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}, {where}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from error
    except JsonTooLarge as error:
        raise InvalidInput(f"{path}, {where}: {error}; split or flatten it") from error
    except ValueError as error:
        raise InvalidInput(f"{path}, {where}: invalid JSON ({error}); correct it") from error


def label_of(image: ImagePart) -> str:
    """Returns what stands for an image that is not kept."""
    return f"[image: {image.name}]" if image.name else "[image]"


def _without_image(parts: Sequence[Part], number: int) -> str | tuple[Part, ...]:
    """Returns parts with a label in place of one of their images, the one of this number, from 1."""
    places = [place for place, part in enumerate(parts) if isinstance(part, ImagePart)]
    place = places[number - 1]
    image = parts[place]
    assert isinstance(image, ImagePart)
    result = list[Part]()
    for part in (*parts[:place], TextPart(text=label_of(image)), *parts[place + 1 :]):
        if isinstance(part, TextPart) and result and isinstance(result[-1], TextPart):
            result[-1] = TextPart(text=f"{result[-1].text}\n{part.text}")
        else:
            result.append(part)
    return result[0].text if len(result) == 1 and isinstance(result[0], TextPart) else tuple(result)
