"""Conversion of ADK's events and memory entries to messages to remember, and back."""

import hashlib
import json
from datetime import UTC, datetime

from google.adk.events.event import Event
from google.adk.memory.memory_entry import MemoryEntry
from google.genai import types

from foxing.integrations.frameworks import message_parts
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import RecalledMessage, Role

#: Members of a message's metadata that tell users apart.
APP, USER = "app_name", "user_id"
_MOST_THREAD_CHARS = 200


def said(event: Event) -> list[Fields]:
    """Returns what an event says as messages to remember: text, tool calls and tool results. Thoughts, files and parts
    of a stream are left out."""
    if event.content is None or event.partial:
        return []
    role: Role = "user" if event.author == "user" else "assistant"
    return content_messages(event.content, role, event.author)


def content_messages(content: types.Content, role: Role, author: str | None) -> list[Fields]:
    """Returns a content as messages: one for its text and tool calls, one for each tool result."""
    parts: list[message_parts.Part] = []
    results: list[Fields | None] = []
    for part in content.parts or ():
        if part.text is not None and not part.thought:
            parts += message_parts.text(part.text)
        if part.function_call is not None:
            call = part.function_call
            parts += message_parts.tool_call(call.id, call.name, json.loads(_json(call.args or {})))
        if part.function_response is not None:
            response = part.function_response
            result = message_parts.tool_result(response.id, _json(response.response or {}))
            results.append(message_parts.message("tool", result, response.name))
    name = None if author == "user" else author
    return [each for each in (message_parts.message(role, parts, name), *results) if each is not None]


def entry(message: RecalledMessage) -> MemoryEntry:
    """Returns a recalled message as a memory entry."""
    role = "user" if message.role == "user" else "model"
    own = {key: value for key, value in (message.metadata or {}).items() if key not in (APP, USER)}
    return MemoryEntry(
        id=message.message_id,
        author=message.name or message.role,
        timestamp=message.created_at.isoformat(),
        content=types.Content(role=role, parts=[types.Part(text=message.text)]),
        custom_metadata={**own, "thread": message.thread, "relevance": message.relevance, "kept": message.kept},
    )


def moment(timestamp: float) -> str:
    """Returns a Unix time in RFC 3339."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def thread_name(app_name: str, user_id: str, session_id: str) -> str:
    """Returns the name of the thread of a session, which no session of another app or user has."""
    name = json.dumps([app_name, user_id, session_id], ensure_ascii=False)
    return name if len(name) <= _MOST_THREAD_CHARS else digest(name)


def digest(*parts: object) -> str:
    """Returns an id that is the same for the same parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
