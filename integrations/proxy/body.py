"""Bodies of requests: parsed with the place of each message, so that what does not change stays byte for byte."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from foxing.integrations.turns.sent import SentConversation, text_of_user
from foxing.memory import InvalidInput, MemoryFault, UnknownReader
from foxing.memory.conversation import render
from foxing.memory.conversation.changes import settled, without_thinking
from foxing.memory.conversation.event_streams import Json
from foxing.memory.fold.conversation import ConversationItem, parse_item
from foxing.memory.fold.images import image_tokens
from foxing.renderer import Readers
from foxing.renderer.readers.billing import Billing

from .wires import ProviderWire

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*+")
_ENDS = frozenset(",] \t\n\r")
#: Values in a body, estimated by what separates them: a parsed value takes up to 100 bytes, and 50 ns.
MAX_VALUES = 2_000_000
#: Estimates: characters of a token, and tokens of the frame of a message.
CHARS_A_TOKEN, _FRAME_TOKENS = 3.6, 4


@dataclass(frozen=True)
class MessageText:
    """A message of a request, with its exact text."""

    text: str
    value: Json
    wire: ProviderWire
    place: int

    @cached_property
    def item(self) -> ConversationItem:
        """The message as an item of a conversation. Raises `InvalidInput`."""
        return parse_item(self.wire.name, self.place, self.value)

    @cached_property
    def tokens(self) -> float:
        """Estimated tokens, without those of its thinking and of its images. Raises `InvalidInput`."""
        text = self.item.text
        # a character of other scripts is three bytes, and about a token
        size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        return size / CHARS_A_TOKEN + _FRAME_TOKENS


@dataclass(frozen=True)
class RequestBody:
    """A request of a conversation."""

    wire: ProviderWire
    text: str
    #: Members of the body, without the list of messages.
    fields: Mapping[str, Any]
    #: Messages; none if they are given in another form.
    messages: Sequence[MessageText]
    #: Start and end of the list of messages in the text.
    start: int = 0
    end: int = 0

    @property
    def model(self) -> str:
        """Id of the model; empty if there is none."""
        model = self.fields.get("model")
        return model if isinstance(model, str) else ""

    @property
    def image_tokens(self) -> list[int]:
        """Tokens of the images of each message, as the model bills them. Raises `InvalidInput`."""
        billing = _billing_of(self.model)
        return [image_tokens(message.item.images, billing) for message in self.messages]

    @property
    def items(self) -> list[ConversationItem]:
        """The messages as items of a conversation. Raises `InvalidInput`."""
        return [message.item for message in self.messages]

    @cached_property
    def sent(self) -> SentConversation:
        """The conversation that is sent."""
        given = self.fields.get(self.wire.member)
        said = {0: text_of_user(given)} if isinstance(given, str) and given.strip() else {}
        for message in self.messages:
            with suppress(MemoryFault):
                said[message.place] = message.item
        return SentConversation(self.wire.name, self.fields, said)

    def with_messages(
        self,
        messages: Sequence[Mapping[str, Any]],
        fields: Mapping[str, Any],
        texts: Mapping[int, str] = MappingProxyType({}),
    ) -> bytes:
        """Returns the body with other messages; those that are this body's keep their text. `fields`: members to add,
        unless the body has them. `texts`: `id` of a message → its text."""
        known = {id(message.value): message.text for message in self.messages} | dict(texts)
        listed = ",".join(known.get(id(message)) or json_text(message) for message in messages)
        added = "".join(
            f"{json_text(name)}:{json_text(value)}," for name, value in fields.items() if name not in self.fields
        )
        at = self.text.index("{") + 1
        text = f"{self.text[:at]}{added}{self.text[at : self.start]}[{listed}]{self.text[self.end :]}"
        return text.encode()

    def without_thinking(self) -> bytes | None:
        """Returns the body without thinking blocks, and with thinking off where the model would miss those of an open
        tool call; None if there are none, or a message cannot be read."""
        try:
            given = self.items
        except InvalidInput:
            return None
        left = [changed for message in given if (changed := without_thinking(message)) is not None]
        if left == given:
            return None
        left = settled(left)  # a message that had nothing but thinking is gone
        messages = render(self.wire.name, left)
        if not next((message.opens for message in reversed(left) if message.role == "assistant"), ()):
            return self.with_messages(messages, {})
        fields = {**self.fields, "thinking": {"type": "disabled"}, self.wire.member: messages}
        return json_text(fields).encode()


@lru_cache(maxsize=256)
def _billing_of(model: str) -> Billing | None:
    """Returns the formula by which a model bills images; None for a model without a profile."""
    try:
        return _readers()[model].billing
    except UnknownReader:
        return None


@cache
def _readers() -> Readers:
    return Readers()


def json_text(value: Any) -> str:
    """Returns a value as JSON."""
    return json.dumps(value, separators=(",", ":"))  # escaped, so that a lone surrogate stays one


def parse_body(wire: ProviderWire, text: str, before: Sequence[MessageText] = ()) -> RequestBody:
    """Returns the request in a body. `before`: messages of an earlier request of the conversation, which are not parsed
    again where they have not changed. Raises `ValueError` for anything but a JSON object, and for one with more than
    `MAX_VALUES` values."""
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise ValueError("there are too many values")
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("not an object")
    fields: dict[str, Any] = {}
    messages: Sequence[MessageText] = ()
    start = end = 0
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            raise ValueError("not an object")
        at = _skip(text, at + 1)
        if key in fields or (key == wire.member and end):
            raise ValueError(f"{key} is there twice")
        if key == wire.member and text[at : at + 1] == "[":
            start = at
            messages, at = _messages(wire, text, at, before)
            end = at
        else:
            fields[key], at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError("not an object")
    if text[_skip(text, at + 1) :]:
        raise ValueError("something follows the object")
    return RequestBody(wire, text, fields, messages, start, end)


def _messages(wire: ProviderWire, text: str, at: int, before: Sequence[MessageText]) -> tuple[list[MessageText], int]:
    """Returns the messages of a list that begins at `at`, and where it ends."""
    found: list[MessageText] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        place = len(found)
        known = before[place] if place < len(before) else None
        if known is not None and text.startswith(known.text, at) and text[at + len(known.text)] in _ENDS:
            found.append(known)
            at += len(known.text)
        else:
            value, end = _DECODER.raw_decode(text, at)
            if not isinstance(value, dict):
                raise ValueError("a message is not an object")
            found.append(MessageText(text[at:end], value, wire, place))
            at = end
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise ValueError("not a list")
    return found, at + 1


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()
