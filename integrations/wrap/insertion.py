"""Insertion of text into a request."""

import json
from collections.abc import Mapping
from typing import Any

from foxing.integrations.turns.sent import SentConversation
from foxing.memory import FORMATS, Wire
from foxing.memory.conversation import render_blocks


def insert(sent: SentConversation, additions: Mapping[int, str]) -> bytes:
    """Returns a request with a text in front of the content of some of its messages, which are a list or one string, as
    the SDKs write it. `additions`: place of a message → text. Raises `ValueError` for a content that is neither text
    nor a list."""
    form = FORMATS[sent.wire]
    messages: Any = sent.fields[form.member]
    if isinstance(messages, str):
        messages = f"{additions[0]}\n\n{messages}"
    else:
        messages = [
            _with(message, additions[place], sent.wire) if place in additions else message
            for place, message in enumerate(messages)
        ]
    fields = {**sent.fields, form.member: messages}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _with(message: Mapping[str, Any], text: str, wire: Wire) -> dict[str, Any]:
    form = FORMATS[wire]
    content = message.get(form.content)
    if isinstance(content, str):
        return {**message, form.content: f"{text}\n\n{content}"}
    if not isinstance(content, list):
        raise ValueError("the content is neither a text nor a list")
    return {**message, form.content: [*render_blocks(wire, [{"type": "text", "text": text}]), *content]}
