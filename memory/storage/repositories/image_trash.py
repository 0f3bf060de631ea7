"""Trash of images: files dropped by ageing, kept until the undo window has passed."""

import math
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from foxing.memory.images.files import ImageFile
from foxing.memory.storage import columns, schema
from foxing.renderer.tiers import tier_rank

from . import images, schedule
from .batches import sum_by_bank
from .blobs import contents as blobs
from .images import ImageRow

_c = schema.image_trash.c


def rank(tier: str | None) -> float:
    """Returns the rank of the tier of an image, ascending from the sharpest. An image as it came has the first."""
    return -math.inf if tier is None else tier_rank(tier)


def drop(connection: Connection, image: ImageRow, purge_at: datetime) -> None:
    """Copies the file of an image that is about to be replaced. Does nothing for one that was dropped before."""
    content = images.contents(connection, image.bank_id, [image.id]).get(image.id)
    if content is None:
        return
    values = {
        "bank_id": image.bank_id,
        "image_id": image.id,
        "tier": image.tier,
        "media_type": image.size.media_type,
        "width": image.size.width_px,
        "height": image.size.height_px,
        "bytes": image.size.bytes,
        "content": blobs.put(connection, image.bank_id, [content])[0],
        "purge_at": purge_at,
    }
    connection.execute(schema.image_trash.insert().values(values))
    schedule.bring_forward(connection, image.bank_id, "purge", purge_at)


def restore(connection: Connection, image: ImageRow, tier: str) -> bool:
    """Restores the file that an image had at `tier`, or at the next sharper one that is left, and deletes what the
    trash has of it from there on. Returns False if nothing is left."""
    query = select(_c.id, _c.tier, _c.media_type, _c.width, _c.height, _c.content).where(_c.image_id == image.id)
    sharp = [row for row in connection.execute(query.order_by(_c.id)) if rank(row.tier) <= tier_rank(tier)]
    if not sharp:
        return False
    chosen = max(sharp, key=lambda row: rank(row.tier))
    [content] = blobs.get(connection, [(image.bank_id, chosen.content)])
    assert content is not None
    file = ImageFile(content, chosen.media_type, chosen.width, chosen.height)
    images.replace(connection, image.bank_id, image.id, chosen.tier, file)
    rows = connection.execute(select(_c.id, _c.tier).where(_c.image_id == image.id)).all()
    _delete(connection, columns.among(_c.id, [row.id for row in rows if rank(row.tier) >= rank(chosen.tier)]))
    return True


def purge(connection: Connection, bank_id: int, now: datetime) -> None:
    """Deletes the files of a bank whose undo window has passed."""
    _delete(connection, (_c.bank_id == bank_id) & (_c.purge_at <= now))
    images.forget_dropped(connection, bank_id)


def next_purge(connection: Connection, bank_id: int) -> datetime | None:
    """Returns the end of the first undo window of a bank; None if there are no files."""
    time: datetime | None = connection.execute(select(func.min(_c.purge_at)).where(_c.bank_id == bank_id)).scalar_one()
    return time


#: Bytes of the files of each bank, in the database or in object storage.
SIZES = [sum_by_bank(_c.bank_id, _c.bytes)]


def _delete(connection: Connection, where: ColumnElement[bool]) -> None:
    blobs.release(connection, [_c.content], where)
    connection.execute(schema.image_trash.delete().where(where))
