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

from .chat import said
from .files import HistoryFiles
from .format import ReadOptions
from .html_text import text_of
from .source import ImportedMessage

#: The line before each message of an mbox file: “From ann@x.org Sat Mar 28 14:05:00 2026”.
_FROM = re.compile(rb"From \S{1,300}[^\r\n]{0,60}? (?:\d\d:\d\d(?::\d\d)?|\d{4})")
_QUOTED_FROM = re.compile(rb">+From ")
_HEADER = re.compile(rb"([!-9;-~]{1,76}):(?:[ \t]|\r?\n)")
_USUAL = {b"from", b"to", b"subject", b"date", b"message-id", b"received", b"mime-version", b"return-path"}
_ID = re.compile(r"<([^<>\s]{1,900})>")
_POLICY = email.policy.default


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
        found: set[bytes] = set()
        for line in lines[is_mbox:]:
            match = _HEADER.match(line + b"\n")
            if match:
                found.add(match[1].lower())
            elif line[:1] not in (b" ", b"\t") or not found:
                break  # the end of the header, or no header
        if len(found & _USUAL) < (2 if is_mbox else 3):
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
    first, is_mbox, after_blank = 1, False, True
    for line in files.lines(name):
        data = line.data
        if line.number == 1:
            is_mbox = bool(_FROM.match(data))
        if is_mbox and after_blank and _FROM.match(data):
            if lines:
                yield b"".join(lines), first
            lines, first = [], line.number + 1
        else:
            lines.append(data[1:] if is_mbox and _QUOTED_FROM.match(data) else data)
        after_blank = not data.strip(b"\r\n")
    if lines:
        yield b"".join(lines), first


def _said(files: HistoryFiles, data: bytes, where: str, roots: dict[str, str]) -> Iterator[ImportedMessage]:
    try:
        mail = email.message_from_bytes(data, policy=_POLICY)
        fields = {key: _field(mail, key) for key in ("message-id", "references", "in-reply-to", "subject", "from")}
        body = "\n".join(part for part in (_body(mail), *_attachments(mail)) if part)
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        files.leave_out("mails that cannot be read", where)
        return
    key = (_ID.findall(fields["message-id"]) or [hashlib.sha256(data.strip()).hexdigest()[:24]])[0]
    root, replied = _thread(fields, key, roots)
    roots[key] = root
    subject, at = " ".join(fields["subject"].split()), _time(mail)
    if at is None:
        files.leave_out("dates of mails, missing or damaged: such a mail gets the time of the import", where)
    yield from said(
        files,
        where,
        key=f"mail:{key}",
        thread=f"mail:{root}",
        name=_name(fields["from"]),
        text=f"{subject}\n\n{body}" if subject and not replied else body,
        at=at,
        metadata={"subject": subject[:200]} if subject else None,
    )


def _field(mail: EmailMessage, name: str) -> str:
    """Returns a header, as it stands if it is damaged."""
    try:
        return str(mail.get(name, ""))
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, IndexError):
        return next((str(value) for key, value in mail.raw_items() if key.lower() == name), "")


def _thread(fields: Mapping[str, str], key: str, roots: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns the id of the mail that began the conversation, and of the one that this replies to."""
    references, replied = _ID.findall(fields["references"]), _ID.findall(fields["in-reply-to"])
    before = references or replied
    if not before:
        return key, None
    return roots.get(before[0], before[0]), (replied or references)[-1]


def _name(sender: str) -> str:
    name, address = (getaddresses([sender]) or [("", "")])[0]
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


def _attachments(mail: EmailMessage) -> Iterator[str]:
    for part in mail.walk():
        name = part.get_filename()
        if name and not part.is_multipart():
            yield f"[file: {' '.join(str(name).split())}]"


MAIL = Mail()
