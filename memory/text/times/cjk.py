"""Chinese and Japanese time expressions: “三周前”, “上个月”, “去年三月”, “3週間前”, “先週の金曜日”."""

import re
from collections.abc import Iterable
from datetime import datetime

from .calendar import (
    ResolvedTime,
    ago,
    calendar_period,
    date_in_figures,
    days_ago,
    latest_year,
    weekday_before,
    weekday_of_week,
)
from .patterns import Resolver, TimePattern
from .seasons import season

_DIGITS = {"一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_UNITS = {
    "秒": "second", "分": "minute", "時": "hour", "时": "hour", "小": "hour", "日": "day", "天": "day", "周": "week",
    "週": "week", "星": "week", "礼": "week", "月": "month", "ヶ": "month", "か": "month", "カ": "month", "年": "year",
}  # fmt: skip
_SEASONS = {"春": "spring", "夏": "summer", "秋": "autumn", "冬": "winter"}
_WEEKDAYS = "一二三四五六日天"
_WEEKDAYS_JA = "月火水木金土日"
#: Word → the period that it names, and how many of them back.
_PERIODS = {
    **dict.fromkeys(("上上周", "上上週", "先々週"), ("week", 2)),
    **dict.fromkeys(("上周", "上週", "上星期", "上个星期", "上個星期", "先週"), ("week", 1)),
    **dict.fromkeys(("本周", "这周", "這週", "这个星期", "這個星期", "今週"), ("week", 0)),
    **dict.fromkeys(("上周末", "上週末", "先週末"), ("weekend", 1)),
    **dict.fromkeys(("上上个月", "上上個月", "先々月"), ("month", 2)),
    **dict.fromkeys(("上个月", "上個月", "上月", "先月"), ("month", 1)),
    **dict.fromkeys(("这个月", "這個月", "本月", "今月"), ("month", 0)),
    **dict.fromkeys(("前年", "一昨年"), ("year", 2)),
    **dict.fromkeys(("去年", "昨年"), ("year", 1)),
    "今年": ("year", 0),
}
#: Word → whole days ago.
_DAYS = {"今天": 0, "今日": 0, "昨天": 1, "昨日": 1, "前天": 2, "一昨日": 2, "おととい": 2, "昨晚": 1, "昨夜": 1}
_YEARS = {"今年": 0, "去年": 1, "昨年": 1, "前年": 2}


def _number(word: str) -> int:
    """Of figures, or of Chinese numerals below one hundred."""
    if word.isdigit():
        return int(word)
    tens, ten, ones = word.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + _DIGITS.get(ones, 0)


def _ago(match: re.Match[str], now: datetime) -> ResolvedTime:
    if match["n"] == "半":
        return ago(now, 6, "month", 1)
    return ago(now, _number(match["n"]), _UNITS[match["unit"][0]])


def _period(match: re.Match[str], now: datetime) -> ResolvedTime:
    return calendar_period(now, *_PERIODS[match["period"]])


def _days(match: re.Match[str], now: datetime) -> ResolvedTime:
    return days_ago(_DAYS[match["days"]], _DAYS[match["days"]], now)


def _weekday(match: re.Match[str], now: datetime) -> ResolvedTime:
    return weekday_of_week(now, min(6, _WEEKDAYS.index(match["weekday"])), match["week"].count("上"))


def _weekday_ja(match: re.Match[str], now: datetime) -> ResolvedTime:
    weekday = _WEEKDAYS_JA.index(match["weekday"])
    if match["week"] is None:
        return weekday_before(now, weekday)
    return weekday_of_week(now, weekday, {"今週": 0, "先々週": 2}.get(match["week"], 1))


def _date(match: re.Match[str], now: datetime) -> ResolvedTime:
    groups = match.groupdict()
    month, day = _number(groups["month"]), _number(groups.get("day") or "0")
    if groups.get("relative"):
        year = now.year - _YEARS[groups["relative"]]
    else:
        year = int(groups["year"]) if groups.get("year") else latest_year(month, day or 1, now)
    return date_in_figures(year, month, day, now)


def _season(match: re.Match[str], now: datetime) -> ResolvedTime:
    name = _SEASONS[match["season"]]
    return season(name, int(match["year"]) if match["year"] else now.year - _YEARS[match["relative"]], now)


def _one_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _pattern(pattern: str, resolve: Resolver) -> TimePattern:
    """Scripts without spaces have no edges of words; what belongs to the time may follow it."""
    regex = rf"(?<![第\d一二三四五六七八九十.:/-]){pattern}(?:的时候|的|の|には|に|は|，|、)?"
    return TimePattern(re.compile(regex), resolve, unambiguous=True)


_N = r"(?P<n>\d{1,4}|[一二两兩三四五六七八九]?十[一二三四五六七八九]?|[一二两兩三四五六七八九半])"
_UNIT = r"(?P<unit>小时|小時|時間|时|分钟|分鐘|分|秒|日|天|周|週間|週|星期|礼拜|ヶ月|か月|カ月|月|年)"
_MONTH = r"(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月"
_DAY = r"(?:(?P<day>\d{1,2}|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号號])?"
_YEAR = r"(?P<year>(?:19|20)\d\d)年"
_RELATIVE = rf"(?P<relative>{'|'.join(_YEARS)})の?"

PATTERNS = (
    _pattern(rf"{_N}[个個]?{_UNIT}(?:以?前)", _ago),
    _pattern(rf"(?P<period>{_one_of(_PERIODS)})", _period),
    _pattern(rf"(?P<days>{_one_of(_DAYS)})", _days),
    _pattern(rf"(?P<week>上{{1,2}}(?:周|週|个?星期))(?P<weekday>[{_WEEKDAYS}])(?!前)", _weekday),
    _pattern(rf"(?:(?P<week>先々週|先週|今週)の?)?(?P<weekday>[{_WEEKDAYS_JA}])曜日?", _weekday_ja),
    _pattern(rf"{_YEAR}{_MONTH}{_DAY}", _date),
    _pattern(rf"{_RELATIVE}{_MONTH}{_DAY}", _date),
    _pattern(r"(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月(?P<day>\d{1,2})[日号號]", _date),
    _pattern(rf"(?:(?:{_YEAR}|{_RELATIVE})(?P<season>[春夏秋冬])[天季]?)", _season),
)
