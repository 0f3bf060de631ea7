"""Conversion of the items of a run to messages to remember."""

from collections.abc import Mapping

from foxing.integrations.frameworks.turns import message_fields
from foxing.memory.conversation import parse_message
from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import Fields


def message_of(item: Mapping[str, object]) -> Fields | None:
    """Returns the message of an item; None for one that says nothing, such as reasoning, or has no role."""
    try:
        return message_fields(parse_message("openai-responses", item))
    except InvalidInput:
        return None
