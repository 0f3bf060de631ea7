"""Times in words: the bounds of a window (“yesterday”, “지난달”, RFC 3339), and the time said inside a query."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from foxing.memory.errors import InvalidTime

from .words import Stretch, TimeSaid, times_said

_EXAMPLES = "for example '2026-03-04T09:30:00Z', '2026-03-04', '3 weeks ago', 'last month' or '지난달'"
_RFC_3339 = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s?(?P<offset>[Zz]|[+-]\d\d:?\d\d)?"
)
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d?):?(?P<minutes>\d\d)?")
_FILLER = re.compile(r"(?:the|in|on|at|during|from|of|around|back)?", re.IGNORECASE)
_LANGUAGES = ["en", "ko", "de", "fr", "es", "it", "pt", "nl", "ja", "zh", "ru"]

# What stands before a time in a query and belongs to it. The words of the second group make it a bound.
_BEFORE = re.compile(
    r"(?<![\w-])(?:(?P<at>(?:back\s+)?(?:in|on|during|at|around|over|within|throughout|from|of)"
    r"|(?:(?:at|by|in|since)\s+)?(?:the\s+)?(?:start|beginning|middle|end)\s+of)"
    r"|(?P<bound>since|after|before|until|till|up\s+to|starting(?:\s+from)?|between))\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:and|to|until|till|through|–|-|\.\.|~|부터|에서)\s*(?:the\s+)?", re.IGNORECASE)
_KO_BOUND = re.compile(r"\s?(?P<bound>부터|이후|까지|이전)(?:에는|에|로|의|도|는)?(?![\w가-힣])")
_ONWARDS = re.compile(r"\s+(?:on|onwards?)(?![\w-])", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|\S+://\S+")


@dataclass(frozen=True)
class Window:
    """A stretch of time, half open; aware UTC. A side that is None is open."""

    since: datetime | None
    until: datetime | None


def zone_of(timezone: str | None) -> tzinfo:
    """The timezone of that IANA name or offset (`+09:00`); UTC for None. Raises `InvalidTime` for an unknown one."""
    if timezone is None:
        return UTC
    if match := _OFFSET.fullmatch(timezone):
        return datetime.strptime(f"{match['sign']}{match['hours']:0>2}{match['minutes'] or '00'}", "%z").tzinfo or UTC
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidTime(f"the timezone '{timezone}' is not known; give an IANA name such as 'Asia/Seoul'") from error


def parse_since(text: str | datetime, now: datetime, timezone: str | None) -> datetime:
    """Where the time begins, aware UTC: of a period its start. Raises `InvalidTime`."""
    return _stretch(text, now, timezone)[0]


def parse_until(text: str | datetime, now: datetime, timezone: str | None) -> datetime:
    """Where the time ends, aware UTC: of a period the first moment after it. Raises `InvalidTime`."""
    return _stretch(text, now, timezone)[1]


def split_query(query: str, now: datetime, timezone: str | None) -> tuple[str, Window | None]:
    """The query without the time said in it, and the window of that time; None if it says none.

    “3 weeks ago” is half a week to either side of that day; calendar periods are whole ones of `timezone`. Times in
    quotation marks, and times that have not begun, stay part of the query.
    """
    local = _local(now, timezone)
    text = _QUOTED.sub(lambda m: m[0] if m[0] == query.strip() else "\0" * len(m[0]), query)
    said = list(times_said(text, local))
    for index, time in enumerate(said):
        following = said[index + 1] if index + 1 < len(said) else None
        found = _range(text, time, following, local) or _single(text, time)
        if found is None:
            continue
        start, stop, window = found
        if window.since is None or window.since <= local:
            return _without(query, start, stop), window
    return query, None


def _local(now: datetime, timezone: str | None) -> datetime:
    if now.tzinfo is None:
        raise InvalidTime("'now' has no timezone; give it one")
    return now.astimezone(zone_of(timezone))


def _stretch(text: str | datetime, now: datetime, timezone: str | None) -> Stretch:
    local = _local(now, timezone)
    if isinstance(text, datetime):
        if text.tzinfo is None:
            raise InvalidTime(f"the time {text.isoformat()} has no timezone; give it one")
        return text.astimezone(UTC), text.astimezone(UTC)
    words = text.strip()
    if match := _RFC_3339.fullmatch(words):
        moment = _moment(match, words, local, timezone)
        return moment, moment
    if words.lower() in ("now", "지금"):
        return local.astimezone(UTC), local.astimezone(UTC)
    if words.lower() in ("tomorrow", "내일"):
        return _stretch("today", local + timedelta(1), timezone)
    if re.fullmatch(r"\d{4}년", words):
        words = words[:4]
    for time in times_said(words, local):
        if _FILLER.fullmatch(words[: time.start].strip()) and time.stop == len(words):
            return time.exact
    return _other_languages(words, local)


def _moment(match: re.Match[str], words: str, local: datetime, timezone: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(match["local"].replace(",", ".") + (match["offset"] or "").upper())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        if timezone is not None:
            return moment.replace(tzinfo=local.tzinfo).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"there is no time '{words}'; give one such as '2026-03-04T09:30:00Z'") from error
    raise InvalidTime(f"the time '{words}' has no timezone; write '{words}Z' for UTC, or give `timezone`")


def _other_languages(words: str, local: datetime) -> Stretch:
    """What the library makes of it: dates and relative times in further languages."""
    unreadable = InvalidTime(f"the time '{words[:80]}' cannot be read; write it as {_EXAMPLES}")
    if len(words) > 80 or not re.search(r"[^\W\d_]{2}|\d\D+\d", words):
        raise unreadable
    from dateparser.date import DateDataParser  # slow to import, seldom needed

    settings = {
        "RELATIVE_BASE": local.replace(tzinfo=None),
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
    }
    try:
        data = DateDataParser(languages=_LANGUAGES, settings=settings).get_date_data(words)
    except (ValueError, OverflowError, RecursionError) as error:
        raise unreadable from error
    if data.date_obj is None:
        raise unreadable
    moment = data.date_obj if data.date_obj.tzinfo else data.date_obj.replace(tzinfo=local.tzinfo)
    if data.period == "time":
        return moment.astimezone(UTC), moment.astimezone(UTC)
    form = {"month": "%Y-%m", "year": "%Y"}.get(data.period or "day", "%Y-%m-%d")
    for time in times_said(moment.strftime(form), local):
        return time.exact
    raise unreadable


def _range(text: str, first: TimeSaid, second: TimeSaid | None, local: datetime) -> tuple[int, int, Window] | None:
    """“between X and Y”, “from X to Y”, “X부터 Y까지”, and dates with a dash between them."""
    if second is None:
        return None
    joint = _AND.fullmatch(text, first.stop, second.start)
    before = _BEFORE.search(text, 0, first.start)
    opened = before is not None and (before["bound"] or before["at"]).lower() in ("between", "from")
    korean = _KO_BOUND.match(text, second.stop)
    dashed = joint is not None and joint[0].strip() in ("–", "-", "..", "~") and first.alone and second.alone
    if joint is None or not (opened or dashed or "부터" in joint[0] or "에서" in joint[0]):
        return None
    since, until = first.exact[0], second.exact[1]
    if since >= until:  # “from November to February”: the November before that February
        earlier = list(times_said(text[first.start : first.stop], second.exact[0].astimezone(local.tzinfo)))
        since = earlier[0].exact[0] if earlier else since
    if since >= until:
        return None
    start = before.start() if before is not None and opened else first.start
    return start, korean.end() if korean and korean["bound"] == "까지" else second.stop, Window(since, until)


def _single(text: str, time: TimeSaid) -> tuple[int, int, Window] | None:
    before = _BEFORE.search(text, 0, time.start)
    bound = re.sub(r"\s+", " ", (before["bound"] or "").lower()) if before else ""
    start = before.start() if before is not None and bound != "between" else time.start
    if korean := _KO_BOUND.match(text, time.stop):
        word = {"부터": "since", "이후": "since", "까지": "until", "이전": "before"}[korean["bound"]]
        return start, korean.end(), _bounded(word, time)
    if bound and bound != "between":
        return start, time.stop, _bounded(bound, time)
    at = (before["at"] or "").lower() if before is not None else ""
    if at == "from" and (onwards := _ONWARDS.match(text, time.stop)):
        return start, onwards.end(), _bounded("since", time)
    if not time.alone and at in ("", "of") and not _proper(text, time):
        return None
    if at in ("from", "at") and re.fullmatch(r"\d{4}", text[time.start : time.stop]):
        return None  # "from 2000 rows"
    return start, time.stop, Window(*time.around)


def _proper(text: str, time: TimeSaid) -> bool:
    """Whether it is written as a date, within a sentence: “… decided March 4 about …”."""
    return text[time.start].isupper() and text[time.stop - 1].isdigit() and text[: time.start].rstrip()[-1:].isalnum()


def _bounded(bound: str, time: TimeSaid) -> Window:
    if bound == "before":
        return Window(None, time.exact[0])
    if bound in ("until", "till", "up to"):
        return Window(None, time.exact[1])
    return Window(time.exact[1] if bound == "after" else time.exact[0], None)


def _without(query: str, start: int, stop: int) -> str:
    left, right = query[:start].rstrip(), query[stop:].lstrip()
    if not re.search(r"\w", left) or left[-1:] in ".?!":
        right = right.lstrip(",;: ")
    left = left.rstrip(",;") if not re.search(r"\w", right) else left
    rest = left + right if not left or re.match(r"[?.!,;:)\]]", right) else f"{left} {right}"
    return rest.strip() if re.search(r"\w", rest) else ""
