"""Exports of Telegram Desktop: `result.json` with one chat or with all, alone or in the folder of its media."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from foxing.memory.bounded_json import loads
from foxing.memory.values.parts import ImagePart, Part

from .attached_images import AttachedImages, content_with_images
from .chat import NOTICES, readable, said, since_epoch
from .files import HistoryFiles, is_image_name
from .format import ReadOptions
from .source import ImportedMessage

_KIND = re.compile(
    rb'"type": ?"(?:saved_messages|replies|verification_codes|personal_chat|bot_chat|'
    rb'(?:private|public)_(?:group|supergroup|channel))"'
)
#: What an export of an account may begin with.
_SECTIONS = {
    "personal_information",
    "profile_pictures",
    "stories",
    "contacts",
    "frequent_contacts",
    "sessions",
    "other_data",
    "chats",
    "left_chats",
}
#: Control characters as Telegram writes them, which is not JSON; the number of backslashes before is even.
_CONTROL = re.compile(rb"(?<!\\)((?:\\\\)*+)\\x([0-9a-fA-F]{2})")
#: Ids of emoji that exports of 2022 have without quotation marks.
_UNQUOTED = re.compile(rb'("document_id": )([^"\s][^",\r\n]*+)')
_MISSING = re.compile(r"\((?:File|Photo|Video)[^)]*\)\Z")
_MEDIA = {"voice_message": "voice message", "video_message": "video message", "video_file": "video"}
DELETED = "Deleted account"


class Telegram:
    """Importer of exports of Telegram Desktop."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        name = _result(files)
        if name is None:
            return None
        outline = files.outline(name)
        if {"type", "id", "messages"} <= outline and _KIND.search(files.head(name)):
            return f"{files.place(name)} is a chat with 'messages'"
        sections = outline & _SECTIONS
        if "about" in outline and sections and b"Telegram" in files.head(name, 2000):
            return f"{files.place(name)} has 'about' Telegram and '{min(sections)}'"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        name = _result(files)
        if name is None:
            return
        images = AttachedImages(files)
        if "about" in files.outline(name):
            for chats in ("chats.list", "left_chats.list"):
                for chat, where in files.items(name, chats, repair=repaired):
                    messages = chat.get("messages") if isinstance(chat, dict) else None
                    for number, message in enumerate(messages if isinstance(messages, list) else (), 1):
                        place = f"{where}, message {number}"
                        yield from readable(files, place, _said(images, name, message, chat.get("id"), place))
            return
        chat_id = _chat_id(files.head(name))
        for message, where in files.items(name, "messages", repair=repaired):
            yield from readable(files, where, _said(images, name, message, chat_id, where))


def repaired(line: bytes) -> bytes:
    """Returns a line of an export as JSON."""
    if b"\\x" in line:
        line = _CONTROL.sub(rb"\1\\u00\2", line)
    return _UNQUOTED.sub(_quoted, line) if b'"document_id"' in line else line


def _quoted(match: re.Match[bytes]) -> bytes:
    return match[1] + json.dumps(match[2].decode("utf-8", "replace")).encode()


def _result(files: HistoryFiles) -> str | None:
    """Returns the file with the chats; None if there is none, or if other files lie outside its folder."""
    if len(files.names) == 1:
        return files.names[0]
    names = files.named("result.json")
    folder = PurePosixPath(names[0]).parent if len(names) == 1 else None
    inside = folder is not None and all(PurePosixPath(name).is_relative_to(folder) for name in files.names)
    return names[0] if inside else None


def _chat_id(head: bytes) -> Any:
    """Returns the id of the chat, which stands before its messages."""
    before, _, _ = head.partition(b'"messages"')
    try:
        return loads(b"".join(map(repaired, before.splitlines(True))).rstrip().rstrip(b",") + b"}").get("id")
    except ValueError:
        return None


def _said(images: AttachedImages, chat_file: str, message: Any, chat: Any, where: str) -> Iterator[ImportedMessage]:
    files = images.files
    if not isinstance(message, dict) or message.get("type") != "message":
        is_notice = isinstance(message, dict) and message.get("type") == "service"
        files.leave_out(NOTICES if is_notice else "messages of an unknown type", where)
        return
    thread = f"telegram:{chat}"
    replied = message.get("reply_to_message_id")
    yield from said(
        files,
        where,
        key=f"{thread}:{message.get('id')}",
        thread=thread,
        name=str(message.get("from") or DELETED),
        text=_content(message, images, chat_file, where),
        at=since_epoch(message.get("date_unixtime")),
        metadata={"reply_to": f"{thread}:{replied}"} if replied and "reply_to_peer_id" not in message else None,
    )


def _content(message: Mapping[str, Any], images: AttachedImages, chat_file: str, where: str) -> str | tuple[Part, ...]:
    """Returns the images and the text of a message, with a line for each other thing in it. `chat_file`: the file of
    the chat."""
    pieces: list[str | ImagePart] = [*_media(message), _text(message.get("text"))]
    media = message.get("photo") or (None if message.get("sticker_emoji") else message.get("file"))
    if media and (message.get("photo") or is_image_name(str(media))):
        path = None if _MISSING.search(str(media)) else images.named(str(media), chat_file)
        image = images.read(path, PurePosixPath(str(media)).name, where)
        if isinstance(image, ImagePart):
            pieces[0] = image
    return content_with_images(images.files, [piece for piece in pieces if piece], where) or ""


def _text(text: Any) -> str:
    """Returns a text, which is a string or a list of pieces with formats. Nothing stands between them."""
    return "".join(map(_piece, text)) if isinstance(text, list) else text if isinstance(text, str) else ""


def _piece(piece: Any) -> str:
    if not isinstance(piece, dict):
        return piece if isinstance(piece, str) else ""
    text = str(piece.get("text") or "")
    link = piece.get("href")
    return f"{text} ({link})" if isinstance(link, str) and link and link != text else text


def _media(message: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each thing in a message that is no text."""
    photo = message.get("photo")
    file = message.get("file")
    if photo:
        yield "[photo]" if _MISSING.search(str(photo)) else f"[photo: {PurePosixPath(str(photo)).name}]"
    if file:
        kind = str(message.get("media_type") or "file")
        detail = message.get("sticker_emoji") or message.get("file_name")
        if not detail and not _MISSING.search(str(file)):
            detail = PurePosixPath(str(file)).name
        yield f"[{_MEDIA.get(kind, kind.replace('_', ' '))}{f': {detail}' if detail else ''}]"
    contact, place, poll = (message.get(key) for key in ("contact_information", "location_information", "poll"))
    if isinstance(contact, dict):
        values = (contact.get(key) for key in ("first_name", "last_name", "phone_number"))
        yield f"[contact: {' '.join(str(value) for value in values if value)}]"
    if isinstance(place, dict):
        yield f"[location: {place.get('latitude')}, {place.get('longitude')}]"
    if isinstance(poll, dict):
        yield f"[poll: {poll.get('question')}]"


TELEGRAM = Telegram()
