"""Markdown and plain text: threads that Foxing exported, transcripts as people keep them, and folders of notes, such as
those of Obsidian.

A transcript is a file with lines that name a speaker: `**User:** …`, `## Assistant`, `Ann: …`, `[2026-03-02 09:15]
Ann: …`. Any other Markdown file is a note, one message of the user. What stands in files of others is of the class
`imported`. Files are read line by line, and a text longer than `MOST_BYTES` becomes several messages.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

from .chat import EMPTY, MOST_CHARS_OF_NAME, Digests, local_time, said
from .files import HistoryFiles, is_image_name
from .format import ReadOptions
from .source import ImportedMessage
from .thread_file import is_thread_file, read

SUFFIXES = (".md", ".markdown")
TEXT_SUFFIXES = (*SUFFIXES, ".txt", ".text")
MOST_BYTES = 256 << 10
NOT_NOTES = "files beside notes that are none: images, attachments and settings"
NOT_TEXT = "files that are not text in UTF-8"
#: Folders of programs in a vault.
_SETTINGS = (".obsidian", ".trash", ".git", ".logseq", "logseq")
#: Words that name a role, in small letters. Those of `_MODELS` are names as well.
_USERS = frozenset(
    {"user", "human", "you", "me", "prompt", "question", "q", "nutzer", "benutzer", "nutzerin", "du", "ich"}
    | {
        "utilisateur",
        "vous",
        "moi",
        "usuario",
        "usuária",
        "usuário",
        "tú",
        "yo",
        "用户",
        "我",
        "사용자",
        "나",
        "ユーザー",
    }
)
_ASSISTANTS = frozenset(
    {"assistant", "ai", "bot", "model", "answer", "a", "response", "assistent", "asistente", "助手", "助理"}
    | {"어시스턴트", "アシスタント"}
)
_MODELS = frozenset({"chatgpt", "claude", "gemini", "grok", "copilot", "deepseek", "mistral", "llama", "qwen", "gpt"})
_SYSTEM = frozenset({"system", "developer"})
_SAID = re.compile(r"\s(?:said|says|wrote|schrieb|a dit|dijo|说|：)$")
_NAME = r"[^\W\d_][\w .'’\-()·]{0,59}?"
_CLOCK = r"(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)"
_STAMP = rf"(?:[\[(](?:(?P<day>\d{{4}}-\d{{2}}-\d{{2}})[ T,]+)?{_CLOCK}[\])]\s*)?"
_STAMP_AFTER = r"(?:\s*[\[(](?:(?P<day2>\d{4}-\d{2}-\d{2})[ T,]+)?(?P<clock2>\d{1,2}:\d{2}(?::\d{2})?)[\])])?"
_BOLD = tuple(
    re.compile(rf"{_STAMP}{mark}(?P<name>{_NAME}){_STAMP_AFTER}(?:[:：]{mark}|{mark}\s*[:：])\s*")
    for mark in (r"\*\*", "__")
)
_HEADING = re.compile(rf"#{{1,6}} (?:\*\*)?(?P<name>{_NAME})(?:\*\*)?{_STAMP_AFTER}\s*[:：]?(?:\*\*)?\s*$")
_PLAIN = re.compile(rf"{_STAMP}(?P<name>{_NAME}){_STAMP_AFTER}[:：](?:\s+|$)")
_STYLES = (*_BOLD, _HEADING, _PLAIN)
#: A chat of Signal, which is refused; see `whatsapp`.
_SIGNAL = re.compile(rb"\[\d{4}-\d{2}-\d{2}, \d{1,2}:\d{2}\]")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DAY_HEADING = re.compile(r"#{1,6} (\d{4}-\d{2}-\d{2})\s*$")
_FRONT = "---"
_FRONT_LINES = 200
_DATE_KEYS = ("date", "created", "created_at", "day")
_TAG = re.compile(r"[^\W_][\w/\-]*")
#: Most lines of a file that are looked at to recognise a transcript.
_LINES = 400
_MOST_TAGS = 20


@dataclass(frozen=True)
class _Speaker:
    """The beginning of a turn."""

    role: str
    name: str | None
    #: True if the name is a word for a role
    is_role: bool
    day: date | None
    clock: time | None
    #: text after it, in the same line
    text: str


@dataclass
class _Front:
    """Fields of the front matter of a file."""

    day: date | None = None
    at: datetime | None = None
    metadata: dict[str, object] = field(default_factory=dict)


class Markdown:
    """Importer of Markdown and plain text."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        if len(files.names) == 1:
            return _recognised(files, files.names[0])
        notes = [name for name in files.names if _suffix(name) in SUFFIXES]
        for name in notes:
            head = files.head(name, 200)
            if _SIGNAL.match(head):
                return None
            if is_thread_file(head):
                return f"{name} begins like a thread that Foxing exported"
        if not notes:
            return None
        if any(PurePosixPath(name).parts[0] == ".obsidian" for name in files.names):
            return "a vault of Obsidian"
        others = (name for name in files.names if _suffix(name) not in SUFFIXES and not is_image_name(name))
        return "a folder of Markdown files" if next(others, None) is None else None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        names = sorted(files.names)
        ours = any(is_thread_file(files.head(name, 200)) for name in names if _suffix(name) in SUFFIXES)
        for name in names:
            parts = PurePosixPath(name).parts
            others = len(names) > 1 and _suffix(name) not in (*TEXT_SUFFIXES, "")
            if others or any(part in _SETTINGS for part in parts[:-1]):
                if not (ours and parts[-2:-1] == ("images",)):
                    files.leave_out(NOT_NOTES, name)
            elif is_thread_file(files.head(name, 200)):
                yield from read(files, name)
            else:
                yield from _read_text(files, name, options)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _recognised(files: HistoryFiles, name: str) -> str | None:
    """Returns by what a file is recognised; None if it is not."""
    head = files.head(name)
    if is_thread_file(head):
        return "the file begins like a thread that Foxing exported"
    if not _is_text(head) or _SIGNAL.match(head):
        return None
    is_markdown = _suffix(name) in SUFFIXES
    if _suffix(name) not in TEXT_SUFFIXES:
        return None
    style = _style_of(head, is_markdown=is_markdown)
    if style is not None:
        return f"lines name the speakers {' and '.join(style.names[:2])}"
    return "a Markdown file" if is_markdown and head.strip() else None


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # cut within a character
    return True


@dataclass(frozen=True)
class _Style:
    """Style in which a transcript names its speakers."""

    pattern: re.Pattern[str]
    #: names of its speakers, most frequent first
    names: tuple[str, ...]
    #: True if only words for roles name a speaker
    of_roles: bool

    def speaker(self, line: str) -> _Speaker | None:
        """Returns the speaker that a line names; None if it names none."""
        speaker = _speaker(self.pattern, line)
        if speaker is None or speaker.is_role or speaker.clock is not None:
            return speaker
        return None if self.of_roles or speaker.name not in self.names else speaker


def _style_of(head: bytes, *, is_markdown: bool) -> _Style | None:
    """Returns how a transcript names its speakers; None if a file is no transcript. Its first words, but for headings,
    are those of a speaker, and there are turns of a user and an assistant, or of two people of whom one speaks twice,
    which in Markdown does not suffice."""
    counts: Counter[str] = Counter()
    roles = set[str]()
    pattern = None
    fenced = False
    for line in _without_front(head.decode("utf-8", "replace").splitlines()[:_LINES]):
        if _FENCE.match(line):
            fenced = not fenced
        patterns = _STYLES if pattern is None else (pattern,)
        speaker = None
        for style in () if fenced else patterns:
            speaker = speaker or _speaker(style, line)
            pattern = style if speaker is not None and pattern is None else pattern
        if speaker is not None:
            counts[speaker.name or speaker.role] += 1
            roles |= {speaker.role} if speaker.is_role else set()
        elif not counts and line.strip() and not line.startswith(("#", ">", "*", "_", "---")):
            return None
    if pattern is None:
        return None
    of_roles = roles >= {"user", "assistant"}
    people = len(counts) >= 2 and max(counts.values()) >= 2 and (bool(roles) or not is_markdown)
    if not of_roles and not people:
        return None
    names = [name for name, count in counts.most_common() if of_roles or count > 1 or name == next(iter(counts))]
    return _Style(pattern, tuple(names), of_roles)


def _without_front(lines: list[str]) -> list[str]:
    if not lines or lines[0].strip() != _FRONT:
        return lines
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == _FRONT), 0)
    return lines[end + 1 :]


def _speaker(pattern: re.Pattern[str], line: str) -> _Speaker | None:
    """Returns the speaker that a line names; None if it names none. A heading names one only by a word for a role."""
    match = pattern.match(line)
    if match is None:
        return None
    name = _SAID.sub("", match["name"].strip()).rstrip()
    folded = name.casefold()
    first = re.split(r"[\s\-(]", folded)[0]
    is_model = first in _MODELS
    role = "user"
    if folded in _SYSTEM:
        role = "system"
    elif folded in _ASSISTANTS or is_model:
        role = "assistant"
    is_role = role != "user" or folded in _USERS
    if match.re is _HEADING and not is_role:
        return None
    groups = match.groupdict()
    return _Speaker(
        role,
        None if is_role and not is_model else name[:MOST_CHARS_OF_NAME],
        is_role,
        _day(groups.get("day") or groups.get("day2")),
        _clock(groups.get("clock") or groups.get("clock2")),
        line[match.end() :],
    )


def _day(text: str | None) -> date | None:
    match = _DATE.search(text or "")
    try:
        return None if match is None else date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _clock(text: str | None) -> time | None:
    try:
        hour, minute, *second = map(int, (text or "").split(":"))
        return time(hour, minute, second[0] if second else 0)
    except ValueError:
        return None


@dataclass
class _Text:
    """A note or a transcript that is being read."""

    files: HistoryFiles
    name: str
    options: ReadOptions
    #: None for a note
    style: _Style | None
    front: _Front = field(default_factory=_Front)
    digests: Digests = field(default_factory=Digests)
    speaker: _Speaker | None = None
    #: day of the turns, from a heading
    day: date | None = None
    lines: list[str] = field(default_factory=list)
    size: int = 0
    begun: int = 1
    count: int = 0

    @property
    def thread(self) -> str:
        """The path of the file, without its ending."""
        return str(PurePosixPath(self.name).with_suffix(""))

    def messages(self) -> Iterator[ImportedMessage]:
        """Yields the messages of the file."""
        fence = ""
        for number, line in self._body():
            marks = _FENCE.match(line)
            if marks is not None:
                fence = "" if fence and line.strip().startswith(fence) else fence or marks[1]
            if self.style is not None and not fence and marks is None:
                heading = _DAY_HEADING.match(line)
                speaker = self.style.speaker(line)
                if speaker is not None or heading is not None:
                    yield from self.end()
                    self.begun = number
                if heading is not None:
                    self.day = _day(heading[1])
                    continue
                if speaker is not None:
                    self.speaker = speaker
                    self.day = speaker.day or self.day
                    line = speaker.text
            if self.style is not None and self.speaker is None:
                continue  # title and introduction
            if self.size + len(line) > MOST_BYTES and self.lines:
                yield from self.end()
                self.begun = number
            for start in range(0, max(1, len(line)), MOST_BYTES):
                self.lines.append(line[start : start + MOST_BYTES])
                self.size += len(line[start : start + MOST_BYTES]) + 1
                if len(line) > MOST_BYTES:
                    yield from self.end()
        yield from self.end()

    def end(self) -> Iterator[ImportedMessage]:
        """Yields the message whose lines were read."""
        text = "\n".join(self.lines).strip("\n")
        where = f"{self.files.place(self.name)}, line {self.begun}"
        is_first = self.count == 0
        self.lines = []
        self.size = 0
        if not text.strip():
            return
        self.count += 1
        role = "user" if self.speaker is None else self.speaker.role
        name = None if self.speaker is None else self.speaker.name
        at = self._time(where)
        digest = self.digests.next(self.thread, role, name or "", text)
        for imported in said(
            self.files,
            where,
            key=f"markdown:{digest}",
            thread=self.thread,
            name=name,
            text=text,
            at=at,
            role=role,
            metadata=self.front.metadata or None if is_first else None,
        ):
            message: NewMessage = imported.message.model_copy(update={"trust": "imported"})
            yield ImportedMessage(message, imported.where, imported.bytes_read)

    def _time(self, where: str) -> datetime | None:
        """Returns the time of a message: its own, else that of the file with its place in it, for their order."""
        day = self.day or self.front.day or _day(PurePosixPath(self.name).name)
        clock = None if self.speaker is None else self.speaker.clock
        if day is not None and clock is not None:
            return local_time(day, clock, self.options.zone, where)
        order = timedelta(milliseconds=self.count - 1)
        if self.front.at is not None and self.day is None:
            return self.front.at + order
        if day is None:
            return None
        return datetime.combine(day, time(), self.options.zone or UTC).astimezone(UTC) + order

    def _body(self) -> Iterator[tuple[int, str]]:
        """Yields the lines after the front matter, which is read."""
        front: list[str] | None = None
        for source in self.files.lines(self.name):
            line = source.data.decode("utf-8", "replace").rstrip("\r\n")
            if source.number == 1 and line.strip() == _FRONT:
                front = []
            elif front is not None and line.strip() == _FRONT:
                self.front = _front_of(front)
                front = None
            elif front is not None and len(front) < _FRONT_LINES:
                front.append(line)
            elif front is not None:  # a rule, and no front matter
                yield from enumerate(front, 2)
                front = None
                yield source.number, line
            else:
                yield source.number, line
        if front is not None:
            yield from enumerate(front, 2)


def _front_of(lines: list[str]) -> _Front:
    """Returns what front matter says: a date, a title, and tags."""
    front = _Front()
    key = ""
    tags = list[str]()
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip().strip("\"'")
        if colon and not line.startswith((" ", "-", "\t")):
            key = name.strip().casefold()
            if key in _DATE_KEYS and front.day is None:
                front.day = _day(value)
                front.at = _with_offset(value)
            elif key == "title" and value:
                front.metadata["title"] = value[:200]
            elif key in ("tags", "tag"):
                tags += _TAG.findall(value)
        elif key in ("tags", "tag") and line.strip().startswith("-"):
            tags += _TAG.findall(line)
    if tags:
        front.metadata["tags"] = [tag[:60] for tag in tags[:_MOST_TAGS]]
    return front


def _with_offset(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def _read_text(files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
    """Yields the messages of a note or a transcript."""
    try:
        head = files.head(name)
    except InvalidInput as error:
        files.leave_out(NOT_TEXT, f"{name}: {error}")
        return
    if not head.strip():
        files.leave_out(EMPTY, name)
        return
    if not _is_text(head):
        files.leave_out(NOT_TEXT, name)
        return
    is_markdown = _suffix(name) in SUFFIXES
    style = _style_of(head, is_markdown=is_markdown)
    yield from _Text(files, name, options, style).messages()


MARKDOWN = Markdown()
