"""Text in images: read by a machine once, before the page of their message is sealed, and kept with the image."""

from collections import Counter
from collections.abc import Collection
from contextlib import suppress

from foxing.memory.errors import InvalidInput
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.images.ocr import ImageTextReader
from foxing.memory.images.text import ReadText
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, images, open_messages

from .redaction import Redaction


class ImageTexts:
    """Reads the images of messages."""

    def __init__(self, database: Database, reader: ImageTextReader) -> None:
        self._database = database
        self._reader = reader

    def read(self, bank_id: int, message_ids: Collection[int]) -> set[int]:
        """Reads the images of messages that are about to be sealed. Returns the ids of those, and of sealed messages,
        whose words now include what was read."""
        with self._database.read() as connection:
            if not message_ids or not images.has_any(connection, bank_id):
                return set()
            placed = images.of_messages(connection, bank_id, message_ids)
        unread = {item.image.id: item.image for item in placed if item.image.read is None and item.image.size.bytes}
        texts: dict[int, ReadText] = {}
        for image_id, image in unread.items() if unread and self._reader.available else ():
            with self._database.read() as connection:  # one by one, since many images take much memory
                content = images.contents(connection, bank_id, [image_id]).get(image_id)
            if content is not None:
                size = image.size
                with suppress(ImageRefused):  # a damaged file
                    file = ImageFile(content, size.media_type, size.width_px, size.height_px)
                    texts[image_id] = self._reader.read(file)
        if not texts:
            with self._database.read() as connection:
                return set(images.texts_of(connection, bank_id, message_ids))
        with self._database.write() as connection:
            banks.lock(connection, bank_id)
            rules = Redaction.of(banks.by_id(connection, bank_id).policy)
            images.set_read(connection, {image_id: _redacted(read, rules) for image_id, read in texts.items()})
            with_them = images.messages_of(connection, bank_id, texts)
            others = {message_id for ids in with_them.values() for message_id in ids}.difference(message_ids)
            sealed = open_messages.missing(connection, others)
            return set(images.texts_of(connection, bank_id, {*message_ids, *sealed}))


def _redacted(read: ReadText, rules: Redaction) -> ReadText:
    """Returns a text without what the rules of its bank match; none if that cannot be found out."""
    try:
        return read._replace(text=rules.text(read.text, Counter())) if rules else read
    except InvalidInput:
        return ReadText("", 0.0)
