"""Checks of blobs in object storage: all are there, their numbers of uses are right, and nothing else is stored."""

from collections.abc import Iterator
from functools import partial

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories.blobs import contents, erasure, uses
from foxing.memory.storage.repositories.blobs.uses import BlobUse

from .finding import RESTORE, Finding, in_one


def check_blobs(database: Database) -> Iterator[tuple[int, list[Finding]]]:
    """Finds blobs that are missing or have a wrong number of uses. Yields the number of blobs checked, and the
    problems."""
    with database.read() as connection:
        references = uses.all_uses(connection)
        folder = erasure.blob_folder_if_any(connection)
        store = contents.store_of(connection) if references else None
    if store is None or folder is None:
        yield 1, []
        return
    sizes = {item.path: item.size for item in store.objects(folder)}
    wrong = [
        use
        for use in references
        if use.counted and sizes.get(contents.path_of(folder, use.reference)) != use.reference.size
    ]
    yield len(references), [*_miscounted(database, references), *_missing(database, folder, wrong)]


def _miscounted(database: Database, references: list[BlobUse]) -> Iterator[Finding]:
    for use in references:
        if use.recorded != use.counted:
            what = f"blob {use.reference.name} is used {use.counted} times, and says {use.recorded}"
            yield Finding(what, in_one(database, partial(uses.recount, name=use.reference.name)))


def _missing(database: Database, folder: str, suspected: list[BlobUse]) -> Iterator[Finding]:
    """Finds missing blobs among those that are still used; others were deleted since they were counted."""
    if not suspected:
        return
    with database.read() as connection:
        used = {use.reference.name for use in uses.all_uses(connection) if use.counted}
        store = contents.store_of(connection)
    names = {use.reference.name: contents.path_of(folder, use.reference) for use in suspected}
    stored_contents = store.get(list(names.values()))
    for use in suspected:
        content = stored_contents.get(names[use.reference.name])
        if use.reference.name not in used or (content is not None and len(content) == use.reference.size):
            continue
        state = "is missing" if content is None else f"has {len(content)} bytes in place of {use.reference.size}"
        yield Finding(f"blob {use.reference.name} of {use.user} {state} in {store.url}; {RESTORE}")


def check_orphans(database: Database) -> Iterator[Finding]:
    """Finds objects in the storage that nothing refers to, from uploads that were not committed."""
    if database.blobs is None:
        return
    for path in erasure.find_orphans(database):
        yield Finding(f"object {path} belongs to no blob", partial(erasure.sweep, database, [path]))
