"""Session logs of Codex: `~/.codex/sessions/…/rollout-….jsonl`.

Its items are those of the Responses API. A resumed session begins with a copy of the one before. The turns of both have
the ids of the session that the file names first, so that they are stored once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import SessionTurns, parse_message
from foxing.memory.errors import InvalidInput

from .content import turn_messages
from .files import HistoryFiles
from .format import THOUGHTS, ReadOptions, SingleFiles
from .source import ImportedMessage

#: Items that Codex notes for itself.
_NOTES = ("ghost_snapshot", "compaction", "compaction_summary", "context_compaction")


class Codex(SingleFiles):
    """Importer of session logs of Codex."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        for line in files.first_lines(name):
            if line.get("type") in ("session_meta", "response_item") and isinstance(line.get("payload"), dict):
                return f"lines have 'payload' and the type {line['type']}"
        return None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
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
                new_messages = _messages(files, line, where, turns, metadata)
            except (InvalidInput, ValidationError):
                files.leave_out("lines that cannot be read", where)
                continue
            if not new_messages:
                files.leave_out(_reason(payload), where)
            metadata = None if new_messages else metadata
            yield from new_messages


def _about(payload: Mapping[str, Any]) -> dict[str, str]:
    git = payload.get("git")
    place = {"cwd": payload.get("cwd"), "branch": git.get("branch") if isinstance(git, dict) else None}
    return {name: str(value)[:500] for name, value in place.items() if value}


def _messages(
    files: HistoryFiles, line: Mapping[str, Any], where: str, turns: SessionTurns, metadata: dict[str, str] | None
) -> list[ImportedMessage]:
    """Returns the messages of an item."""
    payload = line["payload"]
    if payload.get("type") in _NOTES:
        return []
    output = payload.get("output")
    if isinstance(output, dict) and "content" in output:
        payload = {**payload, "output": output["content"]}
    read = turns.read(parse_message("openai-responses", payload))
    return turn_messages(files, where, read, thread=turns.session, at=line.get("timestamp"), metadata=metadata)


def _reason(payload: Mapping[str, Any]) -> str:
    if payload.get("type") == "message":
        return "messages that Codex adds for the model, and empty ones"
    if payload.get("type") == "reasoning":
        return THOUGHTS
    return f"items of the type {payload.get('type')}"


CODEX = Codex()
