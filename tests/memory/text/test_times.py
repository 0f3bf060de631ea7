from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from foxing.memory import InvalidTime
from foxing.memory.text.times import Window, parse_since, parse_until, split_query

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 6, 17, 5, 30, tzinfo=UTC)  # a Wednesday, 14:30 in Seoul


def days(first: str, until: str) -> Window:
    """From the start of one day to the start of another, in Seoul."""
    since, stop = (datetime.fromisoformat(day).replace(tzinfo=SEOUL).astimezone(UTC) for day in (first, until))
    return Window(since, stop)


@pytest.mark.parametrize(
    ("query", "rest", "first", "until"),
    [
        (
            "3 weeks ago, what did we decide about project Titan?",
            "what did we decide about project Titan?",
            "2026-05-24",
            "2026-06-01",
        ),
        ("What did we decide 3 weeks ago?", "What did we decide?", "2026-05-24", "2026-06-01"),
        ("yesterday's standup notes", "standup notes", "2026-06-16", "2026-06-17"),
        ("what did we do today?", "what did we do?", "2026-06-17", "2026-06-18"),
        ("last week", "", "2026-06-08", "2026-06-15"),
        ("the invoice from last month", "the invoice", "2026-05-01", "2026-06-01"),
        ("this week's plan", "plan", "2026-06-15", "2026-06-22"),
        ("last year we moved", "we moved", "2025-01-01", "2026-01-01"),
        ("what was said last Tuesday", "what was said", "2026-06-16", "2026-06-17"),
        ("last Wednesday", "", "2026-06-10", "2026-06-11"),
        ("last week on Tuesday", "", "2026-06-09", "2026-06-10"),
        ("what happened in March", "what happened", "2026-03-01", "2026-04-01"),
        ("the outage in August", "the outage", "2025-08-01", "2025-09-01"),
        ("in March 2026 we met", "we met", "2026-03-01", "2026-04-01"),
        ("in early March", "", "2026-03-01", "2026-03-11"),
        ("what on 4 March 2026?", "what?", "2026-03-04", "2026-03-05"),
        ("on March 4th, 2026", "", "2026-03-04", "2026-03-05"),
        ("we decided March 4 about it", "we decided about it", "2026-03-04", "2026-03-05"),
        ("4-8 March", "", "2026-03-04", "2026-03-09"),
        ("log of 2026-03-04", "log", "2026-03-04", "2026-03-05"),
        ("between March and May, what did we say?", "what did we say?", "2026-03-01", "2026-06-01"),
        ("from November to February", "", "2025-11-01", "2026-03-01"),
        ("from 2024-01-02 to 2024-02-03", "", "2024-01-02", "2024-02-04"),
        ("in the last 2 weeks", "", "2026-06-03", "2026-06-18"),
        ("a couple of weeks ago", "", "2026-05-27", "2026-06-11"),
        ("in 2025", "", "2025-01-01", "2026-01-01"),
        ("어제 저녁 뭐 먹었지", "저녁 뭐 먹었지", "2026-06-16", "2026-06-17"),
        ("그저께 회의", "회의", "2026-06-15", "2026-06-16"),
        ("오늘은 뭐 했지", "뭐 했지", "2026-06-17", "2026-06-18"),
        ("지난주에 정한 것", "정한 것", "2026-06-08", "2026-06-15"),
        ("지난 주 화요일 회의", "회의", "2026-06-09", "2026-06-10"),
        ("지난달에 뭐라고 했지?", "뭐라고 했지?", "2026-05-01", "2026-06-01"),
        ("Monday before July 24, 2023", "", "2023-07-17", "2023-07-18"),
        ("the Sunday before 25 May 2023, what did she do?", "what did she do?", "2023-05-21", "2023-05-22"),
        ("the Friday after 2023-05-04", "", "2023-05-05", "2023-05-06"),
        ("the day after May 4th, 2023", "", "2023-05-05", "2023-05-06"),
        ("the week before 9 June 2023", "", "2023-05-29", "2023-06-09"),
        ("the week after 9 June 2023", "", "2023-06-10", "2023-06-19"),
        ("the week of 9 June 2023", "", "2023-06-05", "2023-06-12"),
        ("the weekend before July 22, 2023", "", "2023-07-15", "2023-07-17"),
        ("the weekend after 20 July 2023", "", "2023-07-22", "2023-07-24"),
        ("the month before 2023-01-20", "", "2022-12-01", "2023-01-01"),
        ("two Fridays ago", "", "2026-06-05", "2026-06-06"),
        ("two weekends ago", "", "2026-06-06", "2026-06-08"),
        ("what did I do last summer?", "what did I do?", "2025-06-01", "2025-09-01"),
        ("this summer", "", "2026-06-01", "2026-09-01"),
        ("last winter", "", "2025-12-01", "2026-03-01"),
        ("the winter before last", "", "2024-12-01", "2025-03-01"),
        ("in the autumn", "", "2025-09-01", "2025-12-01"),
        ("in the spring of 2023", "", "2023-03-01", "2023-06-01"),
        ("early March", "", "2026-03-01", "2026-03-11"),
        ("our talks in mid-May 2025", "our talks", "2025-05-11", "2025-05-21"),
        ("in late 2025 we met", "we met", "2025-09-01", "2026-01-01"),
        ("지난 여름", "", "2025-06-01", "2025-09-01"),
        ("작년 겨울에 산 것", "산 것", "2025-12-01", "2026-03-01"),
        ("이번 봄 여행", "여행", "2026-03-01", "2026-06-01"),
        ("2024년 가을에 한 말", "한 말", "2024-09-01", "2024-12-01"),
        ("5월 초에 정한 것", "정한 것", "2026-05-01", "2026-05-11"),
        ("작년 3월 말", "", "2025-03-21", "2025-04-01"),
        ("지지난 금요일", "", "2026-06-05", "2026-06-06"),
        ("三周前我们决定了什么", "我们决定了什么", "2026-05-24", "2026-06-01"),
        ("两个月前的会议", "会议", "2026-04-02", "2026-05-03"),
        ("去年三月", "", "2025-03-01", "2025-04-01"),
        ("上周五开会", "开会", "2026-06-12", "2026-06-13"),
        ("2024年夏天", "", "2024-06-01", "2024-09-01"),
        ("十二天前", "", "2026-06-05", "2026-06-07"),
        ("2026年3月4日の会議", "会議", "2026-03-04", "2026-03-05"),
        ("3週間前に何を決めた?", "何を決めた?", "2026-05-24", "2026-06-01"),
        ("先週の金曜日の会議", "会議", "2026-06-12", "2026-06-13"),
        ("先月", "", "2026-05-01", "2026-06-01"),
        ("작년", "", "2025-01-01", "2026-01-01"),
        ("올해 목표", "목표", "2026-01-01", "2027-01-01"),
        ("작년 3월 출장", "출장", "2025-03-01", "2025-04-01"),
        ("3월에 뭐 했지", "뭐 했지", "2026-03-01", "2026-04-01"),
        ("2026년 3월 4일 회의", "회의", "2026-03-04", "2026-03-05"),
        (
            "3주 전에 타이탄 프로젝트는 어떻게 정했지?",
            "타이탄 프로젝트는 어떻게 정했지?",
            "2026-05-24",
            "2026-06-01",
        ),
        ("한 달 전 이야기", "이야기", "2026-05-02", "2026-06-02"),
        ("사흘 전", "", "2026-06-14", "2026-06-16"),
        ("일주일 전에 한 말", "한 말", "2026-06-07", "2026-06-15"),
        ("5월부터 6월까지 한 일", "한 일", "2026-05-01", "2026-07-01"),
    ],
)
def test_time_in_a_query(query: str, rest: str, first: str, until: str) -> None:
    assert split_query(query, NOW, "Asia/Seoul") == (rest, days(first, until))


@pytest.mark.parametrize(
    "query",
    [
        "May I ask a question",
        "wait a second",
        "version 2024.1",
        "march forward",
        "march 4 miles",
        "may 4 people join?",
        "port 8080",
        "3 weeks of vacation",
        "in 3 weeks",
        "in 2027 what will we ship",
        "report-2026-03-04.csv",
        "2026-03-04T10:00:00Z ERROR disk full",
        'who sang "3 weeks ago"?',
        "https://example.org/2026/03/04/titan",
        "the Ides of March",
        "how did the early march of the army go?",
        "in the fall",
        "spring forward",
        "the summer dress",
        "第三周前进",
        "last second fix",
        "on 2026-02-30",
        "오늘날의 세계",
        "주말 계획",
        "",
    ],
)
def test_query_without_a_time_is_unchanged(query: str) -> None:
    assert split_query(query, NOW, "Asia/Seoul") == (query, None)


def test_bounds_in_a_query_leave_the_window_open() -> None:
    march = days("2026-03-01", "2026-04-01")
    assert split_query("what changed since March?", NOW, "Asia/Seoul") == (
        "what changed?",
        Window(march.since, None),
    )
    assert split_query("after March", NOW, "Asia/Seoul") == ("", Window(march.until, None))
    assert split_query("anything before 2026-03?", NOW, "Asia/Seoul") == ("anything?", Window(None, march.since))
    assert split_query("3월 이후 결정", NOW, "Asia/Seoul") == ("결정", Window(march.since, None))
    assert split_query("3월까지", NOW, "Asia/Seoul") == ("", Window(None, march.until))


def test_hours_are_not_rounded_to_days() -> None:
    half = timedelta(minutes=30)
    rest, window = split_query("2 hours ago what broke?", NOW, None)
    assert (rest, window) == ("what broke?", Window(NOW - 4 * half - half, NOW - 4 * half + half))


def test_days_respect_daylight_saving_time() -> None:
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    _, window = split_query("yesterday", now, "Europe/Berlin")  # 29 March 2026 has 23 hours there
    assert window is not None
    assert window.since is not None
    assert window.until is not None
    assert window.until - window.since == timedelta(hours=23)


def test_quoted_time_counts_if_it_is_the_whole_query() -> None:
    assert split_query('"yesterday"', NOW, None)[1] is not None


@pytest.mark.parametrize(
    ("words", "first", "until"),
    [
        ("3 weeks ago", "2026-05-27", "2026-05-28"),
        ("3주 전", "2026-05-27", "2026-05-28"),
        ("yesterday", "2026-06-16", "2026-06-17"),
        ("last month", "2026-05-01", "2026-06-01"),
        ("지난달", "2026-05-01", "2026-06-01"),
        ("in March", "2026-03-01", "2026-04-01"),
        ("2026-03", "2026-03-01", "2026-04-01"),
        ("2026-03-04", "2026-03-04", "2026-03-05"),
        ("2025", "2025-01-01", "2026-01-01"),
        ("tomorrow", "2026-06-18", "2026-06-19"),
        ("vor 3 Wochen", "2026-05-27", "2026-05-28"),
    ],
)
def test_bounds_in_words(words: str, first: str, until: str) -> None:
    window = days(first, until)
    assert parse_since(words, NOW, "Asia/Seoul") == window.since
    assert parse_until(words, NOW, "Asia/Seoul") == window.until


def test_bounds_as_instants() -> None:
    moment = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
    for time in ("2026-03-04T00:30:00Z", "2026-03-04 09:30+09:00", moment, moment.astimezone(SEOUL)):
        assert parse_since(time, NOW, None) == parse_until(time, NOW, None) == moment
    assert parse_since("2026-03-04T09:30", NOW, "Asia/Seoul") == moment
    assert parse_since("2026-03-04T09:30", NOW, "+09:00") == moment
    assert parse_since("now", NOW, None) == NOW


@pytest.mark.parametrize(
    ("time", "timezone", "reason"),
    [
        ("garbage", None, "3 weeks ago"),
        ("", None, "3 weeks ago"),
        ("12", None, "3 weeks ago"),
        ("3 weeks ago" + " " * 190 + "x", None, "at most 200 characters"),
        ("99999 years ago", None, "3 weeks ago"),
        ("2026-02-30", None, "cannot be parsed"),
        ("2026-13-45T00:00:00Z", None, "does not exist"),
        ("2026-03-04T09:30", None, "timezone"),
        (datetime(2026, 3, 4), None, "timezone"),  # noqa: DTZ001
        ("yesterday", "Mars/Olympus", "Asia/Seoul"),
        ("yesterday", "../etc/passwd", "is unknown"),
    ],
)
def test_unreadable_times(time: str | datetime, timezone: str | None, reason: str) -> None:
    with pytest.raises(InvalidTime, match=reason):
        parse_since(time, NOW, timezone)


def test_naive_now_is_rejected() -> None:
    with pytest.raises(InvalidTime, match="timezone"):
        split_query("yesterday", NOW.replace(tzinfo=None), None)


@pytest.mark.parametrize("timezone", ["+99:99", "+24:00", "-25", "UTC+1260"])
def test_an_offset_that_does_not_exist_is_an_invalid_time(timezone: str) -> None:
    with pytest.raises(InvalidTime, match=r"the offset '.*' is invalid"):
        parse_since("2026-03-04", NOW, timezone)


@pytest.mark.parametrize(
    ("zone", "now", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-30T10:00Z", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-26T11:00Z", "2026-10-25", 25),
        ("America/New_York", "2026-03-09T16:00Z", "2026-03-08", 23),
        ("America/New_York", "2026-11-02T17:00Z", "2026-11-01", 25),
    ],
)
def test_a_day_on_which_the_clocks_change_is_whole(zone: str, now: str, day: str, hours: int) -> None:
    """A time of that day that does not exist, or exists twice, is within it as well."""
    present = datetime.fromisoformat(now)
    rest, window = split_query("yesterday at 2:30, what broke?", present, zone)
    assert rest == "at 2:30, what broke?"
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert window == Window(start, start + timedelta(hours=hours))
    assert parse_since("yesterday", present, zone) == start
    for clock in ("01:30", "02:30"):
        assert start <= parse_since(f"{day}T{clock}", present, zone) < start + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "words", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30Z"),  # is skipped: as long after midnight as it says
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30Z"),  # comes twice: the first
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30Z"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30Z"),
        ("Europe/Berlin", "34 hours ago", "2026-10-25T01:00Z"),
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat(zone: str, words: str, instant: str) -> None:
    now = datetime(2026, 10, 26, 11, tzinfo=UTC)
    assert parse_since(words, now, zone) == datetime.fromisoformat(instant)
