"""Korean time expressions: “3주 전”, “지난달”, “2026년 3월 4일”, “사흘 전”."""

from .calendar import days_ago
from .resolvers import Resolver, TimeLanguage, TimePattern, one_of

_COUNTED_DAYS = {
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9,
    "열흘": 10, "보름": 15,
}  # fmt: skip
_NUMBERS = {
    "한": 1, "일": 1, "두": 2, "이": 2, "세": 3, "석": 3, "삼": 3, "네": 4, "넉": 4, "다섯": 5, "여섯": 6,
    "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "열한": 11, "열두": 12,
}  # fmt: skip
KOREAN = TimeLanguage(
    numbers={**_NUMBERS, **_COUNTED_DAYS},
    vague={"몇": (3.5, 1.5), "반": (0.5, 0.25)},
    units={
        "초": "second", "분": "minute", "시간": "hour", "일": "day", "주": "week", "주일": "week", "달": "month",
        "개월": "month", "년": "year", "해": "year", "주말": "weekend", "분기": "quarter",
    },
    periods={
        "오늘": ("day", 0), "어제": ("day", 1), "어저께": ("day", 1), "그제": ("day", 2), "그저께": ("day", 2),
        "그끄제": ("day", 3), "그끄저께": ("day", 3),
    },
    current=("이", "올", "금"),
    before_last=("지지난", "저저번", "재작"),
    weekdays={name: number for number, name in enumerate("월화수목금토일")},
    seasons={"봄": "spring", "여름": "summer", "가을": "autumn", "겨울": "winter"},
    seasons_back={"이번": 0, "지난": None, "저번": None, "지지난": 2, "저저번": 2},
    parts={"초": "early", "중": "mid", "하": "late", "말": "late"},
)  # fmt: skip

_N = rf"(?P<n>\d{{1,4}}|몇|{one_of(_NUMBERS)})"
_UNIT = r"(?P<unit>시간|개월|주일|[초분일주달년해])"
_DAYS = rf"(?P<n>{one_of(_COUNTED_DAYS)})"
#: “이 일 전” means “before this matter”, “한 일 전” “before what was done”; counts of these units use other numerals.
_COUNTED = r"(?!이\s(?:일|분|달|해|시간)|(?:한|두|세|석|네|넉|다섯|여섯|일곱|여덟|아홉)\s?[일분초년])"
_WEEKDAY = rf"(?P<weekday>[{''.join(KOREAN.weekdays)}])요일"
_RELATIVE = "(?P<relative>작년|재작년|지난해|올해|금년|이번 해)"
_SEASON = f"(?P<season>{one_of(KOREAN.seasons)})"
_PART = "(?P<part>초순|초|중순|중반|하순|말)"
_YEAR = r"(?P<year>\d{4})년"
_MONTH_AND_DAY = r"(?P<month>\d\d?)월(?:달)?(?: (?P<day>\d\d?)일)?"
_PARTICLE = r"(?:\s?(?:쯤|경|동안|중))?(?:에는|에도|에서|에|엔|의|은|는|도)?"
#: Suffix: a particle, a word that makes it a bound (parsed by the caller), or no letter.
_END = rf"{_PARTICLE}(?=부터|까지|\s?이후|\s?이전|(?![\w가-힣]))"


def _pattern(pattern: str, resolve: Resolver) -> TimePattern:
    """Returns a pattern that matches whole words only. Spaces are optional."""
    return TimePattern(rf"(?<![\w.:/-]){pattern}{_END}".replace(" ", r"\s?"), resolve)


PATTERNS = (
    _pattern(rf"(?:약 )?{_DAYS} 전", KOREAN.ago),
    _pattern(r"(?:약 )?(?P<n>반) (?P<unit>년) 전", KOREAN.ago),
    _pattern(rf"(?:약 )?{_COUNTED}{_N} {_UNIT} 전", KOREAN.ago),
    _pattern(rf"(?:지난|최근) {_DAYS}(?:간| 동안| 사이)?", KOREAN.past),
    _pattern(rf"(?:지난|최근) {_N} {_UNIT}(?:간| 동안| 사이)?", KOREAN.past),
    _pattern(rf"(?P<period>{one_of(KOREAN.periods)})", KOREAN.period),
    _pattern(r"(?:엊그제|엊그저께)", lambda match, now: days_ago(3, 1, now)),
    _pattern(r"(?P<which>이번|지난|저번|지지난|저저번) (?P<unit>주말|주|달|해|분기)", KOREAN.period),
    _pattern(r"(?P<which>이)(?P<unit>달)", KOREAN.period),
    _pattern(r"(?P<which>작|재작|금)(?P<unit>년)", KOREAN.period),
    _pattern(r"(?P<which>올|지난|지지난)(?P<unit>해)", KOREAN.period),
    _pattern(rf"(?P<week>(?:이번|지난|저번|지지난) 주) {_WEEKDAY}", KOREAN.weekday),
    _pattern(rf"(?:(?P<which>지난|저번|지지난|저저번) )?{_WEEKDAY}", KOREAN.weekday),
    _pattern(rf"{_YEAR} {_MONTH_AND_DAY}", KOREAN.date),
    _pattern(rf"{_RELATIVE} {_MONTH_AND_DAY}", KOREAN.date),
    _pattern(rf"(?P<which>지난 )?{_MONTH_AND_DAY}", KOREAN.date),
    _pattern(rf"(?:{_YEAR} |{_RELATIVE} )?(?P<month>\d\d?)월 {_PART}", KOREAN.date),
    _pattern(rf"(?P<which>이번|지난|저번|지지난|저저번) {_SEASON}", KOREAN.season),
    _pattern(rf"(?:{_YEAR}|{_RELATIVE}) {_SEASON}", KOREAN.season),
    _pattern(r"(?P<year>(?:19|20)\d\d)년(?=에|엔|의|\s?동안|부터|까지|\s?이후|\s?이전)", KOREAN.date),
)
