"""Channels of Discord as DiscordChatExporter writes them in JSON. Large ones are split into files of one
channel."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from foxing.memory.bounded_json import loads

from .chat import NOTICES, objects, readable, said, time_with_offset
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage

_TAIL_BYTES = 1 << 12
_COUNT = re.compile(rb'"messageCount": ?(\d+)\s*\}\s*\Z')
#: Types of messages that Discord writes itself.
_NOTICES = {
    "RecipientAdd",
    "RecipientRemove",
    "Call",
    "ChannelNameChange",
    "ChannelIconChange",
    "ChannelPinnedMessage",
    "GuildMemberJoin",
    "ThreadCreated",
}
MISSING = "messages that the file counts but does not have; export the channel again"


class Discord(SingleFiles):
    """Importer of channels of Discord."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        fits = {"guild.id", "channel.id", "channel.type", "messages"} <= files.outline(name)
        return "'messages' of a 'channel' in a 'guild'" if fits else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        channel = _channel(files.head(name))
        read = 0
        for message, where in files.items(name, "messages"):
            read += 1
            if isinstance(message, dict):
                yield from readable(files, where, _said(files, message, channel, where))
            else:
                files.leave_out("entries that are no message", where)
        counted = _count(files, name)
        for _ in range(read, counted or 0):
            files.leave_out(MISSING, f"{files.place(name)}, after item {read}")


def _channel(head: bytes) -> str:
    """Returns the id of the channel, which stands before its messages."""
    before, _, _ = head.partition(b'"messages"')
    try:
        return str(loads(before.rstrip().rstrip(b",") + b"}")["channel"]["id"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def _count(files: HistoryFiles, name: str) -> int | None:
    """Returns the number of messages that the end of the file gives; None if the end is missing."""
    before = files.bytes_read
    tail = b""
    with files.open(name) as file:
        while data := file.read(1 << 20):
            tail = (tail + data)[-_TAIL_BYTES:]
    files.bytes_read = before
    match = _COUNT.search(tail)
    return int(match[1]) if match else None


def _said(files: HistoryFiles, message: Mapping[str, Any], channel: str, where: str) -> Iterator[ImportedMessage]:
    if message.get("type") in _NOTICES:
        files.leave_out(NOTICES, where)
        return
    thread = f"discord:{channel}"
    author = message.get("author")
    speaker: Mapping[str, Any] = author if isinstance(author, dict) else {}
    reference = message.get("reference")
    replied = reference.get("messageId") if isinstance(reference, dict) and message.get("type") == "Reply" else None
    yield from said(
        files,
        where,
        key=f"{thread}:{message.get('id')}",
        thread=thread,
        name=str(speaker.get("nickname") or speaker.get("name") or ""),
        text="\n".join(part for part in _texts(message) if part),
        at=time_with_offset(message.get("timestamp")),
        metadata={"reply_to": f"{thread}:{replied}"} if replied else None,
    )


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Yields the text of a message, and a line for each attachment, sticker and embedded text."""
    yield str(message.get("content") or "")
    forwarded = message.get("forwardedMessage")
    if isinstance(forwarded, dict):
        yield from _texts(forwarded)
    for attached in objects(message, "attachments"):
        yield f"[file: {attached.get('fileName')}]"
    for sticker in objects(message, "stickers"):
        yield f"[sticker: {sticker.get('name')}]"
    if not message.get("content"):  # else a preview of a link in it
        for embed in objects(message, "embeds"):
            yield str(embed.get("title") or "")
            yield str(embed.get("description") or "")
            for field in objects(embed, "fields"):
                yield f"{field.get('name')}: {field.get('value')}"


DISCORD = Discord()
