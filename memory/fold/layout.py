"""The conversation to send: the folded message in its place, thinking removed, and cache marks moved."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from foxing.memory.conversation import FORMATS, ProviderMessage, render
from foxing.memory.conversation.changes import mark_of, marked_blocks, settled, without_marks, without_thinking
from foxing.memory.conversation.render import user_message

from .conversation import Conversation, ConversationItem, Json

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
    items = conversation.items
    start = conversation.start
    form = FORMATS[conversation.wire]
    gone = [item for item in items[start:first] if item.is_marked and (form.settles or not item.is_instruction)]
    instructions = [items[number] for number in kept_instructions(conversation, first)]
    remainder: list[ProviderMessage] = []
    marked: list[int] = []
    for number in range(first, len(items)):
        message = items[number] if number >= stripped else without_thinking(items[number])
        if message is not None:
            if items[number].is_marked:
                marked.append(len(remainder))
            remainder.append(message)
    mark, remainder = _mark_for_fold(gone, remainder, marked)
    if mark is None and conversation.begins_marked and not form.settles:
        mark = mark_of(list(marked_blocks(items[start - 1]))[-1])
    content = [dict(block) for block in blocks]
    if mark is not None:
        content[-1] |= mark
    folded = user_message(conversation.wire, content)
    if form.settles:
        remainder = settled([folded, *map(without_marks, instructions), *remainder])[1:]
        instructions = []
    return render(conversation.wire, [*items[:start], folded, *instructions, *remainder])


def kept_instructions(conversation: Conversation, first: int) -> list[int]:
    """Returns the indices of the instructions that stay of the items from `conversation.start` up to `first`: all, but
    of the Messages API, which takes them only as one message, none that says the same as a later one."""
    numbers = [n for n in range(conversation.start, first) if conversation.items[n].is_instruction]
    if not FORMATS[conversation.wire].settles:
        return numbers
    last = {conversation.items[number].digest: number for number in numbers}
    return [number for number in numbers if last[conversation.items[number].digest] == number]


def _mark_for_fold(
    gone: Sequence[ProviderMessage], remainder: list[ProviderMessage], marked: Sequence[int]
) -> tuple[Mapping[str, Any] | None, list[ProviderMessage]]:
    """Returns the cache mark for the end of the folded part, and the kept messages. It is the last of those that stood
    in what is folded, else the first of several in the kept messages, which then loses it: the last one stays where the
    conversation grows. `gone`: folded items with marks; `marked`: indices of kept messages with marks."""
    lost = [block for message in gone for block in marked_blocks(message)]
    places = [(number, block) for number in marked for block in marked_blocks(remainder[number])]
    if lost:
        return mark_of(lost[-1]), remainder
    if len(places) < 2:
        return None, remainder
    number, block = places[0]
    changed = list(remainder)
    changed[number] = without_marks(remainder[number], block)
    return mark_of(block), changed
