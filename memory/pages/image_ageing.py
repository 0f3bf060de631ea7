"""Ageing of images: they get smaller with the pages of their messages.

An image is as sharp as the sharpest page with a message that has it, and as it came while one of these messages is
open. What a page's step makes of its images is scaled before the transaction and written within it.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.images.decoding import LEGIBLE_SIDE_PX, scaled
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, image_trash, images, open_messages, pages
from foxing.memory.storage.repositories.image_trash import rank
from foxing.memory.storage.repositories.images import ImageRow
from foxing.memory.values.policy import Policy
from foxing.renderer import all_tiers, tier_rank
from foxing.renderer.tiers import tier_named

from .ready_page import PageChange


@dataclass(frozen=True)
class ScaledImages:
    """Images on changed pages, scaled for the tiers of these pages."""

    #: ids of the images whose sizes may change
    ids: Collection[int] = ()
    #: (image id, stamp, tier) → its file at that tier; None if the policy drops it there
    files: Mapping[tuple[int, int, str], ImageFile | None] = field(default_factory=dict)


class ImageAgeing:
    """Scales the images of messages on pages that change their tier."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self, bank_id: int, changes: Sequence[PageChange]) -> ScaledImages:
        """Returns the images on pages as they are after `changes`."""
        with self._database.read() as connection:
            tiers = _tiers_after(connection, bank_id, changes)
            placed = images.of_messages(connection, bank_id, tiers.keys()) if tiers else []
            if not placed:
                return ScaledImages()
            policy = Policy.parse(banks.by_id(connection, bank_id).policy)
            images_to_scale = {
                (item.image.id, tier): item.image
                for item in placed
                for tier in tiers[item.message_id]
                if rank(item.image.tier) < tier_rank(tier) and policy.images != "keep"
            }
            contents = images.contents(connection, bank_id, {image_id for image_id, _ in images_to_scale})
        files: dict[tuple[int, int, str], ImageFile | None] = {}
        for (image_id, tier), image in images_to_scale.items():
            content = contents.get(image_id)
            if content is None:
                continue
            with suppress(ImageRefused):  # a damaged file stays as it is
                files[image_id, image.stamp, tier] = _at_tier(image, content, policy, tier)
        return ScaledImages({item.image.id for item in placed}, files)

    @staticmethod
    def write(
        connection: Connection, bank_id: int, scaled: ScaledImages, *, purge_at: datetime | None, restores: bool = False
    ) -> None:
        """Writes the images in the transaction in which their pages have been written. One that another page or an open
        message needs sharper stays as it is. `purge_at`: end of the undo window of replaced files; None to delete them.
        `restores`: True to take sharper files out of the trash."""
        for image_id, tier in _needed(connection, bank_id, scaled.ids).items():
            image = images.by_id(connection, image_id)
            if image is None or tier is None:
                continue
            key = (image_id, image.stamp, tier)
            if restores and rank(image.tier) > tier_rank(tier):
                image_trash.restore(connection, image, tier)
            elif key in scaled.files:
                if purge_at is not None:
                    image_trash.drop(connection, image, purge_at)
                images.replace(connection, bank_id, image_id, tier, scaled.files[key])


def _tiers_after(connection: Connection, bank_id: int, changes: Sequence[PageChange]) -> dict[int, set[str]]:
    """Returns message id → tiers of the changed pages that hold it, for a bank with images."""
    if not changes or not images.has_any(connection, bank_id):
        return {}
    stay = [change.page.id for change in changes if change.before is not None and change.after[:1]]
    spans = pages.spans_of_pages(connection, stay)
    tiers: dict[int, set[str]] = {}
    for change in changes:
        for page in change.after:
            spans_on_it = page.parts.spans if page.parts is not None else spans.get(page.row.id, [])
            for span in spans_on_it:
                tiers.setdefault(span.message_id, set()).add(page.row.tier)
    return tiers


def _at_tier(image: ImageRow, content: bytes, policy: Policy, tier: str) -> ImageFile | None:
    """Returns the file of an image at a tier; None if the policy drops it there. It is no larger than at any sharper
    tier: where it would be, as the blurred type of a screenshot can be, it is the file of that tier."""
    if not policy.keeps_images(tier):
        return None
    file = ImageFile(content, image.size.media_type, image.size.width_px, image.size.height_px)
    between = [name for name in all_tiers() if rank(image.tier) < tier_rank(name) <= tier_rank(tier)]
    sizes = dict.fromkeys(_image_size(policy, name) for name in sorted(between, key=tier_rank))
    files = [
        file if side_px is None else scaled(file, side_px, as_it_came=as_it_came, legible=legible)
        for side_px, as_it_came, legible in sizes
    ]
    return min(files, key=lambda file: len(file.content))


def _image_size(policy: Policy, tier: str) -> tuple[int | None, bool, bool]:
    """Returns how images are scaled for a tier: maximum side in px, `as_it_came` and `legible`, see `scaled`."""
    # a policy with a shorter side wants small images
    legible = tier_named(tier).legible_images and policy.image_side_px >= LEGIBLE_SIDE_PX
    return policy.image_side(tier), not policy.encodes_images(tier), legible


def _needed(connection: Connection, bank_id: int, image_ids: Collection[int]) -> dict[int, str | None]:
    """Returns image id → tier of the sharpest page with a message that has it; None while such a message is open."""
    of_image = images.messages_of(connection, bank_id, image_ids) if image_ids else {}
    ids = {message_id for ids_of_image in of_image.values() for message_id in ids_of_image}
    still_open = ids - open_messages.missing(connection, ids)
    spans = pages.spans_of_messages(connection, bank_id, ids - still_open)
    rows = pages.by_ids(connection, sorted({span.page_id for ids_of_image in spans.values() for span in ids_of_image}))
    needed: dict[int, str | None] = {}
    for image_id, ids_of_image in of_image.items():
        tiers = {rows[span.page_id].tier for message_id in ids_of_image for span in spans.get(message_id, ())}
        if tiers or not still_open.isdisjoint(ids_of_image):
            needed[image_id] = None if not still_open.isdisjoint(ids_of_image) else min(tiers, key=tier_rank)
    return needed
