"""Chinese and Japanese time expressions: “三周前”, “上个月”, “去年三月”, “3週間前”, “先週の金曜日”."""

from .resolvers import Resolver, TimeLanguage, TimePattern, one_of

_DIGITS = {"一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_TENS = {
    f"{tens}十{ones}": 10 * ten + one
    for tens, ten in {"": 1, **_DIGITS}.items()
    for ones, one in {"": 0, **_DIGITS}.items()
}
_RELATIVE_YEARS = ("今年", "去年", "昨年", "前年")
CJK = TimeLanguage(
    numbers={**_DIGITS, **_TENS},
    vague={"半": (0.5, 0.25)},
    units={
        **dict.fromkeys(("分", "分钟", "分鐘"), "minute"),
        **dict.fromkeys(("小时", "小時", "時間", "时"), "hour"),
        **dict.fromkeys(("日", "天"), "day"),
        **dict.fromkeys(("周", "週", "週間", "星期", "礼拜"), "week"),
        **dict.fromkeys(("月", "ヶ月", "か月", "カ月"), "month"),
        "秒": "second", "年": "year",
    },
    periods={
        **dict.fromkeys(("今天", "今日"), ("day", 0)),
        **dict.fromkeys(("昨天", "昨日", "昨晚", "昨夜"), ("day", 1)),
        **dict.fromkeys(("前天", "一昨日", "おととい"), ("day", 2)),
        **dict.fromkeys(("本周", "这周", "這週", "这个星期", "這個星期", "今週"), ("week", 0)),
        **dict.fromkeys(("上周", "上週", "上星期", "上个星期", "上個星期", "先週"), ("week", 1)),
        **dict.fromkeys(("上上周", "上上週", "先々週"), ("week", 2)),
        **dict.fromkeys(("上周末", "上週末", "先週末"), ("weekend", 1)),
        **dict.fromkeys(("这个月", "這個月", "本月", "今月"), ("month", 0)),
        **dict.fromkeys(("上个月", "上個月", "上月", "先月"), ("month", 1)),
        **dict.fromkeys(("上上个月", "上上個月", "先々月"), ("month", 2)),
        **dict.fromkeys(("去年", "昨年"), ("year", 1)),
        **dict.fromkeys(("前年", "一昨年"), ("year", 2)),
        "今年": ("year", 0),
    },
    current=("今",),
    before_last=("上上", "先々", "前"),
    weekdays={name: number for names in ("一二三四五六日", "月火水木金土") for number, name in enumerate(names)}
    | {"天": 6},
    seasons={"春": "spring", "夏": "summer", "秋": "autumn", "冬": "winter"},
)  # fmt: skip


def _pattern(pattern: str, resolve: Resolver) -> TimePattern:
    """Returns a pattern without word boundaries, followed by an optional particle."""
    regex = rf"(?<![第\d一二三四五六七八九十.:/-]){pattern}(?:的时候|的|の|には|に|は|，|、)?"
    return TimePattern(regex, resolve)


_N = r"(?P<n>\d{1,4}|[一二两兩三四五六七八九]?十[一二三四五六七八九]?|[一二两兩三四五六七八九半])"
_MONTH = r"(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月"
_DAY = r"(?:(?P<day>\d{1,2}|[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号號])?"
_YEAR = r"(?P<year>(?:19|20)\d\d)年"
_RELATIVE = rf"(?P<relative>{one_of(_RELATIVE_YEARS)})の?"

PATTERNS = (
    _pattern(rf"{_N}[个個]?(?P<unit>{one_of(CJK.units)})(?:以?前)", CJK.ago),
    _pattern(rf"(?P<period>{one_of(CJK.periods)})", CJK.period),
    _pattern(r"(?P<week>上{1,2}(?:周|週|个?星期))(?P<weekday>[一二三四五六日天])(?!前)", CJK.weekday),
    _pattern(r"(?:(?P<week>先々週|先週|今週)の?)?(?P<weekday>[月火水木金土日])曜日?", CJK.weekday),
    _pattern(rf"{_YEAR}{_MONTH}{_DAY}", CJK.date),
    _pattern(rf"{_RELATIVE}{_MONTH}{_DAY}", CJK.date),
    _pattern(rf"{_MONTH}(?P<day>\d{{1,2}})[日号號]", CJK.date),
    _pattern(rf"(?:(?:{_YEAR}|{_RELATIVE})(?P<season>[春夏秋冬])[天季]?)", CJK.season),
)
