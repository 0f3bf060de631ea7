"""Checks of images in messages: each belongs to a message, and its file can be decoded."""

from collections.abc import Iterator, Sequence
from functools import partial

from foxing.memory.images.decoding import opened
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import images
from foxing.memory.storage.repositories.images import ImageRow

from .finding import RESTORE, Finding, in_bank
from .survey import BankSurvey

_AT_ONCE = 16


def check_images(database: Database, survey: BankSurvey) -> Iterator[tuple[int, list[Finding]]]:
    """Finds images that no message has, places of messages that do not exist, and files that are missing or damaged.
    Yields the number of rows checked, and the problems."""
    with database.read() as connection:
        placed = images.placed_messages(connection, survey.bank_id)
        missing = survey.missing(connection, placed)
        unplaced = images.unplaced(connection, survey.bank_id)
    yield 1, [*_lost(database, survey, missing), *_unused(database, survey, unplaced)]
    after = 0
    while True:
        with database.read() as connection:
            rows = images.after(connection, survey.bank_id, after, _AT_ONCE)
            contents = images.contents(connection, survey.bank_id, [row.id for row in rows])
        if not rows:
            return
        after = rows[-1].id
        faults = ((row, _fault(row, contents[row.id])) for row in rows if row.id in contents)
        where = f"of bank {survey.bank}"
        yield len(rows), [Finding(f"image {row.id} {where} {fault}; {RESTORE}") for row, fault in faults if fault]


def _lost(database: Database, survey: BankSurvey, missing: Sequence[int]) -> Iterator[Finding]:
    if missing:
        delete = partial(images.delete_of, bank_id=survey.bank_id, message_ids=missing)
        what = f"{len(missing)} messages with images of bank {survey.bank} do not exist"
        yield Finding(what, in_bank(database, survey.bank_id, delete))


def _unused(database: Database, survey: BankSurvey, unplaced: Sequence[int]) -> Iterator[Finding]:
    if unplaced:
        delete = partial(images.delete_unplaced, image_ids=unplaced)
        what = f"{len(unplaced)} images of bank {survey.bank} belong to no message"
        yield Finding(what, in_bank(database, survey.bank_id, delete))


def _fault(row: ImageRow, content: bytes | None) -> str | None:
    """Returns what is wrong with the file of an image; None if nothing is."""
    if content is None:
        return "is missing"
    try:
        file = ImageFile.read(content, stored=True)
        opened(file)
    except ImageRefused as error:
        return f"is damaged ({error})"
    if (file.width_px, file.height_px, len(content)) != (row.size.width_px, row.size.height_px, row.size.bytes):
        return "has another size than recorded"
    return None
