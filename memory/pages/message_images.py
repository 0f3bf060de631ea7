"""Images of recalled messages, read once it is known which messages an answer gives."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from foxing.memory.images.text import MOST_READ_CHARS, READ_TEXT
from foxing.memory.references import message_id_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, images
from foxing.memory.storage.repositories.images import PlacedImage
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.part_text import IMAGE_MARK, image_labels, label_of
from foxing.memory.values.parts import ImagePart, MachineReadText, OriginalImage, Part, TextPart

M = TypeVar("M", bound=RecalledMessage)
#: Text in an image below its label, and the most characters of it.


class MessageImages:
    """Adds the images of a bank to its recalled messages."""

    #: Cap on the bytes of the images of an answer; further ones come without their data.
    max_bytes = 24 << 20

    def __init__(self, database: Database) -> None:
        self._database = database

    def fill(self, bank: str, recalled: Sequence[M], *, everything: bool = False) -> list[M]:
        """Returns the messages with the data of their images in their parts. A message whose label has faded, and a
        passage with a label, get parts: the text, and the images. `everything`: whatever its size."""
        by_message = self._read(bank, recalled, everything=everything)
        return [
            _with_images(message, *by_message[number])
            if (number := _id_of(message)) is not None and number in by_message
            else message
            for message in recalled
        ]

    def read(self, bank: str, recalled: Sequence[RecalledMessage]) -> list["ShownImage"]:
        """Returns the images of messages whose files the memory has, in order, each once."""
        images: dict[int, ShownImage] = {}
        by_message = self._read(bank, recalled, everything=False)
        for message in recalled:
            placed, contents = by_message.get(_id_of(message) or 0, ((), {}))
            for image in placed:
                content = contents.get(image.image.id)
                if content is not None:
                    images.setdefault(image.image.id, ShownImage(message, image, content))
        return list(images.values())

    @staticmethod
    def with_texts(connection: Connection, bank_id: int, recalled: Sequence[M]) -> list[M]:
        """Returns the messages as a model is to see them: with the text that a machine read in their images, if any,
        below the labels, on one line each; at the end for an image whose label has faded."""
        ids = [number for message in recalled if may_have_images(message) and (number := _id_of(message)) is not None]
        of_message: dict[int, list[PlacedImage]] = {}
        for image in images.of_messages(connection, bank_id, ids) if ids else ():
            of_message.setdefault(image.message_id, []).append(image)
        return [_with_texts(message, of_message.get(_id_of(message) or 0, ())) for message in recalled]

    def _read(
        self, bank: str, recalled: Sequence[RecalledMessage], *, everything: bool
    ) -> dict[int, tuple[list[PlacedImage], Mapping[int, bytes | None]]]:
        """Returns number of a message → its images, and the files of these and others."""
        ids = [number for message in recalled if may_have_images(message) and (number := _id_of(message)) is not None]
        if not ids:
            return {}
        with self._database.read() as connection:
            row = banks.find(connection, bank)
            placed = [] if row is None else images.of_messages(connection, row.id, ids)
            if row is None or not placed:
                return {}
            of_message: dict[int, list[PlacedImage]] = {}
            for image in placed:
                of_message.setdefault(image.message_id, []).append(image)
            candidates = [image for number in ids for image in of_message.get(number, ())]
            contents = images.contents(connection, row.id, _within(candidates, None if everything else self.max_bytes))
        return {number: (of_one, contents) for number, of_one in of_message.items()}


@dataclass(frozen=True)
class ShownImage:
    """An image of a message, with its file."""

    message: RecalledMessage
    placed: PlacedImage
    content: bytes = field(repr=False)

    @property
    def label(self) -> str:
        """Its label in the text of the message; number and size if that has faded."""
        label = label_of(self.message.text, self.placed.number)
        original = self.placed.image.original
        return label or f"{IMAGE_MARK} image {self.placed.number}, {original.width_px}x{original.height_px} px"


def _id_of(message: RecalledMessage) -> int | None:
    return message_id_of(message.ref)


def may_have_images(message: RecalledMessage) -> bool:
    """True for a message with a label of an image, or with a gap that may be one."""
    return IMAGE_MARK in message.text or bool(message.gaps) or not message.text


def _within(images: Sequence[PlacedImage], max_bytes: int | None) -> set[int]:
    """Returns the ids of the first images whose files have at most `max_bytes` together."""
    sizes = {image.image.id: image.image.size.bytes for image in images}
    ids = set[int]()
    total = 0
    for image_id, size in sizes.items():
        if max_bytes is None or total + size <= max_bytes:
            ids.add(image_id)
            total += size
    return ids


def _with_images(message: M, placed: Sequence[PlacedImage], contents: Mapping[int, bytes | None]) -> M:
    by_number = {image.number: image for image in placed}
    if message.parts is not None:
        parts = list[Part]()
        number = 0
        for part in message.parts:
            if isinstance(part, ImagePart):
                number += 1
                image = by_number.get(number)
                part = part if image is None else image_part(image, contents.get(image.image.id), part)
            parts.append(part)
        return message.model_copy(update={"parts": parts})
    numbers = set(image_labels(message.text))
    if message.passage is None and (message.gaps or not message.text):
        numbers |= by_number.keys()
    image_parts = [
        image_part(by_number[n], contents.get(by_number[n].image.id)) for n in sorted(numbers & by_number.keys())
    ]
    if not image_parts:
        return message
    text = [TextPart(text=message.text)] if message.text else []
    return message.model_copy(update={"parts": [*text, *image_parts]})


def _with_texts(message: M, placed: Sequence[PlacedImage]) -> M:
    text = message.text
    gaps = list(message.gaps)
    for image in placed:
        read = _machine_read(image)
        if read is None:
            continue
        label = label_of(text, image.number)
        if label is None and (message.passage is not None or not (message.gaps or not message.text)):
            continue  # it stands in another passage
        words = " / ".join(line.strip() for line in read.text[:MOST_READ_CHARS].splitlines() if line.strip())
        end = len(text) if label is None else text.index(label) + len(label)
        added = ("\n" if text else "") + READ_TEXT.format(number=image.number, text=words)
        text = text[:end] + added + text[end:]
        gaps = [gap + len(added) * (gap >= end) for gap in gaps]
    return message if text == message.text else message.model_copy(update={"text": text, "gaps": gaps})


def image_part(placed: PlacedImage, content: bytes | None, label: ImagePart | None = None) -> ImagePart:
    """Returns an image as a part. `label`: what its label in the text says of it."""
    image = placed.image
    size = placed.image.size
    original = placed.image.original
    return ImagePart.model_construct(
        media_type=size.media_type,
        data=None if content is None else base64.b64encode(content).decode(),
        url=None,
        name=None if label is None else label.name,
        alt=None if label is None else label.alt,
        width=size.width_px,
        height=size.height_px,
        tier=image.tier,
        original=OriginalImage.model_construct(
            media_type=original.media_type, width=original.width_px, height=original.height_px, bytes=original.bytes
        ),
        machine_read=_machine_read(placed),
    )


def _machine_read(placed: PlacedImage) -> MachineReadText | None:
    read = placed.image.read
    if read is None or not read.text or not placed.image.size.bytes:
        return None
    return MachineReadText.model_construct(text=read.text, confidence=read.confidence)
