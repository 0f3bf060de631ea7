"""Exports of Slack: a folder or a zip archive with the people, the channels, and a file for each day of a channel.

Replies are a thread of their own. What they reply to stays in the thread of the channel, where it stood before the
first reply, so that a later export adds nothing twice.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from .chat import NOTICES, readable, said, since_epoch
from .files import HistoryFiles
from .format import ReadOptions
from .source import ImportedMessage

_DAY = re.compile(r"\d{4}-\d\d-\d\d\.json")
_PEOPLE = ("users.json", "org_users.json")
_CHANNELS = ("channels.json", "groups.json", "mpims.json")
_NOTICES = ("channel_", "group_", "bot_add", "bot_remove", "pinned_item", "unpinned_item", "tombstone", "huddle_thread")
_BRACKETS = re.compile(r"<([@#!]?)([^<>|\n]{1,2000}+)(?:\|([^<>\n]{0,2000}+))?>")


class Slack:
    """Importer of exports of Slack."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        tables = files.named(*_PEOPLE, *_CHANNELS, "dms.json")
        days = _days(files)
        if not tables or not days:
            return None
        folder = PurePosixPath(tables[0]).parent
        if not all(PurePosixPath(name).is_relative_to(folder) for name in files.names):
            return None
        if any({"[].ts", "[].type"} <= files.outline(name) for name in days[:20]):
            return f"{tables[0]} beside days of channels with 'ts'"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        names = {str(user.get("id")): _name(user) for user in _objects(files, _PEOPLE)}
        channels = {str(item.get("name")): str(item.get("id")) for item in _objects(files, _CHANNELS) if item.get("id")}
        for day in _days(files):
            folder = PurePosixPath(day).parent.name
            channel = channels.get(folder, folder)
            for message, where in files.items(day):
                if isinstance(message, dict):
                    yield from readable(files, where, _said(files, message, channel, names, where))
                else:
                    files.leave_out("entries that are no message", where)


def _days(files: HistoryFiles) -> list[str]:
    return [
        name
        for name in files.names
        if _DAY.fullmatch(PurePosixPath(name).name) and PurePosixPath(name).parent != PurePosixPath(".")
    ]


def _objects(files: HistoryFiles, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for name in files.named(*names):
        for value, _ in files.items(name):
            if isinstance(value, dict):
                yield value


def _name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile") if isinstance(user.get("profile"), dict) else user.get("user_profile")
    fields: Mapping[str, Any] = profile if isinstance(profile, dict) else {}
    names = (fields.get("display_name"), fields.get("real_name"), user.get("real_name"), user.get("name"))
    return str(next((value for value in names if value), ""))


def _said(
    files: HistoryFiles, message: Mapping[str, Any], channel: str, names: Mapping[str, str], where: str
) -> Iterator[ImportedMessage]:
    if str(message.get("subtype") or "").startswith(_NOTICES):
        files.leave_out(NOTICES, where)
        return
    user = message.get("user")
    ts = message.get("ts")
    thread_ts = message.get("thread_ts")
    profile = message.get("bot_profile")
    bot = message.get("username") or (profile.get("name") if isinstance(profile, dict) else None)
    is_reply = bool(thread_ts) and thread_ts != ts
    yield from said(
        files,
        where,
        key=f"slack:{channel}:{ts}",
        thread=f"slack:{channel}:{thread_ts}" if is_reply else f"slack:{channel}",
        name=str(names.get(str(user)) or _name(message) or bot or user or message.get("bot_id") or ""),
        text="\n".join(part for part in (_text(message, names), *_files(message)) if part),
        at=since_epoch(ts),
        metadata={"reply_to": f"slack:{channel}:{thread_ts}"} if is_reply else None,
    )


def _text(message: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Returns the text of a message; one without has blocks or attachments instead."""
    text = message.get("text")
    if not isinstance(text, str) or not text.strip():
        text = "".join(_block_texts(message.get("blocks"))).strip()
    if not text:
        attachments = message.get("attachments")
        objects_attached = (
            [attachment for attachment in attachments if isinstance(attachment, dict)]
            if isinstance(attachments, list)
            else []
        )
        text = "\n".join(
            str(attachment.get("fallback") or attachment.get("text") or "") for attachment in objects_attached
        )
    return plain(text, names)


def plain(text: str, names: Mapping[str, str]) -> str:
    """Returns a text of Slack without its marks: mentions by name, links as they are, `&amp;` as `&`."""

    def shown(match: re.Match[str]) -> str:
        sign = match[1]
        target = match[2]
        label = match[3]
        if sign == "@":
            return f"@{names.get(target) or label or target}"
        if sign == "#":
            return f"#{label or target}"
        if sign == "!":
            return label or f"@{target.partition('^')[0]}"
        target = target.removeprefix("mailto:")
        return target if not label or label == target else f"{label} ({target})"

    return _BRACKETS.sub(shown, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _block_texts(block: Any) -> Iterator[str]:
    """Yields the texts of blocks in order, in the form that messages have."""
    if isinstance(block, list):
        for inner in block:
            yield from _block_texts(inner)
        return
    if not isinstance(block, dict):
        return
    kind = block.get("type")
    if kind == "user":
        yield f"<@{block.get('user_id')}>"
    elif kind == "channel":
        yield f"<#{block.get('channel_id')}>"
    elif kind == "broadcast":
        yield f"@{block.get('range')}"
    elif kind == "emoji":
        yield f":{block.get('name')}:"
    elif kind == "link":
        yield f"<{block.get('url')}|{block.get('text') or block.get('url')}>"
    elif isinstance(block.get("text"), str):
        yield block["text"]
    else:
        yield from _block_texts(block.get("text"))
        for key in ("elements", "fields"):
            yield from _block_texts(block.get(key))
    if kind in ("rich_text_section", "rich_text_quote", "rich_text_preformatted", "section", "header"):
        yield "\n"


def _files(message: Mapping[str, Any]) -> Iterator[str]:
    attached = message.get("files")
    for file in attached if isinstance(attached, list) else ():
        if isinstance(file, dict) and (file.get("name") or file.get("title")):
            yield f"[file: {file.get('name') or file.get('title')}]"


SLACK = Slack()
