"""The conversation to send: the folded message in its place, thinking removed, and cache marks moved."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from .conversation import MARKS, THINKING, Conversation, ConversationItem, Json, cache_marks, without_marks

#: Bytes of the digest of a kept item.
SHORT_DIGEST = 8


def kept_digests(items: Sequence[ConversationItem]) -> bytes:
    """Returns the digests of kept items whose thinking is removed, joined."""
    return b"".join(item.digest[:SHORT_DIGEST] for item in items)


def stripped_until(items: Sequence[ConversationItem], first: int, digests: bytes) -> int:
    """Returns the index of the first item from `first` on whose thinking stays. `digests`: see `kept_digests`."""
    for place in range(0, len(digests), SHORT_DIGEST):
        number = first + place // SHORT_DIGEST
        if number >= len(items) or items[number].digest[:SHORT_DIGEST] != digests[place : place + SHORT_DIGEST]:
            return number
    return first + len(digests) // SHORT_DIGEST


def folded_conversation(
    conversation: Conversation, blocks: Sequence[Json], first: int, stripped: int
) -> list[dict[str, JsonValue]]:
    """Returns the conversation with one user message of `blocks` in place of the items from `conversation.start` up to
    `first`. Instructions among them stay: after it, or where the Messages API takes them, see `settled`. Thinking is
    removed from the kept items before `stripped`."""
    items, start = conversation.items, conversation.start
    settles = conversation.wire == "anthropic"
    gone = [item.raw for item in items[start:first] if item.is_marked and (settles or not item.is_instruction)]
    instructions = [items[number].raw for number in kept_instructions(conversation, first)]
    kept: list[Json] = []
    marked: list[int] = []
    for number in range(first, len(items)):
        message = items[number].raw if number >= stripped else without_thinking(items[number])
        if message is not None:
            if items[number].is_marked:
                marked.append(len(kept))
            kept.append(message)
    mark, kept = _mark_for_fold(gone, kept, marked)
    content = [dict(block) for block in blocks]
    if mark is not None:
        content[-1] |= mark
    folded: dict[str, Any] = {"role": "user", "content": content}
    if conversation.wire == "openai-responses":
        folded = {"type": "message", **folded}
    if settles:
        instructions = [without_marks(message) if any(cache_marks(message)) else message for message in instructions]
        kept = settled([folded, *instructions, *kept])[1:]
        instructions = []
    return [*(item.raw for item in items[:start]), folded, *instructions, *kept]


def kept_instructions(conversation: Conversation, first: int) -> list[int]:
    """Returns the indices of the instructions that stay of the items from `conversation.start` up to `first`: all, but
    of the Messages API, which takes them only as one message, none that says the same as a later one."""
    found = [n for n in range(conversation.start, first) if conversation.items[n].is_instruction]
    if conversation.wire != "anthropic":
        return found
    last = {conversation.items[number].digest: number for number in found}
    return [number for number in found if last[conversation.items[number].digest] == number]


def settled(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Returns messages of the Messages API with those of the role system where it takes them: directly after a message
    of the user, or of the assistant that ends in the result of a server tool, and directly before one of the assistant
    or at the end. One that stands elsewhere is joined to the next that may stand; what stands well stays the same
    object."""
    found: list[Mapping[str, Any]] = []
    waiting: list[Mapping[str, Any]] = []
    for message in messages:
        if message.get("role") == "system":
            waiting.append(message)
            continue
        if waiting and message.get("role") == "assistant" and found and _takes_system_after(found[-1]):
            found.append(_joined(waiting))
            waiting = []
        found.append(message)
    return [*found, _joined(waiting)] if waiting else found


def _takes_system_after(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    last = content[-1] if isinstance(content, list) and content else None
    ends = str(last.get("type")) if isinstance(last, dict) else ""
    return message.get("role") == "user" or (message.get("role") == "assistant" and ends.endswith("_tool_result"))


def _joined(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Returns several messages of a role as one."""
    if len(messages) == 1:
        return messages[0]
    content: list[JsonValue] = []
    for message in messages:
        said = message.get("content")
        content += said if isinstance(said, list) else [{"type": "text", "text": said}] if said else []
    return {**{key: value for message in messages for key, value in message.items()}, "content": content}


def without_thinking(item: ConversationItem) -> Json | None:
    """Returns a message without thinking blocks; None if nothing else is in it."""
    content = item.raw.get("content")
    if not item.thinks or not isinstance(content, list):
        return item.raw
    left = [block for block in content if not (isinstance(block, dict) and block.get("type") in THINKING)]
    return {**item.raw, "content": left} if left else None


def _mark_for_fold(gone: Sequence[Json], kept: list[Json], marked: Sequence[int]) -> tuple[Json | None, list[Json]]:
    """Returns the cache mark for the end of the folded part, and the kept messages. It is the last of those that stood
    in what is folded, else the first of several in the kept messages, which then loses it: the last one stays where the
    conversation grows. `gone`: folded messages with marks; `marked`: indices of kept messages with marks."""
    lost = [mark for message in gone for _, mark in cache_marks(message)]
    places = [(number, path, mark) for number in marked for path, mark in cache_marks(kept[number])]
    if lost:
        return lost[-1], kept
    if len(places) < 2:
        return None, kept
    number, path, mark = places[0]
    changed = list(kept)
    changed[number] = _without_mark(kept[number], path)
    return mark, changed


def _without_mark(message: Mapping[str, Any], path: Sequence[int]) -> Json:
    """Returns a message, or a block, without the cache mark at a place."""
    if not path:
        return {key: value for key, value in message.items() if key not in MARKS}
    content = list(message["content"])
    content[path[0]] = _without_mark(content[path[0]], path[1:])
    return {**message, "content": content}
