"""Turns of a conversation, read from the requests and answers of each wire."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foxing.integrations.frameworks.provider_answers import Json
from foxing.memory.conversation import FORMATS, INSTRUCTIONS, Turn, Wire, parse_message
from foxing.memory.conversation.requests import conversation_id, held_by
from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.provider_messages import with_images
from foxing.memory.values.base import Fields


@dataclass(frozen=True)
class WireTurn(Turn):
    """A turn to remember."""

    #: Place in the request's list of messages; that of the answer is beyond its end.
    place: int = 0

    @property
    def message(self) -> Fields:
        """The turn as a message of the memory."""
        return {"role": self.role, "content": with_images(self.parts)}


@dataclass(frozen=True)
class SentConversation:
    """The conversation in a request."""

    wire: Wire
    #: Name of the member with the messages.
    member: str
    turns: tuple[WireTurn, ...]
    #: Place of the user's turn that is to be answered; None within an exchange with a tool.
    asked: int | None
    #: Response, message or conversation under which the service holds the earlier turns.
    held_by: str | None
    #: Conversation under which the service holds these turns as well.
    kept_as: str | None = None


def read_request(wire: Wire, value: Json) -> SentConversation | None:
    """Returns the conversation of a request; None if its messages have another form than expected."""
    member = FORMATS[wire].member
    given = value.get(member)
    held, kept_as = held_by(wire, value), conversation_id(value)
    if wire == "openai-responses" and isinstance(given, str):
        said = tuple(_turns(wire, {"role": "user", "content": given}, 0))
        return SentConversation(wire, member, said, 0 if said else None, held, kept_as)
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return None
    turns = tuple(turn for place, item in enumerate(given) for turn in _turns(wire, item, place))
    return SentConversation(wire, member, turns, _asked(given, turns), held, kept_as)


def _asked(items: Sequence[Json], turns: Sequence[WireTurn]) -> int | None:
    """Place of the last message, leaving out instructions, if it is one of the user alone."""
    place = next((at for at in range(len(items) - 1, -1, -1) if items[at].get("role") not in INSTRUCTIONS), None)
    if place is None or items[place].get("role") != "user":
        return None
    said = [turn for turn in turns if turn.place == place]
    return place if [turn.role for turn in said] == ["user"] and said[0].text.strip() else None


def read_answer(wire: Wire, value: Json, place: int) -> Iterator[WireTurn]:
    """Yields the turns of an answer."""
    if wire == "anthropic":
        yield from _turns(wire, value, place)
    elif wire == "openai":
        choices = value.get("choices") or [{}]
        yield from _turns(wire, {"role": "assistant", **(choices[0].get("message") or {})}, place)
    else:
        for item in value.get("output") or ():
            yield from _turns(wire, item, place)


def _turns(wire: Wire, item: Json, place: int) -> Iterator[WireTurn]:
    """Yields what is remembered of a message: no instructions, and nothing of one of an unknown form."""
    try:
        message = parse_message(wire, item, place)
    except InvalidInput:
        return
    if message.role in INSTRUCTIONS:
        return
    for turn in message.turns:
        yield WireTurn(turn.role, turn.parts, turn.name, place)
