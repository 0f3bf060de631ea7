"""Conversations in the request formats of providers: what each item says, which tool calls it opens or answers, and
whether it must stay."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, cast

from pydantic import JsonValue

from foxing.memory.conversation import (
    FORMATS,
    INSTRUCTIONS,
    Fields,
    ProviderMessage,
    SessionTurns,
    Turn,
    Wire,
    parse_message,
)
from foxing.memory.conversation.calls import closed_after
from foxing.memory.conversation.changes import marked_blocks, normal_json, with_breakpoint
from foxing.memory.conversation.hosts import is_summary
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import Part, TextPart, ToolCall, ToolResult

from .images import GivenImage, read_images
from .plan import ItemCost

Json = dict[str, JsonValue]

DIGEST_BYTES = 16
#: Why a conversation whose model binds its thinking is not folded, and what to do.
BOUND_LOOP = (
    "the model binds its thinking to it, so that a loop of tools cannot be folded until the user speaks: interrupt the "
    "agent with a word, let it compact, or turn its thinking off"
)
#: Number of last items, and characters of each, that say what the latest turn is about.
LATEST_ITEMS = 4
LATEST_CHARS = 2_000
_KINDS: Mapping[str, type[TextPart | ToolCall | ToolResult]] = {
    "text": TextPart,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
}
_LONG_TEXT = 4_096


class ConversationItem(ProviderMessage):
    """A message of a conversation, or an item of one of the Responses API, with what a fold asks of it."""

    @property
    def images(self) -> list[GivenImage]:
        """Images in it, neither decoded nor checked."""
        return self._read[1]

    @property
    def is_instruction(self) -> bool:
        """True for an instruction, which stays as it is."""
        return self.role in INSTRUCTIONS

    @property
    def is_question(self) -> bool:
        """True if the user speaks, and does not only answer tool calls."""
        return self.role == "user" and not self.answers

    @cached_property
    def digest(self) -> bytes:
        """Digest of the item without cache marks, `DIGEST_BYTES` bytes."""
        raw = _without_data(self.raw) if self.images else self.raw
        return blake2b(normal_json(raw).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()

    @cached_property
    def is_marked(self) -> bool:
        """True if it has a cache mark."""
        return any(marked_blocks(self))

    @cached_property
    def text(self) -> str:
        """Text of the item, without thinking, a label for each image."""
        parts = self._read[0]
        return NewMessage(role=cast(Any, self.role), content=parts).text if parts else ""

    @cached_property
    def _read(self) -> tuple[tuple[Part, ...], list[GivenImage]]:
        return _parts(self.parts)


def parts_of(turn: Turn) -> tuple[Part, ...]:
    """Returns the parts of a turn, its images neither decoded nor checked."""
    return _parts(turn.parts)[0]


def message_of(turn: Turn, message_id: str, thread: str) -> NewMessage:
    """Returns a turn as a message to store, its images read."""
    content = read_images(parts_of(turn))
    return NewMessage(id=message_id, role=cast(Any, turn.role), content=content, thread=thread, trust=turn.trust)


def _parts(read: Sequence[Fields]) -> tuple[tuple[Part, ...], list[GivenImage]]:
    parts = list[Part]()
    images = list[GivenImage]()
    for fields in read:
        if fields["type"] == "image":
            images.append(GivenImage.of(fields))
            parts.append(images[-1].part)
        else:
            parts.append(_KINDS[fields["type"]](**fields))
    return tuple(parts), images


@dataclass(frozen=True)
class Conversation:
    """A conversation, and where it may be cut."""

    wire: Wire
    items: Sequence[ConversationItem]
    #: Number of leading items that stay as they are: instructions, and what ends with a compaction.
    start: int
    #: For each item: whether no tool call is open after it, and the next item may be separated from it.
    closed: Sequence[bool]

    @property
    def answers_tools(self) -> bool:
        """True if the last items answer tool calls of the latest assistant turn, or leave them open."""
        if not self.items:
            return False
        for item in reversed(self.items):
            if item.role == "assistant":
                return bool(item.opens)
        return False

    @property
    def thinks_on(self) -> bool:
        """True if tool calls of a turn that has thinking are answered: the model goes on thinking after them."""
        return self.answers_tools and any(item.thinks for item in self.items[self.latest_turn :])

    @cached_property
    def latest_turn(self) -> int:
        """Index of the first item of the latest run of assistant items; the number of items if there is none."""
        at = max((n for n, item in enumerate(self.items) if item.role == "assistant"), default=len(self.items))
        while 0 < at < len(self.items) and self.items[at - 1].role == "assistant":
            at -= 1
        return at

    @property
    def begins_marked(self) -> bool:
        """True if what stays before the folded part ends with a cache mark, so that the cache holds it whatever
        follows."""
        return self.start > 0 and self.items[self.start - 1].is_marked

    @cached_property
    def calls(self) -> Sequence[int]:
        """Indices of the items that begin a call of the model: the first of each run of assistant items."""
        is_model = [item.role == "assistant" for item in self.items]
        return [number for number, own in enumerate(is_model) if own and not (number and is_model[number - 1])]

    def costs(self, tokens: Sequence[float], *, binds: bool) -> list[ItemCost]:
        """Returns the items for a plan. `tokens`: those of each item; `binds`: whether the model binds its thinking, so
        that nothing can be folded while its calls are answered."""
        bound = binds and any(item.thinks for item in self.items)
        calls = set(self.calls)
        latest = {item.digest: number for number, item in enumerate(self.items) if item.is_instruction}
        return [
            ItemCost(
                int(size),
                call=number in calls,
                closed=closed,
                chance=closed and item.role != "assistant" and not (bound and item.answers),
                stays=item.is_instruction and latest[item.digest] == number,
            )
            for number, (item, size, closed) in enumerate(zip(self.items, tokens, self.closed, strict=True))
        ]

    def with_breakpoint(self) -> "Conversation | None":
        """Returns the conversation of one of OpenAI's APIs with an explicit breakpoint of the cache before the folded
        part; None if nothing stays there, or if the client has marks of its own."""
        last = self.start - 1
        if last < 0 or any(item.is_marked for item in self.items):
            return None
        marked = with_breakpoint(self.items[last], FORMATS[self.wire].text)
        if marked is None:
            return None
        return replace(self, items=[*self.items[:last], marked, *self.items[last + 1 :]])

    @property
    def latest_words(self) -> str:
        """Text of what the user said last and of the latest messages: what the latest turn is about."""
        last = max((n for n, item in enumerate(self.items) if item.is_question), default=0)
        latest = [self.items[last], *self.items[-LATEST_ITEMS:]] if self.items else []
        return "\n".join(item.text[:LATEST_CHARS] for item in latest)

    @property
    def first_question(self) -> bytes:
        """Digest of the first user message, which tells the conversations of sub-agents apart."""
        return next((item.digest for item in self.items if item.role == "user"), b"")

    def prefix_digest(self, count: int) -> bytes:
        """Returns the digest of the first `count` items, `DIGEST_BYTES` bytes."""
        return blake2b(b"".join(item.digest for item in self.items[:count]), digest_size=DIGEST_BYTES).digest()


def parse_conversation(wire: Wire, messages: Sequence[Json]) -> Conversation:
    """Returns the conversation. Raises `InvalidInput` as `parse_item` and `make_conversation` do."""
    return make_conversation(wire, [parse_item(wire, number, message) for number, message in enumerate(messages)])


def parse_item(wire: Wire, number: int, message: Json) -> ConversationItem:
    """Returns a message of a conversation. `number`: its index, for errors. Raises `InvalidInput` for one without a
    role or content."""
    return ConversationItem(**vars(parse_message(wire, message, number)))


def make_conversation(wire: Wire, items: Sequence[ConversationItem]) -> Conversation:
    """Returns the conversation of parsed items. Raises `InvalidInput` for a tool call without an answer, except the
    last, or an answer without a call."""
    start = next((n for n, item in enumerate(items) if not item.is_instruction), len(items))
    start = max([start, *(n + 1 for n, item in enumerate(items) if item.compacts or is_summary(item.text))])
    return Conversation(wire, items, start, closed_after(wire, items))


def thread_key(session: str, wire: Wire, first_question: bytes) -> bytes:
    """Returns what tells a conversation from others of its session, `DIGEST_BYTES` bytes. `first_question`: see
    `Conversation`."""
    named = json.dumps([session, wire, first_question.hex()])
    return blake2b(named.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def stored_turns(session: str, items: Sequence[ConversationItem]) -> list[list[tuple[Turn, str]]]:
    """Returns what is stored of each item of a conversation, with its ids."""
    turns = SessionTurns(session)
    return [turns.read(item) for item in items]


def _digest_of(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def _without_data(value: Any) -> Any:
    """Returns a value with digests in place of long texts, such as the data of images, which are costly to write as
    JSON."""
    if isinstance(value, dict):
        return {key: _without_data(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_data(inner) for inner in value]
    return _digest_of(value) if isinstance(value, str) and len(value) > _LONG_TEXT else value
