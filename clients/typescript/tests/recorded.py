"""Prints the recorded sessions as JSON, each with what Python's wrap stores of it."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from anthropic import Anthropic  # noqa: E402
from openai import OpenAI  # noqa: E402
from support.raw_upstream import raw_upstream  # noqa: E402
from support.recorded_sessions import ClaudeCodeSession, CodexSession  # noqa: E402

from foxing.integrations.wrap import flush, wrap  # noqa: E402
from foxing.memory import Memory  # noqa: E402


def stored_by_wrap(session: ClaudeCodeSession | CodexSession, folder: str) -> list[list[str]]:
    """Returns id, role and text of what Python's wrap stores of a session."""
    answer = b""
    sdk: Any = OpenAI if isinstance(session, CodexSession) else Anthropic
    with Memory(Path(folder) / "bank.db") as memory:
        with raw_upstream(lambda: [answer], "application/json") as upstream:
            plain = sdk(base_url=upstream.url, api_key="k", max_retries=0)
            options: Any = {"memory": memory, "bank": "b", "thread": session.thread, "recall": False}
            with wrap(plain, **options, journal=Path(folder) / "journal.db") as client:
                for call in session.calls():
                    answer = json.dumps(call.answer).encode()
                    client.post(call.path, body=call.body, cast_to=object)
                assert flush(client, 60)
        return [[span.message_id, span.role, span.text] for span in memory.export("b")]


printed: list[dict[str, Any]] = []
for session in (ClaudeCodeSession(), CodexSession()):
    calls = [{"path": call.path, "body": call.body, "answer": call.answer} for call in session.calls()]
    with tempfile.TemporaryDirectory() as folder:
        printed.append({"thread": session.thread, "calls": calls, "stored": stored_by_wrap(session, folder)})
print(json.dumps(printed))
