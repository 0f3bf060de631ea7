"""Whether words in a query are meant as a time: “may” and “march” mostly are not."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from foxing.memory.text.times import split_query

NOW = datetime(2026, 6, 17, 5, 30, tzinfo=UTC)  # a Wednesday, 14:30 in Seoul

MEANT = [
    ("what happened in march", "2026-03-01", "2026-04-01"),
    ("in may we shipped titan", "2026-05-01", "2026-06-01"),
    ("who joined during august", "2025-08-01", "2025-09-01"),
    ("what did Mina say in May?", "2026-05-01", "2026-06-01"),
    ("in May Mina moved", "2026-05-01", "2026-06-01"),
    ("what did our May release contain", "2026-05-01", "2026-06-01"),
    ("who signed the March invoice?", "2026-03-01", "2026-04-01"),
    ("in the March review we cut offline maps", "2026-03-01", "2026-04-01"),
    ("the figures in march's report", "2026-03-01", "2026-04-01"),
    ("in march 2025 titan slipped", "2025-03-01", "2025-04-01"),
    ("notes of may 2025", "2025-05-01", "2025-06-01"),
    ("march 4, who decided?", "2026-03-04", "2026-03-05"),
    ("what did we decide on 4 may", "2026-05-04", "2026-05-05"),
    ("on march 4 titan slipped", "2026-03-04", "2026-03-05"),
    ("the call on May 3rd", "2026-05-03", "2026-05-04"),
    ("what did we ship last march?", "2026-03-01", "2026-04-01"),
    ("what changed this May?", "2026-05-01", "2026-06-01"),
    ("what was planned in early may", "2026-05-01", "2026-05-11"),
    ("the notes from Monday's call", "2026-06-15", "2026-06-16"),
    ("in 2025 we moved", "2025-01-01", "2026-01-01"),
    ("in 2025 Mina moved", "2025-01-01", "2026-01-01"),
    ("between march and may, who may join?", "2026-03-01", "2026-06-01"),
    ("what happened in September", "2025-09-01", "2025-10-01"),
    ("3월에 누가 입사했지", "2026-03-01", "2026-04-01"),
    ("작년 5월의 회의", "2025-05-01", "2025-06-01"),
    ("5월 4일 회의에서 정한 것", "2026-05-04", "2026-05-05"),
    ("우리 이틀 전에 뭐 했지", "2026-06-15", "2026-06-17"),
    ("두 달 전 이야기", "2026-04-02", "2026-05-03"),
    ("이 주 전 회의", "2026-05-31", "2026-06-08"),
    ("월요일 회의에서 뭐라고 했지", "2026-06-15", "2026-06-16"),
    ("지난주 금요일 배포", "2026-06-12", "2026-06-13"),
    ("이번 달 출시", "2026-06-01", "2026-07-01"),
]

NOT_MEANT = [
    "who may be on the march team?",
    "who is on the March team?",
    "they were on the march for days",
    "who leads during the march?",
    "after the march we rested",
    "since the march began",
    "may it be so",
    "in august company",
    "in may be wrong",
    "who may 3rd parties ask?",
    "all 4 may attend",
    "the 4 may be wrong",
    "may 4, 5 or 6 people join?",
    "may 4-8 people join?",
    "2 to 3 may be slow",
    "from 2 to 3 may be slow",
    "may 2000 people come?",
    "May 2000 people come?",
    "the last march of the penguins",
    "this may help",
    "this march was long",
    "we sat in the sun",
    "the second fall of the year",
    "in the fall",
    "in a second",
    "go past second base",
    "found in 2000 rows",
    "over 2000 users",
    "around 2000 ms",
    "up to 2000 requests",
    "between 2000 and 2010 rows",
    "on Monday next week",
    "next week on Tuesday",
    "in May next year",
    "AUGUST BODIES MAY MARCH",
    "출시 3주 전에 뭐 했지",
    "마감 이틀 전 점검",
    "배포하기 하루 전에 확인할 것",
    "이 일 전에 누가 맡았지",
    "이 분 전에 누가 담당했지",
    "네가 한 일 전에 들었어",
    "다음 주 월요일 회의",
    "매주 월요일 회의",
    "내년 3월 출시",
    "월요일마다 하는 회의",
    "오월의 노래",
    "일월산 등산",
    "주말농장 가입",
]


@pytest.mark.parametrize(("query", "first", "until"), MEANT, ids=[query for query, _, _ in MEANT])
def test_a_time_that_is_meant_becomes_a_window(query: str, first: str, until: str) -> None:
    days = [datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Asia/Seoul")) for day in (first, until)]
    window = split_query(query, NOW, "Asia/Seoul")[1]
    assert window is not None
    assert [window.since, window.until] == days


@pytest.mark.parametrize("query", NOT_MEANT)
def test_an_ordinary_word_becomes_no_window(query: str) -> None:
    assert split_query(query, NOW, "Asia/Seoul") == (query, None)
