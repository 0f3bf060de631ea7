"""Session logs of Codex: `~/.codex/sessions/…/rollout-….jsonl`.

Its items are those of the Responses API. A resumed session begins with a copy of the one before. The turns of both have
the ids of the session that the file names first, so that they are stored once.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import SessionTurns, parse_message
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

from .attached_images import kept
from .content import imported
from .files import HistoryFiles
from .format import THOUGHTS, ReadOptions
from .source import ImportedMessage

#: Items that Codex notes for itself.
_NOTES = ("ghost_snapshot", "compaction", "compaction_summary", "context_compaction")


class Codex:
    """Importer of session logs of Codex."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        if len(files.names) != 1:
            return None
        for line in files.first_lines(files.names[0]):
            if line.get("type") in ("session_meta", "response_item") and isinstance(line.get("payload"), dict):
                return f"lines have 'payload' and the type {line['type']}"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        for name in files.names:
            turns = SessionTurns("")
            metadata = None
            for line, where in files.objects(name):
                payload = line.get("payload")
                if not isinstance(payload, dict):
                    continue
                if line.get("type") == "session_meta" and not turns.session:
                    turns.session = f"codex:{payload.get('id') or payload.get('timestamp')}"
                    metadata = _about(payload)
                if line.get("type") == "compacted" and isinstance(payload.get("message"), str):
                    turns.begin(payload["message"])
                if line.get("type") != "response_item":
                    continue  # a repetition, or what Codex notes for itself
                try:
                    new_messages = list(_messages(files, line, where, turns, metadata))
                except (InvalidInput, ValidationError):
                    files.leave_out("lines that cannot be read", where)
                    continue
                if not new_messages:
                    files.leave_out(_reason(payload), where)
                for message in new_messages:
                    metadata = None
                    yield ImportedMessage(message, where, files.bytes_read)


def _about(payload: Mapping[str, Any]) -> dict[str, str]:
    git = payload.get("git")
    place = {"cwd": payload.get("cwd"), "branch": git.get("branch") if isinstance(git, dict) else None}
    return {name: str(value)[:500] for name, value in place.items() if value}


def _messages(
    files: HistoryFiles, line: Mapping[str, Any], where: str, turns: SessionTurns, metadata: dict[str, str] | None
) -> Iterator[NewMessage]:
    """Yields the messages of an item."""
    payload = line["payload"]
    if payload.get("type") in _NOTES:
        return
    output = payload.get("output")
    if isinstance(output, dict) and "content" in output:
        payload = {**payload, "output": output["content"]}
    for turn, turn_id in turns.read(parse_message("openai-responses", payload)):
        yield NewMessage.model_validate(
            {
                "id": turn_id,
                "role": turn.role,
                "content": imported(turn.parts, partial(kept, files, where=where)),
                "created_at": line.get("timestamp") or None,
                "thread": turns.session,
                "metadata": metadata,
            }
        )
        metadata = None


def _reason(payload: Mapping[str, Any]) -> str:
    if payload.get("type") == "message":
        return "messages that Codex adds for the model, and empty ones"
    if payload.get("type") == "reasoning":
        return THOUGHTS
    return f"items of the type {payload.get('type')}"


CODEX = Codex()
