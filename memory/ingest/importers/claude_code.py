"""Session logs of Claude Code: `~/.claude/projects/…/SESSION.jsonl`, one file for each session and each sub-agent.

A message of the model is several lines, one for each of its blocks. Each becomes a message, since a session that is
still running adds to the last one, and a message that was stored does not change.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, ToolResult

from .attached_images import kept
from .content import content_of
from .files import HistoryFiles
from .format import ReadOptions
from .source import ImportedMessage

#: Fields of lines that Claude Code adds for itself.
_OWN = ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")


class ClaudeCode:
    """Importer of session logs of Claude Code."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        if len(files.names) != 1:
            return None
        for line in files.first_lines(files.names[0]):
            if isinstance(line.get("sessionId"), str) and "uuid" in line and line.get("type") in ("user", "assistant"):
                return "lines have 'sessionId', 'uuid' and a message"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        for name in files.names:
            first = True
            for line, where in files.objects(name):
                if line.get("type") not in ("user", "assistant"):
                    continue  # what Claude Code notes for itself
                if any(line.get(field) for field in _OWN):
                    files.leave_out("lines that Claude Code adds for itself", where)
                    continue
                try:
                    message = _message(files, line, where, name, first=first)
                except (InvalidInput, ValidationError, TypeError, AttributeError, KeyError):
                    files.leave_out("lines that cannot be read", where)
                    continue
                if message is None:
                    files.leave_out("messages without text", where)
                    continue
                first = False
                yield ImportedMessage(message, where, files.bytes_read)


def _message(files: HistoryFiles, line: Mapping[str, Any], where: str, file: str, *, first: bool) -> NewMessage | None:
    """Returns the message of a line; None if it has only thoughts or nothing."""
    content = line["message"]["content"]
    if isinstance(content, list):
        content = [block for block in content if block.get("type") not in ("thinking", "redacted_thinking")]
    if not content:
        return None
    found = content_of({"content": content}, partial(kept, files, where=where))
    role = line["type"]
    if not isinstance(found, str) and isinstance(found[0], ToolResult):
        role = "tool" if all(isinstance(part, (ToolResult, ImagePart)) for part in found) else role
    about = {"cwd": line.get("cwd"), "branch": line.get("gitBranch")}
    return NewMessage.model_validate(
        {
            "id": f"claude-code:{line['uuid']}",
            "role": role,
            "content": found,
            "created_at": line.get("timestamp"),
            "thread": _thread(line, file),
            "metadata": {name: str(value)[:500] for name, value in about.items() if value} if first else None,
        }
    )


def _thread(line: Mapping[str, Any], file: str) -> str:
    """Returns the thread of a line: its session, and of a sub-agent its file."""
    session = f"claude-code:{line['sessionId']}"
    return f"{session}:{line.get('agentId') or PurePosixPath(file).stem}" if line.get("isSidechain") else session


CLAUDE_CODE = ClaudeCode()
