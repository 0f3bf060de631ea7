"""Logs of IRC: irssi, ZNC, WeeChat, and the public logs of Ubuntu's channels.

The times are local. The day is in the log (irssi, WeeChat), or in its path: `2026-03-02.log` (ZNC),
`2026/03/02/#ubuntu.txt` (Ubuntu). What remains of the path is the name of the thread.
"""

import re
from collections.abc import Iterator
from datetime import date, time
from pathlib import PurePosixPath
from urllib.parse import unquote

from foxing.memory.errors import InvalidInput

from .chat import MONTHS, Digests, local_time, said
from .files import HistoryFiles
from .format import ReadOptions
from .source import ImportedMessage

_CLOCK = re.compile(r"\A\[?(\d\d):(\d\d)(?::(\d\d))?\]?[ \t](.*)", re.DOTALL)
_SAID = re.compile(r"\A *<[ @+%&~!]?([^<>\s]{1,64}+)> ?(.*)", re.DOTALL)
_ACTED = re.compile(r"\A *\* ([^\s*]{1,64}+) (.*)", re.DOTALL)
_WEECHAT = re.compile(r"\A(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\t([^\t]{0,80}+)\t(.*)", re.DOTALL)
_WEECHAT_SIGNS = ("", "--", "-->", "<--", "=!=", "*")
#: `--- Log opened Tue Sep 20 00:01:49 2016`, `--- Day changed Wed Sep 21 2016`.
_DAY_LINE = re.compile(r"\A--- \D{1,40}? (\w{3}) +(\d{1,2}) (?:\d\d:\d\d(?::\d\d)? )?(\d{4})")
_DAY_IN_PATH = re.compile(r"(?<!\d)(\d{4})([-/._]?)(\d\d)([-/._]?)(\d\d)(?!\d)")
#: Codes of colours and styles.
_STYLE = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")
EVENTS = "joins, topics and other events"


class Irc:
    """Importer of logs of IRC."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`."""
        first = None
        for name in files.names:
            reason = _recognised(files, name)
            if reason is None:
                return None
            first = first or reason
        return first

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`. Raises `InvalidInput` where a day is not known."""
        digests = Digests()
        for name in files.names:
            day, thread = _of_path(name)
            for line in files.lines(name):
                text = _decoded(line.data)
                where = f"{files.place(name)}, line {line.number}"
                if day_line := _DAY_LINE.match(text):
                    day = _day(day_line, where)
                    continue
                entry = _entry(text)
                if entry is None:
                    if text.strip():
                        files.leave_out(EVENTS, where)
                    continue
                own_day, clock, who, said_text = entry
                at_day = own_day or day
                if at_day is None:
                    raise InvalidInput(
                        f"{where}: the day is neither in the log nor in its path; name the file like 2026-03-02.log"
                    )
                key = digests.next(thread, f"{at_day} {clock}", who, said_text)
                at = local_time(at_day, clock, options.zone, where)
                yield from said(files, where, key=f"{thread}:{key}", thread=thread, name=who, text=said_text, at=at)


def _recognised(files: HistoryFiles, name: str) -> str | None:
    complete, _, _ = files.head(name, 1 << 14).rpartition(b"\n")
    lines = [text for line in complete.splitlines() if (text := _decoded(line)).strip()]
    if lines and all(match and _is_weechat(match[7]) for match in map(_WEECHAT.match, lines)):
        signs = {match[7].strip() for match in map(_WEECHAT.match, lines) if match}
        return f"{files.place(name)} has lines of WeeChat" if signs & set(_WEECHAT_SIGNS) else None
    if not all(_CLOCK.match(line) or line.startswith(("--- ", "=== ")) for line in lines):
        return None
    said_lines = [line for line in lines if (match := _CLOCK.match(line)) and _SAID.match(match[4])]
    return f"{files.place(name)} has lines such as '{said_lines[0][:30]}'" if said_lines else None


def _is_weechat(prefix: str) -> bool:
    return prefix.strip() in _WEECHAT_SIGNS or " " not in prefix.strip()


def _decoded(data: bytes) -> str:
    """Returns a line without styles. Each speaker has an encoding of their own: UTF-8, or else that of Windows."""
    data = data.rstrip(b"\r\n")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return _STYLE.sub("", text)


def _of_path(name: str) -> tuple[date | None, str]:
    """Returns the day in a path, and the name of the thread: the rest of the path."""
    path = PurePosixPath(name)
    path = path.with_suffix("") if path.suffix in (".log", ".txt", ".gz", ".weechatlog") else path
    text = unquote(str(path))
    day = None
    for match in _DAY_IN_PATH.finditer(text):
        if match[2] == match[4]:
            try:
                day = date(int(match[1]), int(match[3]), int(match[5]))
            except ValueError:
                continue
            text = f"{text[: match.start()]}{text[match.end() :]}"
            break
    return day, f"irc:{text.strip('/-_. ')}" if text.strip("/-_. ") else "irc"


def _day(match: re.Match[str], where: str) -> date:
    try:
        return date(int(match[3]), MONTHS.index(match[1].lower()) + 1, int(match[2]))
    except ValueError as error:
        raise InvalidInput(f"{where}: '{match[0]}' has no day; write it like 'Day changed Wed Sep 21 2016'") from error


def _entry(line: str) -> tuple[date | None, time, str, str] | None:
    """Returns the day if the line has it, the time, the speaker and the text of a message; None for an event."""
    try:
        if match := _WEECHAT.match(line):
            year, month, day, hour, minute, second = (int(match[place]) for place in range(1, 7))
            prefix = match[7].strip()
            text = match[8]
            if prefix == "*":
                prefix, _, text = text.partition(" ")
            elif prefix in _WEECHAT_SIGNS:
                return None
            return date(year, month, day), time(hour, minute, second), prefix.lstrip("@+%&~!"), text
        match = _CLOCK.match(line)
        message = match and (_SAID.match(match[4]) or _ACTED.match(match[4]))
        if not match or not message:
            return None
        clock = time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError:
        return None
    return None, clock, message[1], message[2]


IRC = Irc()
