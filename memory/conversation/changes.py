"""Changes to messages of providers: without thinking, without cache marks, with other texts. What a change does not
concern stays as it came."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .parse import ProviderMessage
from .provider import Json

Message = TypeVar("Message", bound=ProviderMessage)

#: Fields of blocks that mark the end of what is cached.
BREAKPOINT = "prompt_cache_breakpoint"
MARKS = ("cache_control", BREAKPOINT)
#: Types of blocks with thinking that may be left out.
THINKING = ("thinking", "redacted_thinking")
#: End of the types of blocks with the result of a tool.
_RESULT = "_tool_result"


def is_thinking(block: object) -> bool:
    """True for a block with thinking that may be left out."""
    return isinstance(block, Mapping) and block.get("type") in THINKING


def without_thinking(message: ProviderMessage) -> ProviderMessage | None:
    """Returns a message without blocks of thinking; None if nothing else is in it."""
    blocks = message.blocks
    others = [block for block in blocks if not is_thinking(block)]
    if len(others) == len(blocks):
        return message
    return replace(message, content=others) if others else None


def marked_blocks(message: ProviderMessage) -> Iterator[Json]:
    """Yields the blocks of a message that have a cache mark, also those inside others."""
    return _marked(message.blocks)


def mark_of(block: Json) -> Json:
    """Returns the cache mark of a block as a field."""
    return {name: block[name] for name in MARKS if block.get(name) is not None}


def with_breakpoint(message: Message, text_type: str) -> Message | None:
    """Returns a message of OpenAI's APIs with an explicit breakpoint of the cache at its end; None for one that does
    not end with text. `text_type`: type of a block of text."""
    content = message.content
    blocks = [{"type": text_type, "text": content}] if isinstance(content, str) and content else list(message.blocks)
    if not blocks or not isinstance(blocks[-1], Mapping) or blocks[-1].get("type") != text_type:
        return None
    return replace(message, content=[*blocks[:-1], {**blocks[-1], BREAKPOINT: {"mode": "explicit"}}])


def without_marks(message: ProviderMessage, block: Json | None = None) -> ProviderMessage:
    """Returns a message without the cache mark of a block; without one, without all cache marks."""
    if not any(marked_blocks(message)):
        return message
    return replace(message, content=_unmarked(message.content, block))


def normal_json(raw: Json) -> str:
    """Returns the JSON of a message without cache marks, its content as a text if that is all it is: clients write it
    either way."""
    text = _json(_plain(raw))
    if not any(mark in text for mark in MARKS):
        return text
    return _json(_plain({key: _unmarked(inner) for key, inner in raw.items() if key not in MARKS}))


def texts_of(message: ProviderMessage) -> Iterator[tuple[int | None, str]]:
    """Yields the texts of the content of a message with the place of each among the blocks; None for content that is a
    text."""
    if isinstance(message.content, str):
        yield None, message.content
    for place, block in enumerate(message.blocks):
        if isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str):
            yield place, block["text"]


def with_text(message: ProviderMessage, place: int | None, text: str) -> ProviderMessage:
    """Returns a message with another text at a place; see `texts_of`."""
    if place is None:
        return replace(message, content=text)
    blocks = list(message.blocks)
    blocks[place] = {**blocks[place], "text": text}
    return replace(message, content=blocks)


def settled(messages: Sequence[ProviderMessage]) -> list[ProviderMessage]:
    """Returns messages of the Messages API with those of the role system where it takes them: directly after a message
    of the user, or of the assistant that ends in the result of a server tool, and directly before one of the assistant
    or at the end. One that stands elsewhere is joined to the next that may stand; what stands well stays the same
    object."""
    complete: list[ProviderMessage] = []
    waiting: list[ProviderMessage] = []
    for message in messages:
        if message.role == "system":
            waiting.append(message)
            continue
        if waiting and message.role == "assistant" and complete and _takes_system_after(complete[-1]):
            complete.append(_joined(waiting))
            waiting = []
        complete.append(message)
    return [*complete, _joined(waiting)] if waiting else complete


def _takes_system_after(message: ProviderMessage) -> bool:
    last = message.blocks[-1] if message.blocks else None
    ends = str(last.get("type")) if isinstance(last, Mapping) else ""
    return message.role == "user" or (message.role == "assistant" and ends.endswith(_RESULT))


def _joined(messages: Sequence[ProviderMessage]) -> ProviderMessage:
    """Returns several messages of a role as one."""
    if len(messages) == 1:
        return messages[0]
    blocks: list[Any] = []
    for message in messages:
        blocks += message.blocks or ([{"type": "text", "text": message.content}] if message.content else [])
    members = {key: value for message in messages for key, value in message.raw.items()}
    return replace(messages[-1], raw=members, content=blocks)


def _marked(blocks: object) -> Iterator[Json]:
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if isinstance(block, Mapping):
            yield from _marked(block.get("content"))
            if mark_of(block):
                yield block


def _unmarked(value: Any, only: Json | None = None) -> Any:
    """Returns content blocks, and those inside them, without cache marks, or without those of one block."""
    if not isinstance(value, list):
        return value
    return [
        {
            key: _unmarked(inner, only) if key == "content" else inner
            for key, inner in item.items()
            if key not in MARKS or not (only is None or only is item)
        }
        if isinstance(item, dict)
        else item
        for item in value
    ]


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(message: Json) -> Json:
    content = message.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        block = content[0]
        if set(block) == {"type", "text"} and isinstance(block["text"], str):
            return {**message, "content": block["text"]}
    return message
