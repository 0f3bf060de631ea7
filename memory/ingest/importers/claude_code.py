"""Session logs of Claude Code: `~/.claude/projects/…/SESSION.jsonl`, one file for each session and each sub-agent.

A message of the model is several lines, one for each of its blocks. Each becomes a message, since a session that is
still running adds to the last one, and a message that was stored does not change.
"""

import re
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
#: How texts begin that Claude Code puts among the words of the user: commands, what they print, reminders, notices.
_COMMAND = ("<command-name>", "<command-message>", "<command-args>", "<command-contents>")
_NOT_SAID = (
    *("<local-command-", "<bash-input>", "<bash-stdout>", "<bash-stderr>", "<system-reminder>", "<user-memory-input>"),
    "[Request interrupted by user",
)
_TAGGED = re.compile(r"<(command-name|command-args)>([^<]*+(?:<(?!/command-)[^<]*+)*+)</")
#: Model of lines that Claude Code writes in place of the model.
_SYNTHETIC = "<synthetic>"
_API_ERROR = re.compile(r"\AAPI Error\b")
COMMANDS = "commands of Claude Code, what they print, and its notices, which nobody said"
ERRORS = "errors of the API in place of an answer"


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
                if _is_error(line):
                    files.leave_out(ERRORS, where)
                    continue
                try:
                    message = _message(files, line, where, name, first=first)
                except (InvalidInput, ValidationError, TypeError, AttributeError, KeyError):
                    files.leave_out("lines that cannot be read", where)
                    continue
                except _NotSaid:
                    files.leave_out(COMMANDS, where)
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
    if line["type"] == "user":
        content = _said(content)
        if not content:
            raise _NotSaid
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


class _NotSaid(Exception):
    """Raised for a message that nobody said."""


def _said(content: Any) -> Any:
    """Returns the content of a message of the user without what Claude Code puts there; empty if nothing is left. A
    command with words of the user becomes “/name words”."""
    if isinstance(content, str):
        return _words(content)
    kept = []
    for block in content:
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            words = _words(block["text"])
            kept += [{**block, "text": words}] if words else []
        else:
            kept.append(block)
    return kept


def _words(text: str) -> str:
    start = text.lstrip()
    if start.startswith(_COMMAND):
        found = {match[1]: match[2].strip() for match in _TAGGED.finditer(text)}
        words = found.get("command-args", "")
        return f"{found.get('command-name', '')} {words}".strip() if words else ""
    return "" if start.startswith(_NOT_SAID) else text


def _is_error(line: Mapping[str, Any]) -> bool:
    """True for a line with an error of the API in place of an answer."""
    if line.get("type") != "assistant":
        return False
    message = line.get("message")
    fields: Mapping[str, Any] = message if isinstance(message, dict) else {}
    if line.get("isApiErrorMessage") or fields.get("model") == _SYNTHETIC:
        return True
    blocks = fields.get("content")
    texts = [block.get("text") for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else [blocks]
    return "model" not in fields and len(texts) == 1 and bool(_API_ERROR.match(str(texts[0])))


def _thread(line: Mapping[str, Any], file: str) -> str:
    """Returns the thread of a line: its session, and of a sub-agent its file."""
    session = f"claude-code:{line['sessionId']}"
    return f"{session}:{line.get('agentId') or PurePosixPath(file).stem}" if line.get("isSidechain") else session


CLAUDE_CODE = ClaudeCode()
