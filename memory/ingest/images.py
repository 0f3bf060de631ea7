"""Images of messages to store: decoded before the transaction, so that nothing else than images is kept."""

import hashlib

from foxing.memory.errors import InvalidInput
from foxing.memory.images.decoding import normalised
from foxing.memory.images.limits import MAX_IMAGES, ImageRefused
from foxing.memory.images.text import ReadText
from foxing.memory.storage.repositories.images import ImageSize, NewImage
from foxing.memory.values.messages import NewMessage


class InvalidImage(InvalidInput):
    """An image of a message cannot be kept."""

    #: Number of the image in the message, from 1.
    number = 0


def prepare_images(message: NewMessage, index: int, bank: str) -> tuple[NewImage, ...]:
    """Returns the images of a message whose data are given. `index`: its position in the call; `bank`: where it is
    stored, whose images take turns with those of others to be decoded. Raises `InvalidInput`."""
    parts = message.images
    if len(parts) > MAX_IMAGES:
        raise InvalidInput(f"the message has more than {MAX_IMAGES} images; split it", index=index)
    new_images = []
    for number, part in enumerate(parts, 1):
        try:
            file = part.file
            file_to_store = None if file is None else normalised(file, bank)
        except ImageRefused as error:
            refused = InvalidImage(f"image {number}: {error}", index=index)
            refused.number = number
            raise refused from error
        if file is None or file_to_store is None:
            continue
        size = ImageSize.of(file_to_store)
        original_size = part.original
        original = (
            size
            if original_size is None
            else ImageSize(original_size.media_type, original_size.width, original_size.height, original_size.bytes)
        )
        read = None if part.machine_read is None else ReadText(part.machine_read.text, part.machine_read.confidence)
        new_images.append(NewImage(number, hashlib.sha256(file.content).digest(), file_to_store, original, read))
    return tuple(new_images)
