"""Turns as messages to store."""

from foxing.memory.conversation import Turn
from foxing.memory.ingest.provider_messages import with_images
from foxing.memory.values.base import Fields


def turn_fields(turn: Turn, message_id: str, thread: str | None) -> Fields:
    """Returns a turn as a message to store. An image that cannot be kept becomes a label."""
    return {"id": message_id, "role": turn.role, "content": with_images(turn.parts), "thread": thread}
