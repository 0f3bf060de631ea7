"""Korean time expressions: “3주 전”, “지난달”, “2026년 3월 4일”, “사흘 전”."""

import re
from calendar import monthrange
from datetime import datetime, timedelta

from .calendar import (
    ResolvedTime,
    ago,
    calendar_period,
    date_in_figures,
    days,
    days_ago,
    latest_year,
    up_to_now,
    weekday_before,
    weekday_of_week,
)
from .patterns import Resolver, TimePattern
from .seasons import last_season, latest_season, season

_NUMBERS = {
    "한": 1, "일": 1, "두": 2, "이": 2, "세": 3, "석": 3, "삼": 3, "네": 4, "넉": 4, "다섯": 5, "여섯": 6,
    "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "열한": 11, "열두": 12,
}  # fmt: skip
_DAY_COUNTS = {
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9,
    "열흘": 10, "보름": 15,
}  # fmt: skip
_UNITS = {
    "초": "second", "분": "minute", "시간": "hour", "일": "day", "주": "week", "주일": "week", "달": "month",
    "개월": "month", "년": "year", "해": "year",
}  # fmt: skip
_CALENDAR_UNITS = {"주": "week", "달": "month", "해": "year", "년": "year", "주말": "weekend", "분기": "quarter"}
_SEASONS = {"봄": "spring", "여름": "summer", "가을": "autumn", "겨울": "winter"}
_WEEKDAYS = "월화수목금토일"
#: “이 일 전” is “before this matter”, “한 일 전” “before what was done”: a number of these is said with another word.
_NOT_COUNTED = re.compile(
    r"(?:약\s?)?(?:이\s(?:일|분|달|해|시간)|(?:한|두|세|석|네|넉|다섯|여섯|일곱|여덟|아홉)\s?[일분초년])"
)


def _number(word: str) -> float:
    return float(_NUMBERS.get(word, 0) or word)


def _periods_back(word: str) -> int:
    """How many periods back “이번”, “지난” or “지지난” and the like point."""
    word = word.replace(" ", "")
    if word.startswith(("지지난", "저저번", "재작", "지지")):
        return 2
    return 0 if word.startswith(("이", "올", "금")) else 1


def _ago(match: re.Match[str], now: datetime) -> ResolvedTime | None:
    if match["days"]:
        return ago(now, _DAY_COUNTS[match["days"]], "day")
    if match["half"]:
        return ago(now, 6, "month", 1)
    if _NOT_COUNTED.match(match[0]):
        return None
    count, slack = (3.5, 1.5) if match["n"] == "몇" else (_number(match["n"]), 0.5)
    return ago(now, count, _UNITS[match["unit"]], slack)


def _past(match: re.Match[str], now: datetime) -> ResolvedTime:
    if match["days"]:
        return up_to_now(now, _DAY_COUNTS[match["days"]], "day")
    count = 5.0 if match["n"] == "몇" else _number(match["n"])
    return up_to_now(now, count, _UNITS[match["unit"]])


def _weekday(match: re.Match[str], now: datetime) -> ResolvedTime:
    weekday = _WEEKDAYS.index(match["weekday"])
    if match["week"]:
        return weekday_of_week(now, weekday, _periods_back(match["week"]))
    latest = weekday_before(now, weekday)
    if match.groupdict().get("twice"):
        day = latest.exact.start.astimezone(now.tzinfo).date() - timedelta(7)
        return days(day, day, now)
    return latest


def _calendar(match: re.Match[str], now: datetime) -> ResolvedTime:
    return calendar_period(now, _CALENDAR_UNITS[match["unit"]], _periods_back(match["which"]))


def _date(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups = match.groupdict()
    month, day = int(groups.get("month") or 0), int(groups.get("day") or 0)
    if groups.get("relative"):
        year = now.year - _periods_back(groups["relative"])
    elif groups.get("year"):
        year = int(groups["year"])
    else:
        year = latest_year(month, day or 1, now)
        if groups.get("which") and not day and (year, month) == (now.year, now.month):
            year -= 1
    return date_in_figures(year, month, day, now)


def _part_of_month(match: re.Match[str], now: datetime) -> ResolvedTime:
    whole = _date(match, now).exact.start.astimezone(now.tzinfo).date()
    last = monthrange(whole.year, whole.month)[1]
    first_day, last_day = {"초": (1, 10), "중": (11, 20)}.get(match["part"][0], (21, last))
    return days(whole.replace(day=first_day), whole.replace(day=last_day), now)


def _season(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups, name = match.groupdict(), _SEASONS[match["season"]]
    if groups.get("year"):
        return season(name, int(groups["year"]), now)
    if groups.get("relative"):
        return season(name, now.year - _periods_back(groups["relative"]), now)
    back = _periods_back(groups["which"])
    return last_season(name, now) if back == 1 else latest_season(name, now, back)


def _days_ago(first: int, last: int) -> Resolver:
    return lambda match, now: days_ago(first, last, now)


_N = r"(?P<n>\d{1,4}|몇|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_UNIT = r"(?P<unit>시간|개월|주일|[초분일주달년해])"
_DAYS = r"(?P<days>" + "|".join(_DAY_COUNTS) + ")"
_RELATIVE = "작년|재작년|지난해|올해|금년|이번 해"
_SEASON = "(?P<season>봄|여름|가을|겨울)"
_PART = "(?P<part>초순|초|중순|중반|하순|말)"
_MONTH_AND_DAY = r"(?P<month>\d\d?)월(?:달)?(?: (?P<day>\d\d?)일)?"
_PARTICLE = r"(?:\s?(?:쯤|경|동안|중))?(?:에는|에도|에서|에|엔|의|은|는|도)?"
#: What may follow: a particle, a word that makes it a bound (read by the caller), or anything but a letter.
_END = rf"{_PARTICLE}(?=부터|까지|\s?이후|\s?이전|(?![\w가-힣]))"


def _pattern(pattern: str, resolve: Resolver) -> TimePattern:
    """A pattern not part of a longer word or number; a space may be missing."""
    return TimePattern(re.compile(rf"(?<![\w.:/-]){pattern}{_END}".replace(" ", r"\s?")), resolve, unambiguous=True)


PATTERNS = (
    _pattern(rf"(?:약 )?(?:{_DAYS}|(?P<half>반년|반 년)|{_N} {_UNIT}) 전", _ago),
    _pattern(rf"(?:지난|최근) (?:{_DAYS}|{_N} {_UNIT})(?:간| 동안| 사이)?", _past),
    _pattern(r"오늘", _days_ago(0, 0)),
    _pattern(r"(?:어제|어저께)", _days_ago(1, 1)),
    _pattern(r"(?:그제|그저께)", _days_ago(2, 2)),
    _pattern(r"(?:그끄제|그끄저께)", _days_ago(3, 3)),
    _pattern(r"(?:엊그제|엊그저께)", _days_ago(3, 1)),
    _pattern(r"(?P<which>이번|지난|저번|지지난|저저번) (?P<unit>주말|주|달|해|분기)", _calendar),
    _pattern(r"(?P<which>이)(?P<unit>달)", _calendar),
    _pattern(r"(?P<which>작|재작|금)(?P<unit>년)", _calendar),
    _pattern(r"(?P<which>올|지난|지지난)(?P<unit>해)", _calendar),
    _pattern(rf"(?P<week>(?:이번|지난|저번|지지난) 주) (?P<weekday>[{_WEEKDAYS}])요일", _weekday),
    _pattern(rf"(?P<week>)(?:지난 |저번 |(?P<twice>지지난|저저번) )?(?P<weekday>[{_WEEKDAYS}])요일", _weekday),
    _pattern(rf"(?P<year>\d{{4}})년 {_MONTH_AND_DAY}", _date),
    _pattern(rf"(?P<relative>{_RELATIVE}) {_MONTH_AND_DAY}", _date),
    _pattern(rf"(?P<which>지난 )?{_MONTH_AND_DAY}", _date),
    _pattern(rf"(?:(?P<year>\d{{4}})년 |(?P<relative>{_RELATIVE}) )?(?P<month>\d\d?)월 {_PART}", _part_of_month),
    _pattern(rf"(?P<which>이번|지난|저번|지지난|저저번) {_SEASON}", _season),
    _pattern(rf"(?:(?P<year>\d{{4}})년|(?P<relative>{_RELATIVE})) {_SEASON}", _season),
    _pattern(r"(?P<year>(?:19|20)\d\d)년(?=에|엔|의|\s?동안|부터|까지|\s?이후|\s?이전)", _date),
)
