"""Conversion of ADK's events and memory entries to messages to remember, and back."""

import hashlib
import json
from datetime import UTC, datetime

from google.adk.events.event import Event
from google.adk.memory.memory_entry import MemoryEntry
from google.genai import types

from foxing.integrations.frameworks.turns import message_fields
from foxing.memory import Fields, RecalledMessage, parse_message
from foxing.memory.values.speakers import speaker_of

#: Members of a message's metadata that tell users apart.
APP = "app_name"
USER = "user_id"
_MOST_THREAD_CHARS = 200


def event_messages(event: Event) -> list[Fields]:
    """Returns what an event says as messages to remember. Thoughts and parts of a stream are left out, and files become
    labels."""
    if event.content is None or event.partial:
        return []
    return content_messages(event.content, event.author)


def content_messages(content: types.Content, author: str | None) -> list[Fields]:
    """Returns a content as messages: one for its text and tool calls, one for each tool result."""
    role, name = ("user", None) if author in (None, "user") else ("model", author)
    own = list[Fields]()
    results = list[Fields]()
    for part in content.parts or ():
        fields = part.model_dump(exclude_none=True)
        if part.function_response is None:
            own.append(fields)
        else:
            results.append({"role": "function", "parts": [fields], "name": part.function_response.name})
    items: list[Fields] = [{"role": role, "parts": own, "name": name}, *results]
    messages = [message_fields(parse_message("gemini", item)) for item in items]
    return [message for message in messages if message is not None]


def entry(message: RecalledMessage) -> MemoryEntry:
    """Returns a recalled message as a memory entry."""
    role = "user" if message.role == "user" else "model"
    own = {key: value for key, value in (message.metadata or {}).items() if key not in (APP, USER)}
    return MemoryEntry(
        id=message.message_id,
        author=speaker_of(message),
        timestamp=message.created_at.isoformat(),
        content=types.Content(role=role, parts=[types.Part(text=message.text)]),
        custom_metadata={
            **own,
            "thread": message.thread,
            "trust": message.trust,
            "suspicious": message.suspicious,
            "relevance": message.relevance,
            "kept": message.kept,
        },
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
