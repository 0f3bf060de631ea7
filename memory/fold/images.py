"""Images of conversations: found in the blocks of providers without being decoded, and read when they are stored."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from foxing.memory.images.files import check_pixels, size_in_header
from foxing.memory.images.limits import MAX_IMAGES, ImageRefused
from foxing.memory.images.text import MOST_READ_CHARS, READ_TEXT
from foxing.memory.values.base import Fields
from foxing.memory.values.part_text import label_of
from foxing.memory.values.parts import ImagePart, Part, TextPart
from foxing.renderer.readers.billing import Billing, Patches

if TYPE_CHECKING:
    from foxing.memory.storage.repositories.images import PlacedImage

P = TypeVar("P")

#: Tokens of an image whose size is not known, as of one that is given by its address.
UNKNOWN_TOKENS = 1_600
#: Formula for a model without a profile: that of Claude, of images up to 1,568 px.
UNKNOWN_BILLING = Patches(side=28, max_side_px=1_568, max_patches=1_568)
#: What stands in a message in place of an image that is not remembered begins with this; the reason follows.
NO_IMAGE = "[image, not remembered: "
#: Characters in Base64 in which the size of an image is looked for: the last for a JPEG with much before its pixels.
_HEADERS = (64, 4_096, 131_072)


@dataclass(frozen=True)
class GivenImage:
    """An image block of a conversation."""

    #: The image, whose data are not read yet; a text for one whose address cannot be kept.
    part: ImagePart | TextPart
    #: Width and height in px; None if they are not known.
    size: tuple[int, int] | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "GivenImage":
        """Returns the image of the fields of an image part. Nothing but the beginning of its data is decoded."""
        data = fields.get("data")
        if not isinstance(data, str):
            return cls(_by_address(fields.get("url")))
        size = _size(data)
        width, height = size or (None, None)
        return cls(ImagePart.model_construct(data=data, width=width, height=height), size)


def image_tokens(images: Sequence[GivenImage], billing: Billing | None) -> int:
    """Returns the tokens billed for images as they came. `billing`: None for a model without a formula."""
    formula = billing or UNKNOWN_BILLING
    return sum(UNKNOWN_TOKENS if image.size is None else formula.tokens(*image.size) for image in images)


def read_images(parts: Sequence[P], *, decode: bool = False) -> tuple[P | Part, ...]:
    """Returns parts with their images read, as they are stored. What stands in place of an image that the memory does
    not take says why. `decode`: also decodes them, so that none is left that a store refuses."""
    result = list[P | Part]()
    number = 0
    for part in parts:
        if isinstance(part, ImagePart):
            number += 1
            result.append(_read(part, decode=decode) if number <= MAX_IMAGES else _TOO_MANY)
        else:
            result.append(part)
    return tuple(result)


def with_sound_images(message: Fields, refused: str | None = None) -> Fields:
    """Returns a message to store, whose content is a list of parts, with its images decoded; see `read_images`.
    `refused`: a reason to keep none of them."""
    content: Any = message["content"]
    parts = [ImagePart.model_construct(**part) if part.get("type") == "image" else part for part in content]
    if refused is None:
        read = read_images(parts, decode=True)
    else:
        read = tuple(_without_data(part, refused) if isinstance(part, ImagePart) else part for part in parts)
    return {**message, "content": [_fields(part) for part in read]}


def _without_data(image: ImagePart, reason: str) -> ImagePart | TextPart:
    return image if image.data is None else _not_remembered(reason)


def _fields(part: Fields | Part) -> Fields:
    return part if isinstance(part, dict) else part.model_dump(mode="json", exclude_none=True)


def with_read_text(text: str, placed: "Sequence[PlacedImage]") -> str:
    """Returns the text of a message with what a machine has read in its images below their labels."""
    for image in placed:
        read = image.image.read
        label = label_of(text, image.number)
        if read is not None and read.text and label is not None:
            words = READ_TEXT.format(number=image.number, text=read.text[:MOST_READ_CHARS])
            text = text.replace(label, f"{label}\n{words}", 1)
    return text


def _by_address(url: object) -> ImagePart | TextPart:
    """Returns an image that is given by its address, which is kept as text."""
    try:
        return ImagePart(url=url)  # type: ignore[arg-type]  # validated here
    except ValidationError:
        return _not_remembered("neither its data nor an address that can be kept is given")


def _read(image: ImagePart, *, decode: bool) -> ImagePart | TextPart:
    if image.data is None:
        return image
    try:
        part = ImagePart(data=image.data)
        if decode and (file := part.file) is not None:
            check_pixels(file)
    except ValidationError as error:
        return _not_remembered(error.errors()[0]["msg"])
    except ImageRefused as error:
        return _not_remembered(str(error))
    return part


def _not_remembered(reason: str) -> TextPart:
    return TextPart(text=f"{NO_IMAGE}{reason.partition(';')[0]}]")


_TOO_MANY = _not_remembered(f"the message has more than {MAX_IMAGES}")


def _size(data: str) -> tuple[int, int] | None:
    """Returns the size that the header of an image in Base64 says; None if it says none."""
    for chars in _HEADERS:
        start = "".join(data[:chars].split())
        try:
            size = size_in_header(base64.b64decode(start[: len(start) // 4 * 4]))
        except (ValueError, binascii.Error):
            return None
        if size is not None or len(data) <= chars:
            return size
    return None
