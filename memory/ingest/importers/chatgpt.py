"""Data exports of ChatGPT: `conversations.json`, or `conversations-000.json` and so on, in a zip archive or a folder.

A conversation is a tree of messages, since answers are regenerated and questions edited. Its thread is the branch that
was last shown; the others can be read as threads of their own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from foxing.memory.images.limits import MAX_IMAGES
from foxing.memory.values.parts import ImagePart, Part, ToolCall, ToolResult

from .attached_images import AttachedImages, content_with_images
from .chat import UNREADABLE, readable, said
from .files import HistoryFiles
from .format import OTHER_BRANCHES, THOUGHTS, ReadOptions
from .source import ImportedMessage

_FILE = re.compile(r"conversations(-\d+)?\.json")
#: Marks of citations: groups of private-use characters, and brackets with a source.
_CITATION = re.compile("\ue200[^\ue201]*\ue201|[\ue200-\ue206]|【[^】]*†[^】]*】")
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
_TEXTS = {
    "code": "text",
    "execution_output": "text",
    "reasoning_recap": "content",
    "tether_quote": "text",
    "tether_browsing_display": "result",
    "sonic_webpage": "text",
    "system_error": "text",
}
_THOUGHTS = ("thoughts", "reasoning_recap")
_PROFILE = "user_editable_context"


class ChatGpt:
    """Importer of data exports of ChatGPT."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        for name in _shards(files):
            outline = files.outline(name)
            if "[].mapping" in outline and not outline.isdisjoint({"[].current_node", "[].create_time", "[].title"}):
                return f"{files.place(name)} has conversations with 'mapping'"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        shards = _shards(files)
        images = AttachedImages(files)
        newest = _newest(files, shards) if len(shards) > 1 else {}
        for name in shards:
            for value, where in files.items(name):
                if not isinstance(value, dict) or not isinstance(value.get("mapping"), dict):
                    files.leave_out("entries that are no conversation", where)
                    continue
                key = _id_of(value)
                if newest.get(key, where) != where:
                    files.leave_out("older copies of a conversation", where)
                    continue
                conversation = _Conversation(value, key, files, images, where)
                yield from readable(files, where, conversation.messages(branches=options.branches))


def _shards(files: HistoryFiles) -> list[str]:
    alone = len(files.names) == 1
    return [name for name in files.names if alone or _FILE.fullmatch(PurePosixPath(name).name)]


def _newest(files: HistoryFiles, shards: Sequence[str]) -> dict[str, str]:
    """Returns the id of each conversation → the place of its newest copy: an export may have it twice."""
    newest: dict[str, tuple[float, str]] = {}
    counts = {reason: (reason_left.count, reason_left.first) for reason, reason_left in files.omissions.items()}
    for name in shards:
        for value, where in files.items(name):
            if isinstance(value, dict):
                key = _id_of(value)
                updated = value.get("update_time")
                at = float(updated) if isinstance(updated, (int, float)) else 0.0
                if key not in newest or at > newest[key][0]:
                    newest[key] = at, where
    for reason in files.omissions.keys() - counts.keys():  # noted again when they are read
        del files.omissions[reason]
    files.bytes_read = 0
    return {key: where for key, (_, where) in newest.items()}


def _id_of(conversation: Mapping[str, Any]) -> str:
    return str(conversation.get("conversation_id") or conversation.get("id") or conversation.get("create_time"))


class _Conversation:
    """A conversation of an export."""

    def __init__(
        self, value: Mapping[str, Any], key: str, files: HistoryFiles, images: AttachedImages, where: str
    ) -> None:
        self._value = value
        self._key = key
        self._files = files
        self._images = images
        self._where = where
        self._nodes: Mapping[str, Any] = {i: node for i, node in value["mapping"].items() if isinstance(node, dict)}
        self._title = value.get("title") if isinstance(value.get("title"), str) else None

    def messages(self, *, branches: bool) -> Iterator[ImportedMessage]:
        """Yields the messages of the current branch; with `branches`, those of the others as threads of their own."""
        branch = self._path(self._current())
        yield from self._thread(branch, f"chatgpt:{self._key}")
        seen = set(branch)
        leaves = [i for i, node in self._nodes.items() if i not in seen and not self._children(node)]
        for leaf in leaves:
            new = [i for i in self._path(leaf) if i not in seen]
            if not branches:
                if any(self._has_message(i) for i in new):
                    self._files.leave_out(OTHER_BRANCHES, self._where)
            else:
                yield from self._thread(new, f"chatgpt:{self._key}:{leaf}")
            seen.update(new)

    def _current(self) -> str | None:
        """Returns the id of the last message shown, or else of the newest message without answers."""
        current = self._value.get("current_node")
        if current in self._nodes:
            return str(current)
        leaves = [i for i, node in self._nodes.items() if not self._children(node)]
        return max(leaves or self._nodes, key=lambda i: _seconds(self._nodes[i].get("message")) or 0.0, default=None)

    def _children(self, node: Mapping[str, Any]) -> list[str]:
        children = node.get("children")
        return [i for i in children if i in self._nodes] if isinstance(children, list) else []

    def _path(self, leaf: str | None) -> list[str]:
        """Returns the ids from the root to `leaf`. Exports with circles exist."""
        path: dict[str, None] = {}
        while leaf is not None and leaf in self._nodes and leaf not in path:
            path[leaf] = None
            leaf = self._nodes[leaf].get("parent")
        return list(path)[::-1]

    def _has_message(self, node_id: str) -> bool:
        return isinstance(self._nodes[node_id].get("message"), dict)

    def _thread(self, path: Sequence[str], thread: str) -> Iterator[ImportedMessage]:
        at = _seconds(self._value)
        first = True
        for node_id in path:
            message = self._nodes[node_id].get("message")
            if not isinstance(message, dict):
                continue
            at = _seconds(message) or at or _seconds({"create_time": self._value.get("update_time")})
            metadata = {"title": self._title[:200]} if first and self._title else None
            content = self._content(message)
            if content is None:
                continue
            try:
                said_at = None if at is None else datetime.fromtimestamp(at, UTC)
            except (ValueError, OverflowError, OSError):
                self._without(UNREADABLE)
                continue
            name = _author(message).get("name")
            for new_message in said(
                self._files,
                self._where,
                key=f"chatgpt:{self._key}:{node_id}",
                thread=thread,
                name=name if isinstance(name, str) else None,
                text=content,
                at=said_at,
                role=_role(message, content),
                metadata=metadata,
            ):
                first = False
                yield new_message

    def _content(self, message: Mapping[str, Any]) -> str | tuple[Part, ...] | None:
        """Returns the content of a message; None if it is left out."""
        metadata: Mapping[str, Any] = message["metadata"] if isinstance(message.get("metadata"), dict) else {}
        content = message.get("content")
        kind = content.get("content_type") if isinstance(content, dict) else None
        hidden = metadata.get("is_visually_hidden_from_conversation") or metadata.get("is_user_system_message")
        if hidden or message.get("weight") == 0 or kind == _PROFILE:
            return self._without("hidden messages")
        if not isinstance(content, dict):
            return self._without("messages without content")
        if kind in _THOUGHTS:
            return self._without(THOUGHTS)
        if kind == "code" and message.get("recipient") not in (None, "all"):
            return (self._call(message, content),)
        pieces = [
            _CITATION.sub("", piece).strip("\n") if isinstance(piece, str) else piece
            for piece in self._pieces(content, metadata)
        ]
        pieces = [piece for piece in pieces if piece]
        texts = [piece for piece in pieces if isinstance(piece, str)]
        if len(texts) == len(pieces) and not any(map(str.strip, texts)):
            return self._without("messages without text")
        author = _author(message)
        if author.get("role") == "tool":
            tool = str(author.get("name") or message.get("id") or self._key)
            images = [piece for piece in pieces if isinstance(piece, ImagePart)]
            return (
                ToolResult(id=tool, content="\n".join(texts), is_error=kind == "system_error"),
                *images[:MAX_IMAGES],
            )
        return content_with_images(self._files, pieces, self._where)

    def _call(self, message: Mapping[str, Any], content: Mapping[str, Any]) -> ToolCall:
        recipient = str(message["recipient"])
        return ToolCall(id=recipient, name=recipient, arguments={"input": str(content.get("text") or "")})

    def _pieces(self, content: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[str | ImagePart]:
        """Yields the texts and images of a message, and a line for each other file."""
        kind = content.get("content_type")
        field = _TEXTS.get(str(kind))
        if field is not None:
            if isinstance(content.get(field), str):
                yield content[field]
        elif kind not in ("text", "multimodal_text"):
            self._files.leave_out(f"contents of the unknown type {kind}, except their text", self._where)
        if kind == "tether_quote" and isinstance(content.get("url"), str):
            yield content["url"]
        if field is None and isinstance(content.get("text"), str):
            yield content["text"]
        parts = content.get("parts")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, str):
                if part:
                    yield part
            elif isinstance(part, dict):
                yield from self._object(part, metadata)

    def _object(self, part: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[str | ImagePart]:
        kind = part.get("content_type")
        if isinstance(part.get("text"), str):  # the transcription of audio
            yield part["text"]
        elif kind == "image_asset_pointer":
            yield self._image(str(part.get("asset_pointer", "")), metadata)
        elif isinstance(kind, str) and "audio" not in kind:
            yield f"[{kind}]"

    def _image(self, pointer: str, metadata: Mapping[str, Any]) -> str | ImagePart:
        """Returns the image that a pointer leads to, with its name as it was attached, or as it is in the export."""
        key = pointer.rpartition("://")[2]
        path = self._images.beginning(key)
        return self._images.read(path, self._name(key, path, metadata), self._where)

    def _name(self, key: str, path: str | None, metadata: Mapping[str, Any]) -> str:
        attachments = metadata.get("attachments")
        for attached in attachments if isinstance(attachments, list) else ():
            if isinstance(attached, dict) and attached.get("id") == key and isinstance(attached.get("name"), str):
                return str(attached["name"])
        return key if path is None else PurePosixPath(path).name

    def _without(self, reason: str) -> str | None:
        """Notes a message that is left out."""
        self._files.leave_out(reason, self._where)
        return None


def _role(message: Mapping[str, Any], content: str | tuple[Part, ...]) -> str:
    if not isinstance(content, str) and isinstance(content[0], ToolResult):
        return "tool"
    return _ROLES.get(str(_author(message).get("role")), "assistant")


def _author(message: Mapping[str, Any]) -> Mapping[str, Any]:
    author = message.get("author")
    return author if isinstance(author, dict) else {}


def _seconds(message: Any) -> float | None:
    at = message.get("create_time") if isinstance(message, dict) else None
    return float(at) if isinstance(at, (int, float)) and not isinstance(at, bool) and at > 0 else None


CHATGPT = ChatGpt()
