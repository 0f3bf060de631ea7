"""Search results and documents in the form of ChatGPT's connectors: text that holds JSON.

https://developers.openai.com/api/docs/mcp
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from pydantic import JsonValue

from foxing.encoder.text_tokens import cut_to_tokens
from foxing.memory import RecalledMessage
from foxing.memory.compact_json import compact_json
from foxing.memory.values.speakers import speaker_of

from .wording import moment

TITLE_CHARS = 60


def results(messages: Iterable[RecalledMessage]) -> str:
    """Returns search results: `{"results": [{"id", "title", "url"}]}`, the references of messages as ids."""
    listed: list[JsonValue] = [
        {"id": message.ref, "title": _title(message), "url": _url(message)} for message in messages
    ]
    return compact_json({"results": listed})


def document(message: RecalledMessage, max_tokens: int) -> str:
    """Returns a message as a document: `{"id", "title", "text", "url", "metadata"}`. `max_tokens`: text tokens at which
    its text is cut, which `metadata.cut` says."""
    text = cut_to_tokens(message.text, max_tokens)
    metadata: dict[str, Any] = {
        "message_id": message.message_id,
        "thread": message.thread,
        "role": message.role,
        "name": message.name,
        "trust": message.trust,
        "suspicious": message.suspicious,
        "created_at": message.created_at.isoformat(),
        "kept": round(message.kept, 4),
        "confidence": round(message.confidence, 4),
        "gaps": len(message.gaps),
        "cut": len(text) < len(message.text),
    }
    if message.uncertain:
        metadata["may_be_misread"] = [message.text[start:stop] for start, stop, _ in message.uncertain][:20]
    return compact_json(
        {"id": message.ref, "title": _title(message), "text": text, "url": _url(message), "metadata": metadata}
    )


def _title(message: RecalledMessage) -> str:
    title = " ".join(message.text.split())
    title = title if len(title) <= TITLE_CHARS else f"{title[:TITLE_CHARS].rstrip()}…"
    return f"{speaker_of(message)}, {moment(message.created_at)}: {title}"


def _url(message: RecalledMessage) -> str:
    return f"foxing://messages/{quote(message.message_id, safe='')}"
