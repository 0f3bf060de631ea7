"""Turns of a conversation, read from the requests and answers of each wire."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from foxing.integrations.frameworks.provider_answers import Json
from foxing.memory.conversation import FORMATS, INSTRUCTIONS, Wire, parse_message
from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.provider_messages import with_images
from foxing.memory.values.base import Fields

#: Ends of the paths of requests that belong to a conversation.
_PATHS: Mapping[str, Wire] = {
    "/messages": "anthropic",
    "/chat/completions": "openai",
    "/responses": "openai-responses",
}
#: Ends of the paths of requests that count the tokens of a conversation.
_COUNTS: Mapping[str, Wire] = {"/messages/count_tokens": "anthropic", "/responses/input_tokens": "openai-responses"}
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class WireTurn:
    """A message to remember."""

    role: str
    #: Parts of its content, as `Memory.store` takes them.
    parts: tuple[Fields, ...]
    #: Place in the request's list of messages; that of the answer is beyond its end.
    place: int

    @property
    def digest(self) -> bytes:
        """Digest of what was said. Space around a text does not count, since callers strip it."""
        said = [{**part, "text": str(part["text"]).strip()} if part["type"] == "text" else part for part in self.parts]
        content = json.dumps([self.role, said], sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(content.encode(errors="surrogatepass")).digest()[:_DIGEST_BYTES]

    @property
    def text(self) -> str:
        """Text of the turn, without tools."""
        return "\n".join(str(part["text"]) for part in self.parts if part["type"] == "text")

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


def wire_of(path: str) -> tuple[Wire, bool] | None:
    """Returns the wire of a request's path, and whether it only counts tokens. None for other paths."""
    path = path.rstrip("/")
    for ends, counts in ((_COUNTS, True), (_PATHS, False)):
        found = next((wire for end, wire in ends.items() if path.endswith(end)), None)
        if found is not None:
            return found, counts
    return None


def read_request(wire: Wire, value: Json) -> SentConversation | None:
    """Returns the conversation of a request; None if its messages have another form than expected."""
    member = FORMATS[wire].member
    given = value.get(member)
    held_by = _held_by(wire, value)
    if wire == "openai-responses" and isinstance(given, str):
        said = tuple(_turns(wire, {"role": "user", "content": given}, 0))
        return SentConversation(wire, member, said, 0 if said else None, held_by, _conversation(value))
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return None
    turns = tuple(turn for place, item in enumerate(given) for turn in _turns(wire, item, place))
    return SentConversation(wire, member, turns, _asked(given, turns), held_by, _conversation(value))


def _held_by(wire: Wire, value: Json) -> str | None:
    if wire == "anthropic":
        thread = value.get("thread")
        return thread.get("previous_message_id") if isinstance(thread, dict) else None
    if wire == "openai-responses":
        return value.get("previous_response_id") or _conversation(value)
    return None


def _conversation(value: Json) -> str | None:
    conversation = value.get("conversation")
    return conversation.get("id") if isinstance(conversation, dict) else conversation


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
        parts = tuple(part for part in turn.parts if part["type"] != "text" or part["text"].strip())
        if parts:
            yield WireTurn(turn.role, parts, place)
