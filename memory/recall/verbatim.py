"""Selection of the messages that are kept exactly."""

from collections.abc import Iterable

from sqlalchemy import Connection

from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.messages import Message


def exact_ids(connection: Connection, bank_id: int, found: Iterable[Message]) -> set[int]:
    """Returns the ids of the messages whose exact text is kept."""
    given = list(found)
    kept = pages.kept_exactly(connection, bank_id, [message.id for message in given])
    return {message.id for message in given if message.open or message.id in kept}
