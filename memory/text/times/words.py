"""Times as people say them, in English and Korean: where they stand in a text, and which stretch of time they name.

Calendar periods are those of the listener's timezone; weeks begin on Monday. A month or a day without a year is the
latest one that has begun.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

Stretch = tuple[datetime, datetime]  # aware UTC, half open


@dataclass(frozen=True)
class TimeSaid:
    """A time that stands at `text[start:stop]`.

    `exact` is what it names when it bounds something (“since 3 weeks ago”: that day); `around` is what it means as an
    answer to “when?” (“3 weeks ago”: half a week to either side). `alone` says whether it is surely a time without a
    word such as “in” or “since” before it: “May” is not.
    """

    start: int
    stop: int
    exact: Stretch
    around: Stretch
    alone: bool


Builder = Callable[[re.Match[str], datetime], tuple[Stretch, Stretch] | None]

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_KO_NUMBERS = {
    "한": 1, "일": 1, "두": 2, "이": 2, "세": 3, "석": 3, "삼": 3, "네": 4, "넉": 4, "다섯": 5, "여섯": 6,
    "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "열한": 11, "열두": 12,
}  # fmt: skip
_KO_DAYS = {
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9,
    "열흘": 10, "보름": 15,
}  # fmt: skip
_KO_WEEKDAYS = "월화수목금토일"
_KO_UNITS = {"초": "second", "분": "minute", "시간": "hour", "일": "day", "주": "week", "달": "month", "년": "year"}
_KO_UNITS |= {"주일": "week", "개월": "month", "해": "year"}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629746, "year": 31556952}


def _day_start(day: date, zone: tzinfo | None) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _days(first: date, last: date, now: datetime) -> tuple[Stretch, Stretch]:
    """From the start of `first` to the end of `last`."""
    stretch = _day_start(first, now.tzinfo), _day_start(last + timedelta(1), now.tzinfo)
    return stretch, stretch


def _month(year: int, month: int, now: datetime) -> tuple[Stretch, Stretch]:
    return _days(date(year, month, 1), date(year, month, monthrange(year, month)[1]), now)


def _shift_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _before(now: datetime, count: float, unit: str) -> datetime:
    """`now` less `count` units, by the local clock for days and longer."""
    if unit in ("month", "year") and count == int(count):
        day = _shift_months(now.date(), -int(count) * (12 if unit == "year" else 1))
        return datetime.combine(day, now.timetz())
    if unit in ("second", "minute", "hour"):
        return (now.astimezone(UTC) - timedelta(seconds=count * _SECONDS[unit])).astimezone(now.tzinfo)
    return now - timedelta(seconds=count * _SECONDS[unit])


def _ago(now: datetime, count: float, unit: str, slack: float = 0.5) -> tuple[Stretch, Stretch]:
    """`exact`: that moment, or that day for days and longer; `around`: `slack` units to either side, in whole days."""
    at = _before(now, count, unit)
    half = timedelta(seconds=slack * _SECONDS[unit])
    if unit in ("second", "minute", "hour"):
        moment = at.astimezone(UTC)
        return (moment, moment), (moment - half, moment + half)
    exact, _ = _days(at.date(), at.date(), now)
    last = at + half
    until = _day_start(last.date() + timedelta(1 if last.time() > time() else 0), now.tzinfo)
    return exact, (_day_start((at - half).date(), now.tzinfo), until)


def _past(now: datetime, count: float, unit: str) -> tuple[Stretch, Stretch]:
    """The `count` units up to now; whole days for days and longer."""
    at = _before(now, count, unit)
    if unit in ("second", "minute", "hour"):
        stretch = at.astimezone(UTC), now.astimezone(UTC) + timedelta(seconds=1)
        return stretch, stretch
    return _days(at.date(), now.date(), now)


def _calendar(now: datetime, unit: str, back: int) -> tuple[Stretch, Stretch]:
    """The whole day, week, weekend, month, quarter or year, `back` of them before the present one."""
    today = now.date()
    monday = today - timedelta(today.weekday() + 7 * back)
    if unit == "day":
        return _days(today - timedelta(back), today - timedelta(back), now)
    if unit == "week":
        return _days(monday, monday + timedelta(6), now)
    if unit == "weekend":
        return _days(monday + timedelta(5), monday + timedelta(6), now)
    if unit == "month":
        first = _shift_months(today.replace(day=1), -back)
        return _month(first.year, first.month, now)
    if unit == "quarter":
        first = _shift_months(date(today.year, today.month - (today.month - 1) % 3, 1), -3 * back)
        return _days(first, _shift_months(first, 3) - timedelta(1), now)
    return _days(date(today.year - back, 1, 1), date(today.year - back, 12, 31), now)


def _year_of(month: int, day: int, now: datetime) -> int:
    """The year of the latest such day that has begun."""
    return now.year if (month, day) <= (now.month, now.day) else now.year - 1


def _month_number(word: str) -> int:
    return next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(word.lower().rstrip(".")[:3]))


def _weekday_number(word: str) -> int:
    return next(i for i, name in enumerate(_WEEKDAYS) if name.startswith(word.lower()[:3]))


def _unit(word: str) -> str:
    word = word.lower().rstrip("s") or "second"
    for unit in _SECONDS:
        if word == unit or (word.startswith(unit[:2]) and unit.startswith(word)):
            return unit
    return {"h": "hour", "hr": "hour", "d": "day", "w": "week", "wk": "week", "y": "year", "yr": "year"}.get(
        word, "minute"
    )


def _count(word: str) -> tuple[float, float]:
    """A number as said, and how many units to either side it may mean."""
    word = " ".join(word.lower().split())
    if word[0].isdigit():
        return float(word), 0.5
    if "couple" in word:
        return 2, 1
    if word in ("a few", "few", "several"):
        return 3.5, 1.5
    if word.startswith("half"):
        return 0.5, 0.25
    return (1 if word in ("a", "an") else _NUMBERS.index(word)), 0.5


def _ago_en(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    (count, slack), unit = _count(m["n"]), m["unit"].lower()
    if unit.startswith("fortnight"):
        return _ago(now, count * 2, "week", slack * 2)
    if count == 0.5 and unit.startswith("year"):
        return _ago(now, 6, "month", 1)
    return _ago(now, count, _unit(unit), slack)


def _ago_ko(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    if m["days"]:
        return _ago(now, _KO_DAYS[m["days"]], "day")
    if m["half"]:
        return _ago(now, 6, "month", 1)
    count, slack = (3.5, 1.5) if m["n"] == "몇" else (float(_KO_NUMBERS.get(m["n"], 0) or m["n"]), 0.5)
    return _ago(now, count, _KO_UNITS[m["unit"]], slack)


def _past_en(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    count, slack = _count(m["n"] or "one")
    return _past(now, count + (slack if slack > 1 else 0), _unit(m["unit"]))


def _past_ko(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    if m["days"]:
        return _past(now, _KO_DAYS[m["days"]], "day")
    count = 5.0 if m["n"] == "몇" else float(_KO_NUMBERS.get(m["n"], 0) or m["n"])
    return _past(now, count, _KO_UNITS[m["unit"]])


def _weekday_before(now: datetime, weekday: int) -> tuple[Stretch, Stretch]:
    day = now.date() - timedelta((now.weekday() - weekday - 1) % 7 + 1)
    return _days(day, day, now)


def _weekday_of_week(now: datetime, weekday: int, weeks_back: int) -> tuple[Stretch, Stretch]:
    day = now.date() - timedelta(now.weekday() - weekday + 7 * weeks_back)
    return _days(day, day, now)


def _weekday_en(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    weekday = _weekday_number(m["weekday"])
    which = m.groupdict().get("which") or m.groupdict().get("week") or "last"
    if m.groupdict().get("week"):
        return _weekday_of_week(now, weekday, 0 if which.lower() == "this" else 1)
    return _weekday_of_week(now, weekday, 0) if which.lower() == "this" else _weekday_before(now, weekday)


def _weekday_ko(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    weekday = _KO_WEEKDAYS.index(m["weekday"])
    if m["week"]:
        return _weekday_of_week(now, weekday, _ko_back(m["week"]))
    return _weekday_before(now, weekday)


def _ko_back(word: str) -> int:
    word = word.replace(" ", "")
    if word.startswith(("지지난", "저저번", "재작", "지지")):
        return 2
    return 0 if word.startswith(("이", "올", "금")) else 1


def _calendar_ko(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    unit = {"주": "week", "달": "month", "해": "year", "년": "year", "주말": "weekend", "분기": "quarter"}[m["unit"]]
    return _calendar(now, unit, _ko_back(m["which"]))


def _calendar_en(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    which = " ".join(m["which"].lower().split())
    return _calendar(now, m["unit"].lower(), {"this": 0, "last": 1, "previous": 1}.get(which, 2))


def _named_month(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch] | None:
    groups = m.groupdict()
    month = _month_number(groups["month"])
    year = int(groups["year"]) if groups.get("year") else _year_of(month, 1, now)
    relative = (groups.get("relative") or "").lower()
    if relative in ("last", "this"):
        year = now.year - (relative == "last")
    if (groups.get("which") or "").lower() == "last" and (year, month) == (now.year, now.month):
        year -= 1
    part = (groups.get("part") or "").lower()
    last = monthrange(year, month)[1]
    first_day, last_day = {"early": (1, 10), "mid": (11, 20), "late": (21, last)}.get(part, (1, last))
    return _days(date(year, month, first_day), date(year, month, last_day), now)


def _named_day(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch] | None:
    groups = m.groupdict()
    month, day = _month_number(groups["month"]), int(groups["day"])
    year = int(groups["year"]) if groups.get("year") else _year_of(month, day, now)
    first = date(year, month, day)
    last = date(year, month, int(groups["to"])) if groups.get("to") else first
    return _days(first, last, now) if first <= last else None


def _numeric(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch] | None:
    """Dates in figures, also Korean ones: a year, a month or a day, as far as they are given."""
    groups = m.groupdict()
    month, day = int(groups.get("month") or 0), int(groups.get("day") or 0)
    if groups.get("relative"):
        year = now.year - _ko_back(groups["relative"])
    elif groups.get("year"):
        year = int(groups["year"])
    else:
        year = _year_of(month, day or 1, now)
        if groups.get("which") and not day and (year, month) == (now.year, now.month):
            year -= 1
    if day:
        return _days(date(year, month, day), date(year, month, day), now)
    return _month(year, month, now) if month else _days(date(year, 1, 1), date(year, 12, 31), now)


def _moment(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    zone = (m["zone"] or "").strip().upper().replace("Z", "+00:00")
    at = datetime.fromisoformat(f"{m['date']}T{m['clock']}{zone}")
    at = (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    return (at, at), (at, at + timedelta(seconds=1 if m["clock"].count(":") > 1 else 60))


def _night(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    noon = datetime.combine(now.date(), time(6), now.tzinfo).astimezone(UTC)
    stretch = noon - timedelta(hours=12), noon
    return stretch, stretch


def _day_part(m: re.Match[str], now: datetime) -> tuple[Stretch, Stretch]:
    hours = {"morning": (0, 12), "afternoon": (12, 18), "evening": (17, 24)}[m["part"].lower()]
    start = _day_start(now.date(), now.tzinfo)
    stretch = start + timedelta(hours=hours[0]), start + timedelta(hours=hours[1])
    return stretch, stretch


def _days_back(first: int, last: int) -> Builder:
    return lambda m, now: _days(now.date() - timedelta(first), now.date() - timedelta(last), now)


_N = r"(?P<n>\d{1,4}(?:\.\d)?|an?\s+couple(?:\s+of)?|a\s+few|several|half\s+an?|an?|" + "|".join(_NUMBERS[1:]) + ")"
_UNIT = r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?|months?|years?|yrs?)"
_MONTH = r"(?P<month>" + "|".join(rf"{n[:3]}(?:{n[3:]})?\.?" if n[3:] else n for n in _MONTHS) + r"|sept\.?)"
_WEEKDAY = r"(?P<weekday>" + "|".join(_WEEKDAYS) + ")"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NTH = r"(?:st|nd|rd|th)?"
_DAY = rf"(?P<day>\d{{1,2}}){_NTH}"
_END = r"(?:['’]s)?(?![\w-])"
_KO_N = r"(?P<n>\d{1,4}|몇|" + "|".join(sorted(_KO_NUMBERS, key=len, reverse=True)) + ")"
_KO_UNIT = r"(?P<unit>시간|개월|주일|[초분일주달년해])"
_KO_DAYS_WORD = r"(?P<days>" + "|".join(_KO_DAYS) + ")"
_KO_PARTICLE = r"(?:\s?(?:쯤|경|동안|중))?(?:에는|에도|에서|에|엔|의|은|는|도)?"
#: What may follow a Korean time: a particle, the words that make it a bound (read by the caller), or no letter at all.
_KO_END = rf"{_KO_PARTICLE}(?=부터|까지|\s?이후|\s?이전|(?![\w가-힣]))"


def _english(pattern: str, builder: Builder, alone: bool = True) -> tuple[re.Pattern[str], Builder, bool]:
    flags = re.IGNORECASE | re.ASCII
    return re.compile(rf"(?<![\w./:+-]){pattern}{_END}".replace(" ", r"\s+"), flags), builder, alone


def _korean(pattern: str, builder: Builder) -> tuple[re.Pattern[str], Builder, bool]:
    return re.compile(rf"(?<![\w.:/-]){pattern}{_KO_END}".replace(" ", r"\s?")), builder, True


_PATTERNS = (
    _english(rf"(?:(?:about|around|some|roughly|over|almost|nearly) )?{_N} {_UNIT} ago", _ago_en),
    _english(rf"{_N} (?P<unit>fortnights?) ago", _ago_en),
    _english(r"(?P<n>\d{1,4})(?P<unit>s|m|min|h|hr|d|w|wk|y|yr) ago", _ago_en),
    _english(rf"(?:the )?(?:last|past|previous) {_N} {_UNIT}(?! of)", _past_en),
    _english(rf"(?:the )?past(?P<n>) {_UNIT}", _past_en),
    _english(r"(?:(?:earlier|later) )?today", _days_back(0, 0)),
    _english(r"yesterday(?: (?:morning|afternoon|evening))?", _days_back(1, 1)),
    _english(r"(?:the )?day before yesterday", _days_back(2, 2)),
    _english(r"last night", _night),
    _english(r"this (?P<part>morning|afternoon|evening)", _day_part),
    _english(
        r"(?:(?:earlier|later) )?(?:the )?(?P<which>this|last|previous) (?P<unit>weekend|week|month|quarter|year)",
        _calendar_en,
    ),
    _english(r"(?:the )?(?P<unit>weekend|week|month|year) (?P<which>before last)", _calendar_en),
    _english(rf"(?P<which>last|this(?: past)?) {_WEEKDAY}", _weekday_en),
    _english(rf"{_WEEKDAY}(?: of)? (?P<week>last|this) week", _weekday_en),
    _english(rf"(?P<week>last|this) week(?: on|,)? {_WEEKDAY}", _weekday_en),
    _english(rf"{_WEEKDAY}", _weekday_en, alone=False),
    _english(rf"(?:(?P<part>early|mid|late)[ -])?{_MONTH}(?: of)?,? {_YEAR}", _named_month),
    _english(rf"(?:(?P<part>early|mid|late)[ -])?{_MONTH}(?: of)? (?P<relative>last|this) year", _named_month),
    _english(rf"(?P<which>last) {_MONTH}", _named_month),
    _english(rf"(?:(?P<part>early|mid|late)[ -])?{_MONTH}", _named_month, alone=False),
    _english(rf"(?:the )?{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?", _named_day),
    _english(rf"{_MONTH} {_DAY},? {_YEAR}", _named_day),
    _english(rf"{_MONTH} (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)", _named_day),
    _english(rf"{_MONTH} (?P<day>\d{{1,2}})(?!\s?\w)", _named_day),
    _english(rf"{_MONTH} (?P<day>\d{{1,2}})(?=\W)", _named_day, alone=False),
    _english(
        rf"(?P<day>\d{{1,2}}){_NTH}(?:\s?[-–]\s?| to | and )(?P<to>\d{{1,2}}){_NTH} {_MONTH}(?:,? {_YEAR})?",
        _named_day,
    ),
    _english(rf"{_MONTH} (?P<day>\d{{1,2}}){_NTH}\s?[-–]\s?(?P<to>\d{{1,2}}){_NTH}(?:,? {_YEAR})?", _named_day),
    _english(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![T:./])", _numeric),
    _english(r"(?P<year>(?:19|20)\d\d)/(?P<month>\d\d?)/(?P<day>\d\d?)(?![/.])", _numeric),
    _english(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])(?![/.])", _numeric),
    _english(r"(?P<year>(?:19|20)\d\d)(?![./:,]\d)", _numeric, alone=False),
    _english(
        r"(?P<date>\d{4}-\d\d-\d\d)(?:T| )(?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
        r"(?P<zone>\s?Z|\s?[+-]\d\d:?\d\d)?",
        _moment,
        alone=False,
    ),
    _korean(rf"(?:약 )?(?:{_KO_DAYS_WORD}|(?P<half>반년|반 년)|{_KO_N} {_KO_UNIT}) 전", _ago_ko),
    _korean(rf"(?:지난|최근) (?:{_KO_DAYS_WORD}|{_KO_N} {_KO_UNIT})(?:간| 동안| 사이)?", _past_ko),
    _korean(r"오늘", _days_back(0, 0)),
    _korean(r"(?:어제|어저께)", _days_back(1, 1)),
    _korean(r"(?:그제|그저께)", _days_back(2, 2)),
    _korean(r"(?:그끄제|그끄저께)", _days_back(3, 3)),
    _korean(r"(?:엊그제|엊그저께)", _days_back(3, 1)),
    _korean(r"(?P<which>이번|지난|저번|지지난|저저번) (?P<unit>주말|주|달|해|분기)", _calendar_ko),
    _korean(r"(?P<which>이)(?P<unit>달)", _calendar_ko),
    _korean(r"(?P<which>작|재작|금)(?P<unit>년)", _calendar_ko),
    _korean(r"(?P<which>올|지난|지지난)(?P<unit>해)", _calendar_ko),
    _korean(rf"(?P<week>(?:이번|지난|저번|지지난) 주) (?P<weekday>[{_KO_WEEKDAYS}])요일", _weekday_ko),
    _korean(rf"(?P<week>)(?:지난 |저번 )?(?P<weekday>[{_KO_WEEKDAYS}])요일", _weekday_ko),
    _korean(r"(?P<year>\d{4})년 (?P<month>\d\d?)월(?:달)?(?: (?P<day>\d\d?)일)?", _numeric),
    _korean(
        r"(?P<relative>작년|재작년|지난해|올해|금년|이번 해) (?P<month>\d\d?)월(?:달)?(?: (?P<day>\d\d?)일)?",
        _numeric,
    ),
    _korean(r"(?P<which>지난 )?(?P<month>\d\d?)월(?:달)?(?: (?P<day>\d\d?)일)?", _numeric),
    _korean(r"(?P<year>(?:19|20)\d\d)년(?=에|엔|의|\s?동안|부터|까지|\s?이후|\s?이전)", _numeric),
)  # fmt: skip


def times_said(text: str, now: datetime) -> Iterator[TimeSaid]:
    """The times in `text`, ascending, none overlapping; where several readings begin, the longest. `now` is aware and
    in the listener's timezone. Dates that do not exist are left out."""
    found = [(m, builder, alone) for pattern, builder, alone in _PATTERNS for m in pattern.finditer(text)]
    found.sort(key=lambda item: (item[0].start(), -item[0].end()))
    stop = 0
    for match, builder, alone in found:
        if match.start() < stop:
            continue
        try:
            stretches = builder(match, now)
        except (ValueError, OverflowError):
            continue
        if stretches is not None:
            stop = match.end()
            yield TimeSaid(match.start(), stop, *stretches, alone)
