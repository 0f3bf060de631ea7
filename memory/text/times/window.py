"""Time windows: parses the bounds `since` and `until`, in words or RFC 3339, and the time inside a query."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from foxing.memory.errors import InvalidTime
from foxing.memory.text.zones import zone_of

from .calendar import Period
from .evidence import Preposition, is_count, is_meant
from .expressions import TimeExpression, find_times
from .other_languages import parse_date

MAX_WORDS_CHARS = 200  # maximum length of a bound in words
_EXAMPLES = "for example '2026-03-04T09:30:00Z', '2026-03-04', '3 weeks ago', 'last month' or '지난달'"
_RFC_3339 = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s?(?P<offset>[Zz]|[+-]\d\d:?\d\d)?"
)
_FILLER = re.compile(r"(?:the|in|on|at|during|from|of|around|back)?", re.IGNORECASE)

#: The preposition of a time in a query. Those in the group `bound` make it a bound.
_BEFORE = re.compile(
    r"(?<![\w-])(?:(?P<at>(?:back\s+)?(?:in|on|during|at|around|over|within|throughout|from|of)"
    r"|(?:(?:at|by|in|since)\s+)?(?:the\s+)?(?:start|beginning|middle|end)\s+of)"
    r"|(?P<bound>since|after|before|until|till|up\s+to|starting(?:\s+from)?|between))\s+(?P<article>the\s+)?$",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:and|to|until|till|through|–|-|\.\.|~|부터|에서)\s*(?:the\s+)?", re.IGNORECASE)
_KOREAN_BOUND = re.compile(r"\s?(?P<bound>부터|이후|까지|이전)(?:에는|에|로|의|도|는)?(?![\w가-힣])")
_KOREAN_BOUNDS = {"부터": "since", "이후": "since", "까지": "until", "이전": "before"}
_ONWARDS = re.compile(r"\s+(?:on|onwards?)(?![\w-])", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|`[^`]*`|\w[\w+.-]{0,30}://\S+")
_BEFORE_CHARS = 60  # characters before a time that are searched for its preposition


@dataclass(frozen=True)
class Window:
    """A half-open time interval; the bounds are aware and in UTC, or None if unbounded."""

    since: datetime | None
    until: datetime | None


class _WindowInQuery(NamedTuple):
    """The time window that `query[start:stop]` denotes."""

    start: int
    stop: int
    window: Window


def parse_since(text: str | datetime, now: datetime, timezone: str | None) -> datetime:
    """Returns the start of the time that `text` denotes, in UTC. Raises `InvalidTime`."""
    return _period(text, now, timezone).start


def parse_until(text: str | datetime, now: datetime, timezone: str | None) -> datetime:
    """Returns the end of the time that `text` denotes, exclusive and in UTC. Raises `InvalidTime`."""
    return _period(text, now, timezone).stop


def split_query(query: str, now: datetime, timezone: str | None) -> tuple[str, Window | None]:
    """Returns the query without its time expression, and the window that this denotes, or the query and None.

    “3 weeks ago” extends half a week to either side of that day; calendar periods are in `timezone`. Times in quotation
    marks and times in the future stay part of the query. Raises `InvalidTime` if `now` is naive or `timezone` unknown.
    """
    local = _local(now, timezone)
    text = _QUOTED.sub(lambda m: m[0] if m[0] == query.strip() else "\0" * len(m[0]), query)
    times = list(find_times(text, local))
    for index, time in enumerate(times):
        following = times[index + 1] if index + 1 < len(times) else None
        match = _range(text, time, following, local) or _single(text, time)
        if match is not None and (match.window.since is None or match.window.since <= local):
            return _without(query, match.start, match.stop), match.window
    return query, None


def _local(now: datetime, timezone: str | None) -> datetime:
    """Returns `now` in `timezone`. Raises `InvalidTime`."""
    if now.tzinfo is None:
        raise InvalidTime("'now' has no timezone; write it like 2026-03-04T09:30:00Z")
    return now.astimezone(zone_of(timezone))


def _period(text: str | datetime, now: datetime, timezone: str | None) -> Period:
    """Returns the period that `text` denotes, empty for a point in time. Raises `InvalidTime`."""
    local = _local(now, timezone)
    if isinstance(text, datetime):
        if text.tzinfo is None:
            raise InvalidTime(f"the time {text.isoformat()} has no timezone; write it like 2026-03-04T09:30:00Z")
        return _instant(text)
    words = text.strip()
    if len(words) > MAX_WORDS_CHARS:
        raise InvalidTime(f"a time has at most {MAX_WORDS_CHARS} characters; write it like {_EXAMPLES}")
    if match := _RFC_3339.fullmatch(words):
        return _instant(_rfc_3339(match, words, local, timezone))
    if words.lower() in ("now", "지금"):
        return _instant(local)
    if words.lower() in ("tomorrow", "내일"):
        return _period("today", local + timedelta(1), timezone)
    if re.fullmatch(r"\d{4}년", words):
        words = words[:4]
    for time in find_times(words, local):
        if _FILLER.fullmatch(words[: time.start].strip()) and time.stop == len(words):
            return time.exact
    date = parse_date(words, local)
    if isinstance(date, datetime):
        return _instant(date)
    for time in find_times(date or "", local):
        return time.exact
    raise InvalidTime(f"the time '{words[:80]}' cannot be parsed; write it like {_EXAMPLES}")


def _instant(moment: datetime) -> Period:
    utc = moment.astimezone(UTC)
    return Period(utc, utc)


def _rfc_3339(match: re.Match[str], words: str, local: datetime, timezone: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(match["local"].replace(",", ".") + (match["offset"] or "").upper())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        if timezone is not None:
            return moment.replace(tzinfo=local.tzinfo).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"the time '{words}' does not exist; give one such as '2026-03-04T09:30:00Z'") from error
    raise InvalidTime(f"the time '{words}' has no timezone; write '{words}Z' for UTC, or set `timezone`")


def _range(text: str, first: TimeExpression, second: TimeExpression | None, local: datetime) -> _WindowInQuery | None:
    """Returns the window of “between X and Y”, “from X to Y”, “X부터 Y까지”, or dates joined by a dash; else None."""
    if second is None:
        return None
    joint = _AND.fullmatch(text, first.stop, second.start)
    before = _before(text, first)
    opened = before is not None and (before["bound"] or before["at"]).lower() in ("between", "from")
    korean = _KOREAN_BOUND.match(text, second.stop)
    dashed = joint is not None and joint[0].strip() in ("–", "-", "..", "~")
    dashed = dashed and first.unambiguous and second.unambiguous
    if joint is None or not (opened or dashed or "부터" in joint[0] or "에서" in joint[0]) or is_count(text, second):
        return None
    since = first.exact.start
    until = second.exact.stop
    if since >= until:  # “from November to February”: the November before that February
        earlier = list(find_times(text[first.start : first.stop], second.exact.start.astimezone(local.tzinfo)))
        since = earlier[0].exact.start if earlier else since
    if since >= until:
        return None
    start = before.start() if before is not None and opened else first.start
    stop = korean.end() if korean and korean["bound"] == "까지" else second.stop
    return _WindowInQuery(start, stop, Window(since, until))


def _single(text: str, time: TimeExpression) -> _WindowInQuery | None:
    """Returns the window of a time (“in March”) or a bound (“since March”, “3월 이후”); None if it is not a time."""
    before = _before(text, time)
    preposition = _preposition(before)
    bound = preposition.words if before is not None and before["bound"] else ""
    start = before.start() if before is not None and bound != "between" else time.start
    onwards = _ONWARDS.match(text, time.stop) if preposition.words == "from" else None
    if onwards is None and not is_meant(text, time, preposition):
        return None
    if korean := _KOREAN_BOUND.match(text, time.stop):
        return _WindowInQuery(start, korean.end(), _bounded(_KOREAN_BOUNDS[korean["bound"]], time))
    if bound and bound != "between":
        return _WindowInQuery(start, time.stop, _bounded(bound, time))
    if onwards is not None:
        return _WindowInQuery(start, onwards.end(), _bounded("since", time))
    return _WindowInQuery(start, time.stop, Window(*time.around))


def _before(text: str, time: TimeExpression) -> re.Match[str] | None:
    return _BEFORE.search(text, max(0, time.start - _BEFORE_CHARS), time.start)


def _preposition(before: re.Match[str] | None) -> Preposition:
    if before is None:
        return Preposition("", article=False)
    words = " ".join((before["bound"] or before["at"]).lower().split())
    return Preposition(words, article=before["article"] is not None)


def _bounded(bound: str, time: TimeExpression) -> Window:
    if bound == "before":
        return Window(None, time.exact.start)
    if bound in ("until", "till", "up to"):
        return Window(None, time.exact.stop)
    return Window(time.exact.stop if bound == "after" else time.exact.start, None)


def _without(query: str, start: int, stop: int) -> str:
    """Returns the query without `query[start:stop]` and its punctuation; empty if no word remains."""
    left = query[:start].rstrip()
    right = query[stop:].lstrip()
    if not re.search(r"\w", left) or left[-1:] in ".?!":
        right = right.lstrip(",;: ")
    left = left.rstrip(",;") if not re.search(r"\w", right) else left
    joined_text = left + right if not left or re.match(r"[?.!,;:)\]]", right) else f"{left} {right}"
    return joined_text.strip() if re.search(r"\w", joined_text) else ""
