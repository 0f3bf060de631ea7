"""Prints the recorded sessions as JSON, and the recorded messages of each provider as a session of one call; each with
what Python's wrap stores of it."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from anthropic import Anthropic  # noqa: E402
from openai import OpenAI  # noqa: E402
from support.raw_upstream import raw_upstream  # noqa: E402
from support.recorded_sessions import Call, ClaudeCodeSession, CodexSession  # noqa: E402
from support.sdk_messages import RECORDED_MESSAGES  # noqa: E402

from foxing.integrations.wrap import flush, wrap  # noqa: E402
from foxing.memory import Memory  # noqa: E402

#: Provider → path of its requests, their member with the messages, and an answer.
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        "messages",
        {"role": "assistant", "stop_reason": "end_turn", "content": [{"type": "text", "text": "Aye."}]},
    ),
    "openai": (
        "/v1/chat/completions",
        "messages",
        {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Aye."}}]},
    ),
    "openai-responses": (
        "/v1/responses",
        "input",
        {"status": "completed", "output": [{"type": "message", "role": "assistant", "content": "Aye."}]},
    ),
}


@dataclass(frozen=True)
class Session:
    """Calls of a thread."""

    thread: str
    provider: str
    calls: Sequence[Call]


def sessions() -> Iterator[Session]:
    """Yields the recorded sessions, and one of the recorded messages of each provider."""
    for provider, recorded in (("anthropic", ClaudeCodeSession()), ("openai-responses", CodexSession())):
        yield Session(recorded.thread, provider, list(recorded.calls()))
    for provider, (path, member, answer) in REQUESTS.items():
        body = {"model": "m", "max_tokens": 9, member: RECORDED_MESSAGES[provider]}
        yield Session(f"messages:{provider}", provider, [Call(path, {}, body, {"id": "a", **answer})])


def stored_by_wrap(session: Session, folder: str) -> list[list[str]]:
    """Returns id, role and text of what Python's wrap stores of a session."""
    answer = b""
    sdk: Any = Anthropic if session.provider == "anthropic" else OpenAI
    with Memory(Path(folder) / "bank.db") as memory:
        with raw_upstream(lambda: [answer], "application/json") as upstream:
            plain = sdk(base_url=upstream.url, api_key="k", max_retries=0)
            options: Any = {"memory": memory, "bank": "b", "thread": session.thread, "recall": False}
            with wrap(plain, **options, journal=Path(folder) / "journal.db") as client:
                for call in session.calls:
                    answer = json.dumps(call.answer).encode()
                    client.post(call.path, body=call.body, cast_to=object)
                assert flush(client, 60)
        return [[span.message_id, span.role, span.text] for span in memory.export("b")]


printed: list[dict[str, Any]] = []
for session in sessions():
    calls = [{"path": call.path, "body": call.body, "answer": call.answer} for call in session.calls]
    with tempfile.TemporaryDirectory() as folder:
        stored = stored_by_wrap(session, folder)
    printed.append({"thread": session.thread, "provider": session.provider, "calls": calls, "stored": stored})
print(json.dumps(printed))
