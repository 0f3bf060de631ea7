"""Chats that WhatsApp exports: a text, alone or in a zip archive beside its media.

The text has neither ids nor a timezone, and its dates follow the language of the phone: the order of day and month is
decided over the whole file. A participant can forge the header of a message inside a message; no reader can see that.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, time
from itertools import groupby, pairwise
from pathlib import PurePosixPath
from typing import NamedTuple, get_args

from foxing.memory.errors import ChoiceNeeded
from foxing.memory.values.imports import DateOrder
from foxing.memory.values.parts import Part

from .attached_images import AttachedImages, content_with_images
from .chat import NOTICES, Digests, local_time, said
from .files import HistoryFiles, is_image_name
from .format import ReadOptions
from .source import ImportedMessage

#: Marks of direction and other invisible characters, which WhatsApp writes into headers.
_MARK = "\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\u00ad\ufeff"
_MARKS = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad\ufeff"
_SPACE = f"[ \u00a0\u202f{_MARK}]{{0,6}}+"
_HEADER = re.compile(
    rf"\A[{_MARK}]{{0,4}}+(?P<open>\[)?{_SPACE}(?P<first>\d{{1,4}})(?P<sign>[./-])(?P<second>\d\d?)(?P<other>[./-])"
    rf"(?P<third>\d{{1,4}}),?(?: à)?[ \u00a0\u202f]{_SPACE}(?P<hour>\d\d?)[:.](?P<minute>\d\d)"
    rf"(?:[:.](?P<seconds>\d\d))?{_SPACE}(?:(?P<half>[ap])\.?{_SPACE}m\.?{_SPACE})?(?P<close>[\]-])[ \u00a0\u202f]?",
    re.IGNORECASE,
)
#: Header of a message in text exports of Signal, which have the day in this order, a comma and no seconds.
_SIGNAL = re.compile(r"\A\[\d{4}-\d\d-\d\d, \d\d:\d\d\] ")
_OWN_TEXT = "\u200e"  # begins a text that WhatsApp wrote itself
#: A file that is in the export; in all languages the same form on iOS, and the name before brackets on Android.
_ATTACHED = re.compile(r"\u200e?<[^<>:\n]{2,40}: ?\u200e?(?P<file>[^<>\n]{1,200}\.\w{1,5})>")
_ATTACHED_BEFORE = re.compile(
    r"\A\u200e?(?P<file>[^\n]{1,200}?\.\w{1,5}) \((?:file attached|Datei angehängt|archivo adjunto|fichier joint|"
    r"file allegato|arquivo anexado|bestand bijgevoegd|файл добавлен)\)"
)
_OMITTED = re.compile(
    r"\u200e?<?(?:Media omitted|Medien ausgeschlossen|Multimedia omitido|Médias omis|Media omessi|Mídia oculta|"
    r"Media weggelaten|Без медиафайлов|تم استبعاد الوسائط|"
    r"[^\W\d]{2,20} (?:omitted|weggelassen|omitid[oa]|omise?|omess[oai]|ocultad[oa]))>?(?=\n|\Z)",
)
_EDITED = re.compile(
    r"[ \u200e]{0,3}<(?:This message was edited|Diese Nachricht wurde bearbeitet\.?|Se editó este mensaje\.?)>\Z"
)
_DELETED = re.compile(
    r"\u200e?(?:This message was deleted|You deleted this message|Diese Nachricht wurde gelöscht|"
    r"Se eliminó este mensaje|Ce message a été supprimé)\.?\Z"
)
MEDIA = "media that the export does not name"
_KINDS_OF_OTHERS = (".json", ".jsonl", ".log", ".mbox", ".eml", ".html", ".csv")


class _Entry(NamedTuple):
    """A message as it stands in the text."""

    header: re.Match[str]
    lines: list[str]
    line: int


class WhatsApp:
    """Importer of chats of WhatsApp."""

    strict = False

    def recognise(self, files: HistoryFiles) -> str | None:
        """See `Importer.recognise`. Raises `ChoiceNeeded` for a text that looks like one of Signal."""
        if any(PurePosixPath(name).suffix.lower() in _KINDS_OF_OTHERS for name in files.names):
            return None
        for name in _texts(files):
            first = files.head(name).decode("utf-8", "replace").lstrip("\r\n")
            match = _header(first)
            if match and any(_speaker(line[m.end() :]) for line in _lines(first) if (m := _header(line))):
                if _SIGNAL.match(first):
                    raise ChoiceNeeded(
                        f"{files.place(name)} begins as text exports of Signal do, which are not read: write it as "
                        "JSON Lines; if it is a chat of WhatsApp, choose that format",
                        choices=["whatsapp"],
                    )
                return f"{files.place(name)} begins with '{match[0].strip()}'"
        return None

    def read(self, files: HistoryFiles, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `Importer.read`."""
        images = AttachedImages(files)
        for name in _texts(files):
            place = files.place(name)
            before = files.bytes_read
            found_dates = groupby((_numbers(entry.header), entry.header["sign"]) for entry in _entries(files, name))
            dates = [pair for pair, _ in found_dates]
            files.bytes_read = before
            has_dots = all(sign == "." for _, sign in dates)
            order = _order([numbers for numbers, _ in dates], options, place, has_dots=has_dots)
            digests = Digests()
            thread = ""
            for entry in _entries(files, name):
                where = f"{place}, line {entry.line}"
                moment = _time(entry.header, order)
                if moment is None:
                    files.leave_out("messages with a time that does not exist", where)
                    continue
                speaker = _speaker(entry.lines[0])
                if speaker is None:
                    files.leave_out(NOTICES, where)
                    continue
                who, text_of_first_line = speaker
                text_or_parts = _text("\n".join([text_of_first_line, *entry.lines[1:]]), files, where)
                if text_or_parts is None:
                    continue
                text, attached = text_or_parts
                if "\ufffd" in text:
                    files.leave_out("bytes that are not UTF-8, except for a mark in their place", where)
                key = digests.next(" ".join(map(str, moment)), who, text)
                content = _with_image(text, attached, images, name, where)
                thread = thread or f"whatsapp:{key}"
                at = local_time(*moment, options.zone, where)
                yield from said(files, where, key=f"{thread}:{key}", thread=thread, name=who, text=content, at=at)


def _texts(files: HistoryFiles) -> list[str]:
    if len(files.names) == 1:
        return list(files.names)
    return files.named("_chat.txt") or [name for name in files.names if name.lower().endswith(".txt")]


def _header(line: str) -> re.Match[str] | None:
    match = _HEADER.match(line)
    if match is None or match["sign"] != match["other"] or (match["open"] is None) != (match["close"] == "-"):
        return None
    return match


def _lines(text: str) -> list[str]:
    return [line.rstrip("\r") for line in text.split("\n")]


def _entries(files: HistoryFiles, name: str) -> Iterator[_Entry]:
    """Yields the messages of a text. Lines without a header continue the message before them."""
    entry: _Entry | None = None
    for line in files.lines(name):
        text = line.data.decode("utf-8", "replace").rstrip("\r\n")
        header = _header(text)
        if header is None:
            if entry is not None:
                entry.lines.append(text)
            continue
        if entry is not None:
            yield entry
        entry = _Entry(header, [text[header.end() :]], line.number)
    if entry is not None:
        yield entry


def _speaker(line: str) -> tuple[str, str] | None:
    """Returns the speaker and the text of the line after a header; None for a notice, such as “Ann changed the subject
    to "Plan: B"”."""
    name, colon, text = line.partition(":")
    if not colon or name.count('"') % 2 or name.count("“") != name.count("”"):
        return None
    name = name.strip(f" ~\u00a0\u202f{_MARKS}")
    return (name, text.removeprefix(" ")) if name else None


def _text(text: str, files: HistoryFiles, where: str) -> tuple[str, str | None] | None:
    """Returns the text of a message, with a line for its file, and the name of that; None if it is left out."""
    text = _EDITED.sub("", text.rstrip())
    attached = _ATTACHED.search(text) or _ATTACHED_BEFORE.match(text)
    if attached:
        parts = [text[: attached.start()], f"[file: {attached['file']}]", text[attached.end() :]]
        return "\n".join(part for piece in parts if (part := piece.strip(f"\n {_MARKS}"))), attached["file"]
    if _DELETED.match(text):
        files.leave_out("messages that were deleted", where)
        return None
    omitted = _OMITTED.match(text)
    if omitted:
        remainder = text[omitted.end() :].strip()
        if not remainder:
            files.leave_out(MEDIA, where)
        return (remainder, None) if remainder else None
    if text.startswith(_OWN_TEXT) and ":" not in text:
        files.leave_out(NOTICES, where)
        return None
    return text.removeprefix("\u200e"), None


def _with_image(
    text: str, attached: str | None, images: AttachedImages, chat_file: str, where: str
) -> str | tuple[Part, ...]:
    """Returns the text of a message, with the image in place of the line for its file, if that is one. `chat_file`: the
    file of the chat."""
    if attached is None or not is_image_name(attached):
        return text
    image = images.read(images.named(attached, chat_file), attached, where)
    if isinstance(image, str):
        return text
    before, _, after = text.partition(f"[file: {attached}]")
    pieces = (before.strip("\n"), image, after.strip("\n"))
    return content_with_images(images.files, [piece for piece in pieces if piece], where)


def _numbers(header: re.Match[str]) -> tuple[str, int, int, int]:
    first = header["first"]
    second = header["second"]
    third = header["third"]
    kind = "year first" if len(first) == 4 else "year last" if len(third) == 4 else "short"
    return kind, int(first), int(second), int(third)


#: Places of year, month and day.
_Order = tuple[int, int, int]
_DAY_FIRST = (2, 1, 0)
_MONTH_FIRST = (2, 0, 1)
_ISO = (0, 1, 2)
_YEAR_DAY = (0, 2, 1)


def _order(dates: Sequence[tuple[str, int, int, int]], options: ReadOptions, place: str, *, has_dots: bool) -> _Order:
    """Returns the order of dates in a file. `has_dots`: whether all are written like 31.12.26, which no language does
    with the month first. Raises `InvalidInput` if it cannot be decided."""
    numbers = [(first, second, third) for _, first, second, third in dates]
    if all(kind == "year first" for kind, *_ in dates):
        fitting = _fitting((_ISO, _YEAR_DAY), numbers)
        if _ISO in fitting and options.dates != "day-first":
            return _ISO
    else:
        fitting = _fitting((_DAY_FIRST, _MONTH_FIRST), numbers)
        if not fitting and all(kind == "short" for kind, *_ in dates):
            fitting = _fitting((_ISO, _YEAR_DAY), numbers)[:1]
    if len(fitting) == 1 or (fitting and all(first == second for first, second, _ in numbers)):
        return fitting[0]
    if options.dates is None and has_dots and _DAY_FIRST in fitting:
        return _DAY_FIRST
    if options.dates is not None:
        return _DAY_FIRST if options.dates == "day-first" else _MONTH_FIRST
    if not fitting:
        raise ChoiceNeeded(
            f"{place}: no order of day, month and year fits all dates; choose day-first or month-first, and those "
            "that it does not fit are left out",
            option="dates",
            choices=get_args(DateOrder),
        )
    rising = [order for order in fitting if _rises(order, numbers)]
    if len(rising) == 1:
        return rising[0]
    example = "{}/{}/{}".format(*next(pair for pair in numbers if pair[0] != pair[1]))
    raise ChoiceNeeded(
        f"{place}: the date '{example}' can be read with the day or the month first, and so can all others; choose "
        "day-first or month-first",
        option="dates",
        choices=get_args(DateOrder),
    )


def _fitting(orders: Sequence[_Order], numbers: Sequence[tuple[int, int, int]]) -> list[_Order]:
    return [order for order in orders if all(_date(order, pair) for pair in numbers)]


def _rises(order: _Order, numbers: Sequence[tuple[int, int, int]]) -> bool:
    days = [day for pair in numbers if (day := _date(order, pair))]
    return all(one <= other for one, other in pairwise(days))


def _date(order: _Order, numbers: tuple[int, int, int]) -> date | None:
    year, month, day = (numbers[place] for place in order)
    try:
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def _time(header: re.Match[str], order: _Order) -> tuple[date, time] | None:
    day = _date(order, (int(header["first"]), int(header["second"]), int(header["third"])))
    hour = int(header["hour"])
    if header["half"]:
        hour = hour % 12 + (12 if header["half"].lower() == "p" else 0)
    if day is None:
        return None
    try:
        return (day, time(hour % 24, int(header["minute"]), int(header["seconds"] or 0)))
    except ValueError:
        return None


WHATSAPP = WhatsApp()
