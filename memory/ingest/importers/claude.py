"""Data exports of Claude.ai: `conversations.json`, `projects.json` and `memories.json` in a zip archive or a folder.
The bytes of files are not in them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from foxing.memory.conversation.changes import is_thinking
from foxing.memory.errors import InvalidInput
from foxing.memory.values.parts import Part, TextPart

from .chat import UNREADABLE, objects, readable, said, time_with_offset
from .content import content_of
from .files import HistoryFiles
from .format import OTHER_BRANCHES, THOUGHTS, ReadOptions
from .source import ImportedMessage

_SENDERS = {"human": "user", "assistant": "assistant"}
#: Blocks that only the page of Claude.ai uses.
_MARKS = ("flag", "token_budget")


class Claude:
    """Importer of data exports of Claude.ai."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        for name in _conversations(files):
            if "[].chat_messages" in files.outline(name):
                return f"{files.place(name)} has conversations with 'chat_messages'"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`. Projects and memories become threads of their own."""
        for name in _conversations(files):
            for value, where in files.items(name):
                messages = value.get("chat_messages") if isinstance(value, dict) else None
                if not isinstance(messages, list) or not isinstance(value.get("uuid"), str):
                    files.leave_out("entries that are no conversation", where)
                    continue
                read_messages = _messages(value, messages, files, where, branches=options.branches)
                yield from readable(files, where, read_messages)

        for name in files.names if len(files.names) > 1 else ():
            base = PurePosixPath(name).name
            reader = _OTHER_FILES.get(base)
            if reader is None:
                if base != "conversations.json":
                    files.leave_out(NOT_READ, name)
                continue
            for value, where in files.items(name):
                if isinstance(value, dict):
                    yield from readable(files, where, reader(files, value, where))
                else:
                    files.leave_out(UNREADABLE, where)


def _project(files: HistoryFiles, project: Mapping[str, Any], where: str) -> Iterator[ImportedMessage]:
    """Yields the instructions and the documents of a project, as messages of the user."""
    title = str(project.get("name") or "")
    thread = f"claude:project:{project['uuid']}"
    if project.get("is_starter_project"):
        files.leave_out("projects that Claude.ai brings along", where)
        return
    at = time_with_offset(project.get("created_at"))
    instructions = [str(project[key]) for key in ("description", "prompt_template") if project.get(key)]
    if instructions:
        text = "\n".join(instructions)
        kind = {"kind": "project-instructions", "title": title[:200]}
        yield from said(
            files,
            where,
            key=f"{thread}:instructions:{_digest(text)}",
            thread=thread,
            text=text,
            at=at,
            metadata=kind,
        )
    for document in objects(project, "docs"):
        content = str(document.get("content") or "")
        name = str(document.get("filename") or "")
        yield from said(
            files,
            where,
            key=f"{thread}:document:{document.get('uuid') or _digest(content)}",
            thread=thread,
            text=f"[file: {name}]\n{content}" if content.strip() else "",
            at=time_with_offset(document.get("created_at")) or at,
            metadata={"kind": "project-document", "title": title[:200]},
        )


def _memories(files: HistoryFiles, memories: Mapping[str, Any], where: str) -> Iterator[ImportedMessage]:
    """Yields what Claude.ai remembers of conversations and of projects, as messages of the assistant. Its text changes
    from export to export, so that the id is a digest of it."""
    others = memories.get("project_memories")
    texts = [("claude:memories", memories.get("conversations_memory"))]
    texts += (
        [(f"claude:project:{key}", text_of_project) for key, text_of_project in others.items()]
        if isinstance(others, dict)
        else []
    )
    for thread, text in texts:
        if isinstance(text, str) and text.strip():
            yield from said(
                files,
                where,
                key=f"{thread}:memory:{_digest(text)}",
                thread=thread,
                text=text,
                at=None,
                role="assistant",
                metadata={"kind": "memory"},
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


#: Other files of an export → what reads an entry of their array.
_OTHER_FILES = {"projects.json": _project, "memories.json": _memories}
NOT_READ = "files of the export that hold no messages"


def _conversations(files: HistoryFiles) -> list[str]:
    return list(files.names) if len(files.names) == 1 else files.named("conversations.json")


def _messages(
    conversation: Mapping[str, Any], messages: Sequence[Any], files: HistoryFiles, where: str, *, branches: bool
) -> Iterator[ImportedMessage]:
    """Yields the messages of a conversation: those of the branch last shown, then those of the others."""
    by_id = {m["uuid"]: m for m in messages if isinstance(m, dict) and isinstance(m.get("uuid"), str)}
    branch = _branch(conversation, by_id)
    thread = f"claude:{conversation['uuid']}"
    title = conversation.get("name")
    metadata = {"title": title[:200]} if isinstance(title, str) and title else None
    for key, message in by_id.items():
        if key not in branch and not branches:
            files.leave_out(OTHER_BRANCHES, where)
            continue
        try:
            content = _content(message, files, where)
        except InvalidInput:
            files.leave_out(UNREADABLE, where)
            continue
        for new_message in said(
            files,
            where,
            key=f"claude:{key}",
            thread=thread if key in branch else f"{thread}:{key}",
            text=content,
            at=message.get("created_at") or conversation.get("created_at"),
            role=_SENDERS.get(str(message.get("sender")), "assistant"),
            metadata=metadata,
        ):
            yield new_message
            metadata = None


def _branch(conversation: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Returns the ids of the branch last shown. Old exports have no branches: all messages are one."""
    if not any(message.get("parent_message_uuid") for message in by_id.values()):
        return set(by_id)
    leaf = conversation.get("current_leaf_message_uuid")
    if leaf not in by_id:
        parents = {message.get("parent_message_uuid") for message in by_id.values()}
        leaves = [key for key in by_id if key not in parents]
        leaf = max(leaves or by_id, key=lambda key: str(by_id[key].get("created_at") or ""), default=None)
    branch: set[str] = set()
    while leaf in by_id and leaf not in branch:
        branch.add(str(leaf))
        leaf = by_id[str(leaf)].get("parent_message_uuid")
    return branch


def _content(message: Mapping[str, Any], files: HistoryFiles, where: str) -> str | tuple[Part, ...]:
    """Returns the content of a message with its attachments."""
    blocks = message.get("content")
    all_blocks = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    shown_blocks = [block for block in all_blocks if not is_thinking(block) and block.get("type") not in _MARKS]
    if any(map(is_thinking, all_blocks)):
        files.leave_out(THOUGHTS, where)
    parts: list[Any] = shown_blocks or ([{"type": "text", "text": message["text"]}] if message.get("text") else [])
    attachments = message.get("attachments")
    names = message.get("files")
    for attached in attachments if isinstance(attachments, list) else ():
        if isinstance(attached, dict):
            text = attached.get("extracted_content") or ""
            parts.append({"type": "text", "text": f"[file: {attached.get('file_name')}]\n{text}".rstrip()})
    for file in names if isinstance(names, list) else ():
        if isinstance(file, dict) and file.get("file_name"):
            parts.append({"type": "text", "text": f"[file: {file['file_name']}]"})
    if not parts:
        return ""
    content = content_of({"content": parts})
    if not isinstance(content, str) and all(isinstance(part, TextPart) for part in content):
        return "\n".join(part.text for part in content if isinstance(part, TextPart))
    return content


CLAUDE = Claude()
