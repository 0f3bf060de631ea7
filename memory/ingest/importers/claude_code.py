"""Session logs of Claude Code: `~/.claude/projects/…/SESSION.jsonl`, one file for each session and each sub-agent.

A message of the model is several lines, one for each of its blocks, as its turns are: a session that is still running
adds to the last one, and a message that was stored does not change. Turns have the ids that they get by every way in.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from foxing.memory.conversation import SessionTurns, parse_message
from foxing.memory.conversation.changes import is_thinking
from foxing.memory.errors import InvalidInput

from .content import turn_messages
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage

#: Fields of lines that Claude Code adds for itself.
_OWN = ("isMeta", "isVisibleInTranscriptOnly")
#: Model of lines that Claude Code writes in place of the model.
_SYNTHETIC = "<synthetic>"
_API_ERROR = re.compile(r"\AAPI Error\b")
OWN = "lines that Claude Code adds for itself"
COMMANDS = "commands of Claude Code, what they print, and its notices, which nobody said"
ERRORS = "errors of the API in place of an answer"


class ClaudeCode(SingleFiles):
    """Importer of session logs of Claude Code."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        for line in files.first_lines(name):
            if isinstance(line.get("sessionId"), str) and "uuid" in line and line.get("type") in ("user", "assistant"):
                return "lines have 'sessionId', 'uuid' and a message"
        return None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        threads: dict[str, SessionTurns] = {}
        for line, where in files.objects(name):
            if line.get("type") not in ("user", "assistant"):
                continue  # what Claude Code notes for itself
            if any(line.get(field) for field in _OWN):
                files.leave_out(OWN, where)
                continue
            if _is_error(line):
                files.leave_out(ERRORS, where)
                continue
            try:
                new_messages = _messages(files, line, where, name, threads)
            except (InvalidInput, ValidationError, TypeError, AttributeError, KeyError):
                files.leave_out("lines that cannot be read", where)
                continue
            if not new_messages:
                files.leave_out(_reason(line), where)
            yield from new_messages


def _messages(
    files: HistoryFiles, line: Mapping[str, Any], where: str, file: str, threads: dict[str, SessionTurns]
) -> list[ImportedMessage]:
    """Returns the messages of a line. `threads`: the turns of each thread of the file, which this call continues."""
    content = line["message"]["content"]
    if content is None:
        return []
    thread = _thread(line, file)
    first = not threads
    turns = threads.setdefault(thread, SessionTurns(_session(line)))
    message = parse_message("anthropic", {"role": line["type"], "content": content})
    if line.get("isCompactSummary"):
        turns.begin(" ".join(str(part.get("text", "")) for part in message.parts))
        return []
    place = {"cwd": line.get("cwd"), "branch": line.get("gitBranch")}
    metadata = {name: str(value)[:500] for name, value in place.items() if value} if first else None
    return turn_messages(files, where, turns.read(message), thread=thread, at=line.get("timestamp"), metadata=metadata)


def _reason(line: Mapping[str, Any]) -> str:
    """Returns why nothing of a line is imported."""
    if line.get("isCompactSummary"):
        return OWN
    content = line["message"]["content"]
    blocks = [block for block in content if not is_thinking(block)] if isinstance(content, list) else content
    return COMMANDS if line["type"] == "user" and blocks else "messages without text"


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


def _session(line: Mapping[str, Any]) -> str:
    """Returns the session in which a line was said: of a copy in a fork, that from which it was copied."""
    origin = line.get("forkedFrom")
    return f"claude-code:{origin['sessionId'] if isinstance(origin, dict) else line['sessionId']}"


def _thread(line: Mapping[str, Any], file: str) -> str:
    """Returns the thread of a line: its session, and of a sub-agent its file."""
    session = f"claude-code:{line['sessionId']}"
    return f"{session}:{line.get('agentId') or PurePosixPath(file).stem}" if line.get("isSidechain") else session


CLAUDE_CODE = ClaudeCode()
