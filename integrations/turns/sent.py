"""Conversations in requests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from foxing.memory import FORMATS, InvalidInput, ProviderMessage, Turn, Wire, parse_message
from foxing.memory.conversation import INSTRUCTIONS, Json, read_blocks, whole_items


@dataclass(frozen=True)
class SentConversation:
    """The conversation in a request."""

    wire: Wire
    #: Members of the request.
    fields: Mapping[str, Any]
    #: Its messages by their place; those of an unknown form are left out.
    messages: Mapping[int, ProviderMessage]

    @property
    def turns(self) -> Iterator[Turn]:
        """Turns of the messages, without instructions."""
        return (
            turn for message in self.messages.values() if message.role not in INSTRUCTIONS for turn in message.turns
        )

    @property
    def instructions(self) -> Iterator[str]:
        """Texts of its instructions."""
        form = FORMATS[self.wire]
        values = [self.fields.get(form.instructions)]
        values += [message.content for message in self.messages.values() if message.role in INSTRUCTIONS]
        for content in values:
            if isinstance(content, Mapping):  # that of Gemini is a message
                content = content.get(form.content)
            yield from (str(part["text"]) for part in read_blocks(content).parts if part["type"] == "text")


def read_request(wire: Wire, fields: Mapping[str, Any]) -> SentConversation | None:
    """Returns the conversation in the JSON of a request; None if its messages have another form than expected."""
    items = fields.get(FORMATS[wire].member)
    if isinstance(items, str):
        return SentConversation(wire, fields, {0: text_of_user(items)} if items.strip() else {})
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return SentConversation(wire, fields, dict(_readable(wire, items)))


def read_messages(wire: Wire, items: Sequence[Json]) -> list[ProviderMessage]:
    """Returns messages as they are read, without those of an unknown form."""
    return [message for _, message in _readable(wire, items)]


def text_of_user(text: str) -> ProviderMessage:
    """Returns the message of a request that is a text."""
    return parse_message("openai-responses", {"type": "message", "role": "user", "content": text})


def _readable(wire: Wire, items: Iterable[Json]) -> Iterator[tuple[int, ProviderMessage]]:
    for place, item in whole_items(wire, items):
        with suppress(InvalidInput):
            yield place, parse_message(wire, item, place)
