"""Images in messages. The same image is stored once a bank, by the digest of its file, and deleted with the last
message that has it."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, RowMapping, func, literal, select

from foxing.memory.images.files import ImageFile
from foxing.memory.images.text import ReadText
from foxing.memory.storage import columns, schema
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.memory.storage.secrets import digest_key

from .batches import sum_by_bank
from .blobs import contents as blobs

_i = schema.images.c
_p = schema.image_places.c

#: Bytes of a row without its file, with its index entries.
IMAGE_ROW_BYTES = 150
PLACE_ROW_BYTES = 40


@dataclass(frozen=True)
class ImageSize:
    """Format and size of an image."""

    media_type: str
    width_px: int
    height_px: int
    bytes: int

    @classmethod
    def of(cls, file: ImageFile) -> "ImageSize":
        """Returns those of a file."""
        return cls(file.media_type, file.width_px, file.height_px, len(file.content))


@dataclass(frozen=True)
class NewImage:
    """An image of a message to store."""

    #: Number in the message, from 1.
    number: int
    #: SHA-256 of the file as it came.
    digest: bytes
    file: ImageFile
    #: Format and size before it faded, for an image that comes from another memory.
    original: ImageSize
    #: Text in it, for one that another memory has read.
    read: ReadText | None = None


@dataclass(frozen=True)
class ImageRow:
    """An image without its file."""

    id: int
    bank_id: int
    #: Random number that changes with it.
    stamp: int
    #: Tier at which it is held; None while it is as it came.
    tier: str | None
    size: ImageSize
    original: ImageSize
    #: Text in it as a machine read it; None while it is not read.
    read: ReadText | None = None


@dataclass(frozen=True)
class PlacedImage:
    """An image of a message."""

    message_id: int
    #: Number in the message, from 1.
    number: int
    image: ImageRow
    #: The file; None if it was dropped or not asked for.
    content: bytes | None = field(default=None, repr=False)


_ROW = [column for column in schema.images.c if column.name not in ("content", "digest")]


def _row(row: RowMapping) -> ImageRow:
    return ImageRow(
        row["id"],
        row["bank_id"],
        row["stamp"],
        row["tier"],
        ImageSize(row["media_type"], row["width"], row["height"], row["bytes"]),
        ImageSize(row["original_media_type"], row["original_width"], row["original_height"], row["original_bytes"]),
        None if row["read_text"] is None else ReadText(row["read_text"], row["read_confidence"]),
    )


def new_stamp() -> int:
    """Returns a random stamp."""
    return secrets.randbits(62)


def insert(connection: Connection, bank_id: int, new: Mapping[int, Sequence[NewImage]]) -> None:
    """Stores the images of new messages, given as message id → images. One that the bank has already is stored sharp
    again if it has faded."""
    key = digest_key(connection)
    for message_id, images in new.items():
        for image in images:
            digest = blobs.digest_of(key, bank_id, image.digest)
            row = connection.execute(select(_i.id, _i.tier).where(_i.bank_id == bank_id, _i.digest == digest)).first()
            if row is None:
                image_id = _insert(connection, bank_id, digest, image)
            else:
                image_id = row.id
                if row.tier is not None:
                    replace(connection, bank_id, image_id, None, image.file)
            place = {"bank_id": bank_id, "message_id": message_id, "number": image.number, "image_id": image_id}
            connection.execute(schema.image_places.insert().values(place))


def _insert(connection: Connection, bank_id: int, digest: bytes, image: NewImage) -> int:
    size = ImageSize.of(image.file)
    original = image.original
    values = {
        "bank_id": bank_id,
        "digest": digest,
        "stamp": new_stamp(),
        "media_type": size.media_type,
        "width": size.width_px,
        "height": size.height_px,
        "bytes": size.bytes,
        "original_media_type": original.media_type,
        "original_width": original.width_px,
        "original_height": original.height_px,
        "original_bytes": original.bytes,
        "content": blobs.put(connection, bank_id, [image.file.content])[0],
        "read_text": None if image.read is None else image.read.text,
        "read_confidence": None if image.read is None else image.read.confidence,
    }
    inserted = connection.execute(schema.images.insert().values(values).returning(_i.id))
    return int(inserted.scalar_one())


def replace(connection: Connection, bank_id: int, image_id: int, tier: str | None, file: ImageFile | None) -> None:
    """Replaces the file of an image, which is now held at `tier`, or drops it."""
    blobs.release(connection, [_i.content], _i.id == image_id)
    values: dict[str, object] = {"stamp": new_stamp(), "tier": tier, "bytes": 0, "content": None}
    if file is not None:
        values |= {
            "media_type": file.media_type,
            "width": file.width_px,
            "height": file.height_px,
            "bytes": len(file.content),
            "content": blobs.put(connection, bank_id, [file.content])[0],
        }
    connection.execute(schema.images.update().where(_i.id == image_id).values(values))


def set_read(connection: Connection, read: Mapping[int, ReadText]) -> None:
    """Sets the texts in images, given as image id → text. An image that is deleted meanwhile is passed over."""
    for image_id, text in read.items():
        values = {"read_text": text.text, "read_confidence": text.confidence}
        connection.execute(schema.images.update().where(_i.id == image_id).values(values))


def forget_dropped(connection: Connection, bank_id: int) -> None:
    """Deletes the texts in images of a bank whose files were dropped and cannot come back."""
    restorable = select(schema.image_trash.c.image_id).where(schema.image_trash.c.image_id == _i.id)
    dropped = (_i.bank_id == bank_id) & _i.content.is_(None) & _i.read_text.is_not(None)
    is_gone = dropped & ~restorable.correlate(schema.images).exists()
    connection.execute(schema.images.update().where(is_gone).values(read_text=None, read_confidence=None))


def texts_of(connection: Connection, bank_id: int, message_ids: Collection[int]) -> dict[int, list[tuple[int, str]]]:
    """Returns message id → number and text of those of its images in which a machine has read some, apart from dropped
    ones."""
    query = select(_p.message_id, _p.number, _i.read_text).join_from(
        schema.image_places, schema.images, _i.id == _p.image_id
    )
    query = query.where(_p.bank_id == bank_id, columns.among(_p.message_id, sorted(message_ids)))
    texts: dict[int, list[tuple[int, str]]] = {}
    for row in connection.execute(query.where(_i.read_text != "", _i.content.is_not(None)).order_by(_p.number)):
        texts.setdefault(row.message_id, []).append((row.number, row.read_text))
    return texts


def has_any(connection: Connection, bank_id: int) -> bool:
    """True if a bank has images."""
    return connection.execute(select(_p.image_id).where(_p.bank_id == bank_id).limit(1)).first() is not None


def by_id(connection: Connection, image_id: int) -> ImageRow | None:
    """Returns an image; None if it does not exist."""
    row = connection.execute(select(*_ROW).where(_i.id == image_id)).mappings().first()
    return None if row is None else _row(row)


def messages_of(connection: Connection, bank_id: int, image_ids: Collection[int]) -> dict[int, set[int]]:
    """Returns image id → ids of the messages that have it."""
    query = select(_p.image_id, _p.message_id)
    result: dict[int, set[int]] = {}
    for row in connection.execute(query.where(_p.bank_id == bank_id, columns.among(_p.image_id, sorted(image_ids)))):
        result.setdefault(row.image_id, set()).add(row.message_id)
    return result


def of_messages(connection: Connection, bank_id: int, message_ids: Collection[int]) -> list[PlacedImage]:
    """Returns the images of messages, without their files, in the order of their numbers."""
    query = select(_p.message_id, _p.number, *_ROW).join_from(schema.image_places, schema.images, _i.id == _p.image_id)
    query = query.where(_p.bank_id == bank_id, columns.among(_p.message_id, sorted(message_ids)))
    rows = connection.execute(query.order_by(_p.message_id, _p.number)).mappings()
    return [PlacedImage(row["message_id"], row["number"], _row(row)) for row in rows]


def contents(connection: Connection, bank_id: int, image_ids: Collection[int]) -> dict[int, bytes | None]:
    """Returns image id → its file, None if it was dropped or is missing from the object storage."""
    query = select(_i.id, _i.content).where(_i.bank_id == bank_id, columns.among(_i.id, sorted(image_ids)))
    rows = connection.execute(query).all()
    stored = blobs.get(connection, [(bank_id, row.content) for row in rows])
    return {
        row.id: None if isinstance(content, MissingBlob) else content for row, content in zip(rows, stored, strict=True)
    }


def delete_of(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Deletes the images of messages that are erased, apart from those that other messages have too."""
    of_messages = (_p.bank_id == bank_id, columns.among(_p.message_id, sorted(message_ids)))
    image_ids = connection.scalars(select(_p.image_id).where(*of_messages).distinct()).all()
    if not image_ids:
        return
    connection.execute(schema.image_places.delete().where(*of_messages))
    delete_unplaced(connection, image_ids)


def delete_unplaced(connection: Connection, image_ids: Collection[int]) -> int:
    """Deletes those of the images that no message has. Returns how many."""
    where = columns.among(_i.id, sorted(image_ids)) & _is_unplaced()
    dropped = schema.image_trash.c.image_id.in_(select(_i.id).where(where))
    blobs.release(connection, [schema.image_trash.c.content], dropped)
    connection.execute(schema.image_trash.delete().where(dropped))
    blobs.release(connection, [_i.content], where)
    return connection.execute(schema.images.delete().where(where)).rowcount


def _is_unplaced() -> ColumnElement[bool]:
    return ~select(_p.image_id).where(_p.image_id == _i.id).correlate(schema.images).exists()


def unplaced(connection: Connection, bank_id: int) -> list[int]:
    """Returns the ids of images of a bank that no message has."""
    return list(connection.scalars(select(_i.id).where(_i.bank_id == bank_id, _is_unplaced())))


def placed_messages(connection: Connection, bank_id: int) -> list[int]:
    """Returns the ids of the messages of a bank that have images."""
    return list(connection.scalars(select(_p.message_id).where(_p.bank_id == bank_id).distinct()))


def after(connection: Connection, bank_id: int, image_id: int, limit: int) -> list[ImageRow]:
    """Returns up to `limit` images of a bank with higher ids, without those that were dropped."""
    query = select(*_ROW).where(_i.bank_id == bank_id, _i.id > image_id, _i.content.is_not(None))
    return [_row(row) for row in connection.execute(query.order_by(_i.id).limit(limit)).mappings()]


#: Bytes of the images of each bank, in the database or in object storage, with their rows.
SIZES = [
    sum_by_bank(
        _i.bank_id, _i.bytes + func.coalesce(func.length(_i.read_text), 0) + IMAGE_ROW_BYTES, _i.content.is_not(None)
    ),
    sum_by_bank(_p.bank_id, literal(PLACE_ROW_BYTES)),
]
