"""Mail: mbox files, which hold many messages, and messages alone (EML). Quoted parts stay in the text."""

import email
import email.policy
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from itertools import islice
from typing import Any, cast

from foxing.memory.images.limits import MAX_IMAGE_BYTES
from foxing.memory.values.parts import ImagePart

from .attached_images import NOT_KEPT, content_with_images, image_of
from .chat import said
from .files import HistoryFiles
from .format import ReadOptions
from .html_text import text_of
from .source import ImportedMessage

#: The line before each message of an mbox file: “From ann@x.org Sat Mar 28 14:05:00 2026”.
_FROM = re.compile(rb"From \S{1,300}[^\r\n]{0,60}? (?:\d\d:\d\d(?::\d\d)?|\d{4})")
_QUOTED_FROM = re.compile(rb">+From ")
_HEADER = re.compile(rb"\A([!-9;-~]{1,76}):(?:[ \t]|\r?\n)")
_USUAL = {b"from", b"to", b"subject", b"date", b"message-id", b"received", b"mime-version", b"return-path"}
_ID = re.compile(r"<([^<>\s]{1,900})>")
#: Caps on a mail: its bytes, and the parts that it may have.
MAX_MAIL_BYTES = 128 << 20
MAX_PARTS = 1_000
#: Most characters of a field that are read. The standard library takes time in proportion to the square of a field.
MAX_FIELD = 1 << 14
#: Fields that say what a part is, of which only these parameters are read.
_MIME_FIELDS = ("content-type", "content-disposition")
_PARAMETERS = ("charset", "boundary", "name", "filename")
_KIND = re.compile(r"[\w.+-]{1,100}+(?:/[\w.+-]{1,100}+)?")
_PARAMETER = re.compile(
    r";\s*+((?:charset|boundary|name|filename)(?:\*\d{0,2}+\*?)?)\s*+=\s*+(\"(?:[^\"\\\r\n]|\\.){0,300}+\"|[^\s;\"]{1,300}+)",
    re.IGNORECASE,
)
MAX_PARAMETERS = 12
UNREAD = "mails that cannot be read"
CUT_FIELDS = f"the rest of a mail's fields of more than {MAX_FIELD:,} characters"
TOO_LARGE = f"mails of more than {MAX_MAIL_BYTES >> 20} MiB"


class _MailPolicy(email.policy.EmailPolicy):
    """Policy of the standard library whose parser takes time in proportion to a mail: it takes more than that for long
    fields, which are shortened, those with parameters to what is read here. Raises `MessageError` for too many
    parts."""

    def __init__(self, parts: "_Parts") -> None:
        super().__init__(message_factory=parts.next)
        object.__setattr__(self, "parts", parts)  # a policy takes no other assignment

    #: the parts of the mail
    parts: "_Parts"

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """See `email.policy.Policy`."""
        name, value = super().header_source_parse(sourcelines)
        if name.lower() in _MIME_FIELDS:
            return name, _shortened(value)
        self.parts.cut = self.parts.cut or len(value) > MAX_FIELD
        return name, value[:MAX_FIELD]


class _Parts:
    """The parts of a mail, counted."""

    def __init__(self) -> None:
        self._count = 0
        #: whether a field was too long
        self.cut = False

    def next(self, policy: Any = None) -> EmailMessage:
        """Returns a new part. Raises `MessageError` for too many."""
        self._count += 1
        if self._count > MAX_PARTS:
            raise MessageError(f"the mail has more than {MAX_PARTS:,} parts")
        return EmailMessage(policy=policy)


def _shortened(value: str) -> str:
    """Returns the value of a field with the parameters that are read."""
    kind = _KIND.match(value.lstrip())
    parameters = islice(_PARAMETER.finditer(value), MAX_PARAMETERS)
    return "; ".join([kind[0] if kind else "", *(f"{match[1]}={match[2]}" for match in parameters)])


class Mail:
    """Importer of mbox files and of messages in EML."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        if len(files.names) != 1:
            return None
        head = files.head(files.names[0], 1 << 14)
        lines = head.splitlines()
        is_mbox = bool(lines and _FROM.match(lines[0]))
        headers: set[bytes] = set()
        for line in lines[is_mbox:]:
            match = _HEADER.match(line + b"\n")
            if match:
                headers.add(match[1].lower())
            elif line[:1] not in (b" ", b"\t") or not headers:
                break  # the end of the header, or no header
        if len(headers & _USUAL) < (2 if is_mbox else 3):
            return None
        return "an mbox file, with a line 'From …' before each message" if is_mbox else "the header of a mail"

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        roots: dict[str, str] = {}
        for name in files.names:
            for number, (data, line) in enumerate(_messages(files, name), 1):
                where = f"{files.place(name)}, mail {number}, line {line}"
                yield from _said(files, data, where, roots)


def _messages(files: HistoryFiles, name: str) -> Iterator[tuple[bytes, int]]:
    """Yields each message of a file with the number of its first line, one at a time."""
    lines: list[bytes] = []
    first = 1
    is_mbox = False
    after_blank = True
    size = 0
    for line in files.lines(name):
        data = line.data
        if line.number == 1:
            is_mbox = bool(_FROM.match(data))
        if is_mbox and after_blank and _FROM.match(data):
            if lines:
                yield b"".join(lines), first
            lines = []
            first = line.number + 1
            size = 0
        else:
            size += len(data)
            if size <= MAX_MAIL_BYTES:
                lines.append(data[1:] if is_mbox and _QUOTED_FROM.match(data) else data)
            elif lines:
                files.leave_out(TOO_LARGE, f"{files.place(name)}, line {first}")
                lines = []
        after_blank = not data.strip(b"\r\n")
    if lines:
        yield b"".join(lines), first


def _said(files: HistoryFiles, data: bytes, where: str, roots: dict[str, str]) -> Iterator[ImportedMessage]:
    try:
        parts = _Parts()
        mail = cast(EmailMessage, email.message_from_bytes(data, policy=_MailPolicy(parts)))
        fields = {key: _field(mail, key) for key in ("message-id", "references", "in-reply-to", "subject", "from")}
        attached = list(_attachments(files, mail, where))
        body = "\n".join(
            part for part in (_body(mail), *(piece for piece in attached if isinstance(piece, str))) if part
        )
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        files.leave_out(UNREAD, where)
        return
    if parts.cut:
        files.leave_out(CUT_FIELDS, where)
    key = (_ID.findall(fields["message-id"]) or [hashlib.sha256(data.strip()).hexdigest()[:24]])[0]
    root, replied = _thread(fields, key, roots)
    roots[key] = root
    subject = " ".join(fields["subject"].split())
    at = _time(mail)
    if at is None:
        files.leave_out("dates of mails, missing or damaged: such a mail gets the time of the import", where)
    text = f"{subject}\n\n{body}" if subject and not replied else body
    images = [piece for piece in attached if isinstance(piece, ImagePart)]
    yield from said(
        files,
        where,
        key=f"mail:{key}",
        thread=f"mail:{root}",
        name=_name(fields["from"]),
        text=content_with_images(files, [*([text] if text.strip() else []), *images], where) if images else text,
        at=at,
        metadata={"subject": subject[:200]} if subject else None,
    )


def _field(mail: EmailMessage, name: str) -> str:
    """Returns a header, as it stands if it is damaged."""
    try:
        return str(mail.get(name, ""))
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):  # nested comments
        return next((str(value) for key, value in mail.raw_items() if key.lower() == name), "")


def _thread(fields: Mapping[str, str], key: str, roots: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns the id of the mail that began the conversation, and of the one that this replies to."""
    references = _ID.findall(fields["references"])
    replied = _ID.findall(fields["in-reply-to"])
    before = references or replied
    if not before:
        return key, None
    return roots.get(before[0], before[0]), (replied or references)[-1]


def _name(sender: str) -> str:
    try:
        name, address = (getaddresses([sender]) or [("", "")])[0]
    except RecursionError:  # nested comments
        return ""
    return name or address


def _time(mail: EmailMessage) -> datetime | None:
    """Returns the time of a mail, or of its last hop if its date is damaged. A time of unknown offset is in UTC."""
    received = _field(mail, "received").rpartition(";")[2]
    for text in (_field(mail, "date"), received):
        try:
            at = parsedate_to_datetime(text)
            return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
    return None


def _body(mail: EmailMessage) -> str:
    """Returns the text of a mail: its plain part, or else that of its HTML."""
    part = mail.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, ValueError):  # an unknown encoding
        data = part.get_payload(decode=True)
        text = data.decode("latin-1") if isinstance(data, bytes) else str(data)
    text = text.replace("\r\n", "\n").strip("\n")
    return text_of(text) if part.get_content_subtype() == "html" else text


def _attachments(files: HistoryFiles, mail: EmailMessage, where: str) -> Iterator[str | ImagePart]:
    """Yields the images in a mail, attached or in its text, and a line for each other file."""
    for part in mail.walk():
        if part.is_multipart():
            continue
        name = part.get_filename()
        label = " ".join(str(name).split()) if name else None
        if part.get_content_maintype() == "image":
            image = _image(files, part, label, where)
            if image is not None:
                yield image
                continue
        if label:
            yield f"[file: {label}]"


def _image(files: HistoryFiles, part: EmailMessage, name: str | None, where: str) -> ImagePart | None:
    encoded = part.get_payload()
    if isinstance(encoded, str) and len(encoded) > 2 * MAX_IMAGE_BYTES:
        files.leave_out(NOT_KEPT, where)
        return None
    content = part.get_payload(decode=True)
    return image_of(files, content if isinstance(content, bytes) else b"", name, where)


MAIL = Mail()
