"""Conversion of the items of a run to messages to remember."""

from collections.abc import Mapping

from foxing.integrations.frameworks.turns import message_fields
from foxing.memory import Fields, InvalidInput, parse_message


def message_of(item: Mapping[str, object]) -> Fields | None:
    """Returns the message of an item; None for one that says nothing, such as reasoning, or has no role."""
    try:
        return message_fields(parse_message("openai-responses", item))
    except InvalidInput:
        return None
