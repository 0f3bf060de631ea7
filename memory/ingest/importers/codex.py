"""Session logs of Codex: `~/.codex/sessions/…/rollout-….jsonl`.

A resumed session begins with a copy of the one before. Its messages have the ids of the copied ones, so that they are
stored once: the session that the file names first, the time of the line, and its number among lines of that time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import Part, ToolCall, ToolResult

from .attached_images import kept
from .content import ImageOf, content_of
from .files import HistoryFiles
from .format import THOUGHTS, ReadOptions
from .source import ImportedMessage

#: How messages begin that Codex adds for the model, beside those of the role `developer`, which has instructions and
#: what hooks add.
_OWN = (
    *("<user_instructions>", "<environment_context>", "<permissions instructions>", "# AGENTS.md instructions"),
    *("<turn_aborted>", "<user_shell_command>"),
)
_TEXTS = ("input_text", "output_text", "text")


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
            session, about = "", None
            seen: Counter[str] = Counter()
            for line, where in files.objects(name):
                payload = line.get("payload")
                if not isinstance(payload, dict):
                    continue
                if line.get("type") == "session_meta" and not session:
                    session, about = str(payload.get("id") or payload.get("timestamp")), _about(payload)
                if line.get("type") != "response_item":
                    continue  # a repetition, or what Codex notes for itself
                at = str(line.get("timestamp") or "")
                number = seen[at]
                seen[at] += 1
                try:
                    found = _content(payload, partial(kept, files, where=where))
                    if found is None:
                        files.leave_out(_reason(payload), where)
                        continue
                    role, content = found
                    message = NewMessage.model_validate(
                        {
                            "id": f"codex:{session}:{at}:{number}",
                            "role": role,
                            "content": content,
                            "created_at": at or None,
                            "thread": f"codex:{session}",
                            "metadata": about,
                        }
                    )
                except (InvalidInput, ValidationError):
                    files.leave_out("lines that cannot be read", where)
                    continue
                about = None
                yield ImportedMessage(message, where, files.bytes_read)


def _about(payload: Mapping[str, Any]) -> dict[str, str]:
    git = payload.get("git")
    found = {"cwd": payload.get("cwd"), "branch": git.get("branch") if isinstance(git, dict) else None}
    return {name: str(value)[:500] for name, value in found.items() if value}


def _content(payload: Mapping[str, Any], image_of: ImageOf) -> tuple[str, str | tuple[Part, ...]] | None:
    """Returns role and content of an item; None if it is left out."""
    kind, call = payload.get("type"), str(payload.get("call_id") or payload.get("id") or payload.get("name"))
    if kind == "message":
        text = _text(payload.get("content"))
        role = payload.get("role")
        own = role == "developer" or (role == "user" and text.lstrip().startswith(_OWN))
        if own or not text.strip():
            return None
        content = payload.get("content")
        if isinstance(content, list) and any(map(_is_image, content)):
            return str(payload.get("role")), content_of({"content": _blocks(content)}, image_of)
        return str(payload.get("role")), text
    if kind in ("function_call", "custom_tool_call", "local_shell_call"):
        arguments = payload.get("arguments") or payload.get("input") or payload.get("action") or {}
        name = str(payload.get("name") or "shell")
        return "assistant", (ToolCall(id=call, name=name, arguments=arguments),)
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = payload.get("output")
        if isinstance(output, dict):
            output = output.get("content")
        if isinstance(output, list) and any(map(_is_image, output)):
            result = {"type": "tool_result", "id": call, "content": _blocks(output)}
            return "tool", cast("tuple[Part, ...]", content_of({"content": [result]}, image_of))
        return "tool", (ToolResult(id=call, content=output if isinstance(output, str) else _text(output)),)
    return None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(map(_line, blocks))


def _is_image(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "input_image" and bool(block.get("image_url"))


def _blocks(blocks: Sequence[Any]) -> list[Any]:
    """Returns blocks with texts as strings and images as they are."""
    return [block if _is_image(block) else _line(block) for block in blocks]


def _line(block: Any) -> str:
    if not isinstance(block, dict):
        return "[part]"
    is_text = block.get("type") in _TEXTS and isinstance(block.get("text"), str)
    return str(block["text"]) if is_text else f"[{block.get('type')}]"


def _reason(payload: Mapping[str, Any]) -> str:
    if payload.get("type") == "message":
        return "messages that Codex adds for the model, and empty ones"
    if payload.get("type") == "reasoning":
        return THOUGHTS
    return f"items of the type {payload.get('type')}"


CODEX = Codex()
