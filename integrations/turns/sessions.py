"""Sessions of agents, read from what their clients send."""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from foxing.memory import FORMATS
from foxing.memory.conversation.identity import own_session as own_session_of

from .sent import SentConversation

#: Headers with the id of a session, the most particular first: ours, those of Claude Code and of Codex.
_HEADERS = ("x-foxing-session", "x-claude-code-session-id", "session_id", "session-id", "x-session-id")
#: How the names of clients begin → what stands before the ids of their sessions where their logs are imported.
_CLIENTS = {"claude-cli": "claude-code:", "claude-code": "claude-code:", "codex": "codex:"}
#: End of `metadata.user_id`, as earlier versions of Claude Code write it.
_OF_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{8,64})$")
_CONTROL = re.compile(r"[\x00-\x1f]")
_MOST_CHARS = 200
_OWN_BYTES = 8


def session_of(sent: SentConversation, headers: Mapping[str, str]) -> str:
    """Returns the id of the session that a request belongs to: that of the client, else one that follows from the first
    user message. `headers`: names in lower case."""
    name = next((name for name in _HEADERS if headers.get(name, "").strip()), None)
    value = headers[name] if name else _of_metadata(sent.fields.get("metadata")) or sent.fields.get("prompt_cache_key")
    if isinstance(value, str) and (cleaned := _CONTROL.sub("", value).strip()):
        session = cleaned if len(cleaned) <= _MOST_CHARS else f"{cleaned[:150]}-{_digest(cleaned)}"
        return session if name == _HEADERS[0] else f"{_client(headers)}{session}"
    return own_session(sent)


def own_session(sent: SentConversation) -> str:
    """Returns the id of the session of a client that names none."""
    named = own_session_of(sent.messages.values())
    return named or f"chat-{_digest(json.dumps(sent.fields.get(FORMATS[sent.wire].member), default=str))}"


def _client(headers: Mapping[str, str]) -> str:
    """Returns what stands before the ids of the sessions of a client."""
    names = (headers.get("originator", ""), headers.get("user-agent", ""))
    return next((own for name in names for start, own in _CLIENTS.items() if name.startswith(start)), "")


def _of_metadata(metadata: Any) -> str | None:
    """Returns the session in `metadata`: its own member, or part of `user_id`, which is JSON or ends with it."""
    if not isinstance(metadata, dict):
        return None
    if isinstance(metadata.get("session_id"), str):
        return str(metadata["session_id"])
    user = metadata.get("user_id")
    if not isinstance(user, str):
        return None
    if user.startswith("{"):
        try:
            named = json.loads(user)
        except ValueError:
            return None
        return named.get("session_id") if isinstance(named, dict) else None
    match = _OF_USER_ID.search(user)
    return match[1] if match else None


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=_OWN_BYTES).hexdigest()
