"""A thread as a Markdown file, which people read and edit, and an import reads back.

    ---
    foxing: 1
    thread: "titan"
    title: "Release plan"
    ---

    # Release plan

    <!-- foxing: {"id":"m1","role":"user","at":"2026-03-02T09:15:00+00:00"} -->
    ## 2026-03-02

    **user** Ann · 09:15

    When do we ship Titan?

A message begins with a comment, which has what a reader does not need, and ends before the next one. Its text stands
as it is; only a line that looks like such a comment is escaped, with a backslash. Gaps stand as ` … `, and the comment
says which of these marks are gaps. Times are in UTC. Images are files beside, named by their contents.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from foxing.memory.bounded_json import loads
from foxing.memory.errors import InvalidInput
from foxing.memory.images.limits import MAX_IMAGE_BYTES
from foxing.memory.values.base import first_error
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import NewMessage, RecalledMessage
from foxing.memory.values.part_text import parse_parts, render_parts
from foxing.memory.values.parts import ImagePart, Part, TextPart
from foxing.memory.values.trust import own_trust
from foxing.renderer.marks import GAP_MARK

from .attached_images import NOT_KEPT, NOT_THERE
from .files import HistoryFiles
from .source import ImportedMessage

VERSION = 1
FIRST_LINE = "---"
VERSION_KEY = "foxing"
IMAGES = "images"
#: Cap on the bytes of the text of a message in a file.
MAX_TEXT_BYTES = 64 << 20
#: Name of an image: the start of the digest of its file.
IMAGE_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|webp|gif)")
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_MARKER = re.compile(r"<!-- foxing: (\{.*\}) -->")
_LOOKS_MARKED = re.compile(r"^\\*<!-- foxing:", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- foxing:)", re.MULTILINE)
#: A text gap mark; two may share a blank.
_GAP = re.compile(f"(?={re.escape(TEXT_GAP_MARK)})")
_DAY = "## "
_BARE_NAME = re.compile(r"[\w\-][\w\- .]{0,79}")
_NOT_IN_NAMES = re.compile(r"[^\w\-]+")
_NOT_IN_LINKS = re.compile(r"[\[\]\s]+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")
_NAME_CHARS = 60


def file_name(thread: str) -> str:
    """Returns the name of the file of a thread, which depends on nothing else: readable, and different for threads that
    a file system takes for one."""
    plain = _BARE_NAME.fullmatch(thread) and thread == thread.casefold() and thread[-1] not in " ."
    if plain and not _RESERVED.fullmatch(thread) and thread.isascii():
        return f"{thread}.md"
    start = _NOT_IN_NAMES.sub("-", thread)[:_NAME_CHARS].strip("-") or "thread"
    return f"{start}-{hashlib.sha256(thread.encode()).hexdigest()[:8]}.md"


def beginning(thread: str, title: str | None) -> str:
    """Returns the beginning of the file of a thread."""
    lines = [FIRST_LINE, f"{VERSION_KEY}: {VERSION}", f"thread: {_json(thread)}"]
    lines += [f"title: {_json(title)}"] if title else []
    heading = " ".join((title or thread).split())
    return "\n".join([*lines, FIRST_LINE, "", f"# {heading}", "", ""])


def title_of(message: RecalledMessage) -> str | None:
    """Returns the title of a thread, which its first message has in its metadata; None if it has none."""
    title = message.metadata.get("title")
    return title if isinstance(title, str) and title.strip() else None


def entry(message: RecalledMessage, day_before: str | None, keep: Callable[[str, bytes], None]) -> tuple[str, str]:
    """Returns a message as it stands in a file, and its day. `day_before`: that of the message before; `keep`: called
    with the name and the contents of each image."""
    at = message.created_at.astimezone(UTC)
    day = at.date().isoformat()
    fields: dict[str, Any] = {"id": message.message_id, "role": message.role, "at": at.isoformat()}
    if message.name is not None:
        fields["name"] = message.name
    if own_trust(message.role, message.trust) is not None:
        fields["trust"] = message.trust
    if message.expires_at is not None:
        fields["expires_at"] = message.expires_at.astimezone(UTC).isoformat()
    if message.metadata:
        fields["metadata"] = message.metadata
    images = [part for part in message.parts or () if isinstance(part, ImagePart)]
    stands_as_parts = message.parts is not None and not _is_text_with_images(message)
    if stands_as_parts:
        fields["parts"] = len(message.parts or ())
    if message.gaps:
        gaps = set(message.gaps)
        places = [match.start() for match in _GAP.finditer(message.text)]
        fields["gaps"] = [number for number, place in enumerate(places) if place in gaps]
    links: list[str] = []
    if images:
        fields["images"] = [_image_fields(image, links, keep) for image in images]
    who = f"**{message.role}**" + (f" {' '.join(message.name.split())}" if message.name else "")
    lines = [f"<!-- foxing: {_json(fields)} -->"]
    lines += [f"{_DAY}{day}", ""] if day != day_before else []
    lines += [f"{who} · {at:%H:%M}", *links, ""]
    text = _LOOKS_MARKED.sub(r"\\\g<0>", message.text)
    return "\n".join(lines) + f"\n{text}\n\n", day


def _is_text_with_images(message: RecalledMessage) -> bool:
    """True if the parts of a message are its faded text as it is, and its images."""
    first = (message.parts or (None,))[0]
    return bool(message.gaps) and isinstance(first, TextPart) and first.text == message.text


def _image_fields(image: ImagePart, links: list[str], keep: Callable[[str, bytes], None]) -> dict[str, Any]:
    fields = image.model_dump(mode="json", include={"tier", "original", "machine_read"}, exclude_none=True)
    if image.data is not None:
        content = base64.b64decode(image.data)
        suffix = _SUFFIXES.get(image.media_type or "", "png")
        name = f"{IMAGES}/{hashlib.sha256(content).hexdigest()[:32]}.{suffix}"
        keep(name, content)
        fields["file"] = name
        title = _NOT_IN_LINKS.sub(" ", image.alt or image.name or "image").strip()
        links.append(f"![{title}]({name})")
    return fields


def is_thread_file(head: bytes) -> bool:
    """True if a file begins like that of a thread. `head`: its first bytes."""
    lines = head[:200].decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return lines[0] == FIRST_LINE and len(lines) > 1 and re.fullmatch(rf"{VERSION_KEY}: \d+", lines[1]) is not None


def read(files: HistoryFiles, name: str) -> Iterator[ImportedMessage]:
    """Yields the messages of a file. Raises `InvalidInput` for the file of a newer version; a damaged message is left
    out."""
    place = files.place(name)
    front: dict[str, str] = {}
    number = 0
    fields: dict[str, Any] | None = None
    lines: list[str] = []
    size = 0
    begun = 0
    in_front = False
    line_end = "\n"
    for line in files.lines(name):
        number = line.number
        text = line.data.decode("utf-8", "replace")
        if number == 1:
            line_end = "\r\n" if text.endswith("\r\n") else "\n"
        text = text.removesuffix(line_end)
        if number == 1 or in_front:
            in_front = number == 1 or text != FIRST_LINE
            key, _, value = text.partition(": ")
            front[key] = value
            if number > 100:
                raise InvalidInput(f"{place}: its front matter does not end; restore the line '---' after it")
            if not in_front:
                _check_version(place, front)
            continue
        marker = _MARKER.fullmatch(text)
        if marker is None:
            if fields is not None:
                lines.append(text)
                size += len(line.data)
                if size > MAX_TEXT_BYTES:
                    raise InvalidInput(f"{place}, line {begun}: the message is longer than {MAX_TEXT_BYTES >> 20} MiB")
            continue
        if fields is not None:
            yield from _message(files, name, front, fields, lines, begun)
        lines = []
        size = 0
        begun = number
        fields = _fields_of(files, marker[1], f"{place}, line {number}")
    if fields is not None:
        yield from _message(files, name, front, fields, lines, begun)


def _check_version(place: str, front: Mapping[str, str]) -> None:
    version = front.get(VERSION_KEY, "")
    if version != str(VERSION):
        raise InvalidInput(
            f"{place} was written by a newer version of Foxing (format {version[:20]}); upgrade foxing, or export it "
            "again"
        )


def _fields_of(files: HistoryFiles, text: str, where: str) -> dict[str, Any] | None:
    try:
        value = loads(text.encode())
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    files.leave_out("messages whose comment is damaged", where)
    return None


def _message(
    files: HistoryFiles,
    name: str,
    front: Mapping[str, str],
    fields: Mapping[str, Any],
    lines: Sequence[str],
    number: int,
) -> Iterator[ImportedMessage]:
    """Yields a message. `lines`: those after its comment; `number`: line of this."""
    where = f"{files.place(name)}, line {number}"
    body = list(lines)
    if body and body[0].startswith(_DAY):
        del body[: 2 if body[1:2] == [""] else 1]
    del body[: body.index("") + 1 if "" in body else len(body)]
    text = _ESCAPED.sub(r"\1", "\n".join(body).removesuffix("\n"))
    try:
        thread = json.loads(front.get("thread", '""')) or PurePosixPath(name).stem
        yield ImportedMessage(_of_text(files, name, fields, text, str(thread), where), where, files.bytes_read)
    except ValidationError as error:
        files.leave_out(f"messages that are not valid ({first_error(error)[1]})", where)
    except (ValueError, TypeError, AttributeError) as error:
        files.leave_out("messages whose comment is damaged", f"{where}: {error}")


def _of_text(
    files: HistoryFiles, name: str, fields: Mapping[str, Any], text: str, thread: str, where: str
) -> NewMessage:
    """Returns the message of a text and its comment. Raises `ValueError`, `TypeError` or `AttributeError`."""
    text, gaps = _with_gaps(text, fields.get("gaps") or ())
    images = [_image(files, name, image, where) for image in fields.get("images") or ()]
    content: str | tuple[Part, ...] = text
    if fields.get("parts"):
        parts = parse_parts(text)
        if parts is not None and render_parts(parts) == text:
            content = _with_images(parts, images)
    else:
        parts = tuple(image for image in images if image is not None)
        content = (TextPart(text=text), *parts) if parts else text
    message = NewMessage.model_validate(
        {
            "id": fields["id"],
            "role": fields["role"],
            "name": fields.get("name"),
            "created_at": fields["at"],
            "expires_at": fields.get("expires_at"),
            "thread": thread,
            "metadata": fields.get("metadata"),
            "trust": fields.get("trust"),
            "content": content,
        }
    )
    kept_gaps = gaps if gaps and message.text.startswith(text) else []
    return NewMessage.model_validate({**dict(message), "gaps": kept_gaps}) if kept_gaps else message


def _with_gaps(text: str, numbers: Sequence[int]) -> tuple[str, list[int]]:
    """Returns a text with the mark of a page in place of each gap, and their offsets. `numbers`: of the marks that are
    gaps; those that an edit has removed are none any more."""
    places = [match.start() for match in _GAP.finditer(text)]
    gaps = sorted({places[number] + 1 for number in numbers if 0 <= number < len(places)})
    characters = list(text) if gaps else []
    for gap in gaps:
        characters[gap] = GAP_MARK
    return "".join(characters) if gaps else text, gaps


def _image(files: HistoryFiles, name: str, fields: Mapping[str, Any], where: str) -> ImagePart | None:
    """Returns an image; None if its file is missing or cannot be kept, which is noted."""
    file = fields.get("file")
    described = {key: fields.get(key) for key in ("tier", "original", "machine_read")}
    if file is None:
        return ImagePart.model_validate(described) if described["original"] is not None else None
    path = str(PurePosixPath(name).parent / str(file))
    if IMAGE_NAME.fullmatch(PurePosixPath(path).name) is None or path not in files.sizes:
        files.leave_out(NOT_THERE, where)
        return None
    before = files.bytes_read
    try:
        with files.open(path) as stream:
            content = stream.read(MAX_IMAGE_BYTES + 1)
        part = ImagePart.model_validate({"data": base64.b64encode(content).decode()})
        if described["original"] is None:
            return part
        sized = part.model_dump(include={"data", "media_type", "width", "height"})
        return ImagePart.model_validate(sized | described)
    except (InvalidInput, ValidationError) as error:
        files.leave_out(NOT_KEPT, f"{where}: {error}")
        return None
    finally:
        files.bytes_read = before


def _with_images(parts: Sequence[Part], images: Sequence[ImagePart | None]) -> tuple[Part, ...]:
    """Returns parts with the files of their images, whose labels have their names."""
    result = list[Part]()
    waiting = iter(images)
    for part in parts:
        image = next(waiting, None) if isinstance(part, ImagePart) else None
        if isinstance(part, ImagePart) and image is not None:
            part = image.model_copy(update={"name": part.name, "alt": part.alt, "url": part.url})
        result.append(part)
    return tuple(result)


def _json(value: Any) -> str:
    """Returns a value as JSON that cannot end a comment of HTML."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace(">", "\\u003e")
