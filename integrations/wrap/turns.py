"""Turns of a conversation, read from the requests and answers of each wire."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from foxing.integrations.frameworks import message_parts
from foxing.integrations.frameworks.provider_answers import Json, WireName
from foxing.memory.values.base import Fields

#: Ends of the paths of requests that belong to a conversation.
_PATHS: Mapping[str, WireName] = {
    "/messages": "messages",
    "/chat/completions": "chat_completions",
    "/responses": "responses",
}
#: Ends of the paths of requests that count the tokens of a conversation.
_COUNTS: Mapping[str, WireName] = {"/messages/count_tokens": "messages", "/responses/input_tokens": "responses"}
_DIGEST_BYTES = 16
_INSTRUCTIONS = ("system", "developer")


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
        return {"role": self.role, "content": [dict(part) for part in self.parts]}


@dataclass(frozen=True)
class SentConversation:
    """The conversation in a request."""

    wire: WireName
    #: Name of the member with the messages.
    member: str
    turns: tuple[WireTurn, ...]
    #: Place of the user's turn that is to be answered; None within an exchange with a tool.
    asked: int | None
    #: Response, message or conversation under which the service holds the earlier turns.
    held_by: str | None
    #: Conversation under which the service holds these turns as well.
    kept_as: str | None = None


def wire_of(path: str) -> tuple[WireName, bool] | None:
    """Returns the wire of a request's path, and whether it only counts tokens. None for other paths."""
    path = path.rstrip("/")
    for ends, counts in ((_COUNTS, True), (_PATHS, False)):
        found = next((wire for end, wire in ends.items() if path.endswith(end)), None)
        if found is not None:
            return found, counts
    return None


def read_request(wire: WireName, value: Json) -> SentConversation | None:
    """Returns the conversation of a request; None if its messages have another form than expected."""
    member = "input" if wire == "responses" else "messages"
    given = value.get(member)
    held_by = _held_by(wire, value)
    if wire == "responses" and isinstance(given, str):
        turn = WireTurn("user", tuple(message_parts.text(given)), 0)
        said = (turn,) if turn.parts else ()
        return SentConversation(wire, member, said, 0 if said else None, held_by, _conversation(value))
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return None
    turns = tuple(turn for place, item in enumerate(given) for turn in _READERS[wire](item, place))
    return SentConversation(wire, member, turns, _asked(given, turns), held_by, _conversation(value))


def _held_by(wire: WireName, value: Json) -> str | None:
    if wire == "messages":
        thread = value.get("thread")
        return thread.get("previous_message_id") if isinstance(thread, dict) else None
    if wire == "responses":
        return value.get("previous_response_id") or _conversation(value)
    return None


def _conversation(value: Json) -> str | None:
    conversation = value.get("conversation")
    return conversation.get("id") if isinstance(conversation, dict) else conversation


def _asked(items: Sequence[Json], turns: Sequence[WireTurn]) -> int | None:
    """Place of the last message, leaving out instructions, if it is one of the user alone."""
    place = next((at for at in range(len(items) - 1, -1, -1) if items[at].get("role") not in _INSTRUCTIONS), None)
    if place is None or items[place].get("role") != "user":
        return None
    said = [turn for turn in turns if turn.place == place]
    return place if [turn.role for turn in said] == ["user"] and said[0].text.strip() else None


def read_answer(wire: WireName, value: Json, place: int) -> Iterator[WireTurn]:
    """Yields the turns of an answer."""
    if wire == "messages":
        yield from _message_turns(value, place)
    elif wire == "chat_completions":
        choices = value.get("choices") or [{}]
        yield from _chat_turns(choices[0].get("message") or {}, place)
    else:
        for item in value.get("output") or ():
            yield from _item_turns(item, place)


def _message_turns(message: Json, place: int) -> Iterator[WireTurn]:
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant"):
        return
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    results = [block for block in blocks if block.get("type") == "tool_result"]
    for result in results:
        content = _texts(result.get("content"))
        parts = message_parts.tool_result(result.get("tool_use_id"), content, failed=bool(result.get("is_error")))
        yield from _turn("tool", parts, place)
    parts = message_parts.text(("" if role == "assistant" else "\n").join(texts))
    for block in blocks:
        if block.get("type") == "tool_use":
            parts += message_parts.tool_call(block.get("id"), block.get("name"), block.get("input"))
    yield from _turn(str(role), parts, place)


def _chat_turns(message: Json, place: int) -> Iterator[WireTurn]:
    role = message.get("role")
    if role == "tool":
        parts = message_parts.tool_result(message.get("tool_call_id"), _texts(message.get("content")))
        yield from _turn("tool", parts, place)
    elif role in ("user", "assistant"):
        parts = message_parts.text(_texts(message.get("content")))
        for call in message.get("tool_calls") or ():
            function = call.get("function") or call.get("custom") or {}
            given = function.get("arguments", function.get("input"))
            parts += message_parts.tool_call(call.get("id"), function.get("name"), given)
        yield from _turn(str(role), parts, place)


def _item_turns(item: Json, place: int) -> Iterator[WireTurn]:
    kind, role = item.get("type"), item.get("role")
    if kind in ("function_call", "custom_tool_call"):
        given = item.get("arguments", item.get("input"))
        yield from _turn("assistant", message_parts.tool_call(item.get("call_id"), item.get("name"), given), place)
    elif kind in ("function_call_output", "custom_tool_call_output"):
        yield from _turn("tool", message_parts.tool_result(item.get("call_id"), _texts(item.get("output"))), place)
    elif kind in (None, "message") and role in ("user", "assistant"):
        yield from _turn(str(role), message_parts.text(_texts(item.get("content"))), place)


def _turn(role: str, parts: Sequence[Fields], place: int) -> Iterator[WireTurn]:
    if parts:
        yield WireTurn(role, tuple(parts), place)


def _texts(content: object) -> str:
    return message_parts.texts(content)


_READERS: Mapping[WireName, Callable[[Json, int], Iterator[WireTurn]]] = {
    "messages": _message_turns,
    "chat_completions": _chat_turns,
    "responses": _item_turns,
}
