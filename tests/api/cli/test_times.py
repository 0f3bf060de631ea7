"""Times on the command line: in the asker's timezone with their offset, and in the words that `--since` takes."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from support.command_line import Foxing

from foxing.api.cli.output import minute, system_timezone
from foxing.memory import Memory

SENT_AT = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)  # 18:30 in Seoul
LATER = "2026-03-05T12:00:00Z"
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d")


@pytest.fixture
def page_id(foxing: Foxing) -> str:
    """A page with one message of `SENT_AT`; another message is open."""
    with Memory(foxing.database) as memory:
        memory.set_policy("b", {"age_from": "message"})
        memory.store("b", [{"role": "user", "content": "Titan ships on 14 March", "created_at": SENT_AT}])
        page = memory.seal("b", now=SENT_AT).pages[0]
        memory.store("b", [{"role": "user", "content": "Titan is late", "created_at": SENT_AT}])
    return page


def shown(foxing: Foxing, page_id: str, *options: str) -> dict[str, str]:
    """What each command that shows times prints."""
    return {
        "recall": foxing.text("recall", "Titan", "--bank", "b", "--details", *options),
        "read": foxing.text("read", page_id, "--bank", "b", *options),
        "pages": foxing.text("pages", "--bank", "b", *options),
        "banks": foxing.text("banks", *options),
        "age": foxing.text("age", "--bank", "b", "--dry-run", "--now", SENT_AT.isoformat(), *options),
        "seal": foxing.text("seal", "--bank", "b", "--now", SENT_AT.isoformat(), *options),
    }


def times_of(text: str) -> set[str]:
    """The times shown, without those of steps that are still ahead."""
    return set(_TIME.findall(re.sub(rf"(until|from) {_TIME.pattern}", "", text)))


def test_the_steps_ahead_are_shown_in_the_timezone_of_the_asker(foxing: Foxing, page_id: str) -> None:
    shown = foxing.text("age", "--bank", "b", "--dry-run", "--now", SENT_AT.isoformat(), "--timezone", "Asia/Seoul")
    assert (
        "exact until 2026-03-11 18:30 +09:00; small from 2026-03-11 18:30 +09:00; tiny from 2026-04-03 18:30" in shown
    )


def test_times_are_shown_in_the_timezone_of_the_option(foxing: Foxing, page_id: str) -> None:
    for command, text in shown(foxing, page_id, "--timezone", "Asia/Seoul").items():
        assert times_of(text) == {"2026-03-04 18:30 +09:00"}, command


def test_times_are_shown_in_the_system_timezone_without_the_option(foxing: Foxing, page_id: str) -> None:
    foxing.timezone = "-03:30"
    for command, text in shown(foxing, page_id).items():
        assert times_of(text) == {"2026-03-04 06:00 -03:30"}, command


def test_json_stays_in_utc(foxing: Foxing, page_id: str) -> None:
    seoul = ("--timezone", "Asia/Seoul")
    assert foxing.json("recall", "Titan", "--bank", "b", *seoul)["spans"][0]["created_at"] == "2026-03-04T09:30:00Z"
    assert foxing.json("pages", "--bank", "b", *seoul)["pages"][0]["last_at"] == "2026-03-04T09:30:00Z"
    assert foxing.json("banks", *seoul)["banks"][0]["first_at"] == "2026-03-04T09:30:00Z"
    reading = foxing.json("read", page_id, "--bank", "b", *seoul)
    assert reading["messages"][0]["created_at"] == "2026-03-04T09:30:00Z"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "moment"),
    [
        (("--now", "2026-03-05T12:00:00Z"), "2026-03-05T12:00:00Z"),
        (("--now", "2026-03-05T12:00:00"), "2026-03-05T03:00:00Z"),
        (("--now", "2026-03-05"), "2026-03-04T15:00:00Z"),
        (("--now", "5 March 2026"), "2026-03-04T15:00:00Z"),
        (("--now", "2026년 3월 5일"), "2026-03-04T15:00:00Z"),
        (("--now", "2026-03-05", "--timezone", "UTC"), "2026-03-05T00:00:00Z"),
        (("--now", "2026-03-05", "--timezone", "-05:00"), "2026-03-05T05:00:00Z"),
    ],
)
def test_now_takes_dates_and_words_in_the_askers_timezone(
    foxing: Foxing, page_id: str, options: Sequence[str], moment: str
) -> None:
    foxing.timezone = "Asia/Seoul"
    assert foxing.json("age", "--bank", "b", "--dry-run", *options)["now"] == moment
    (sealed,) = foxing.json("seal", "--bank", "b", *options)["pages"]
    pages = {page["id"]: page["sealed_at"] for page in foxing.json("pages", "--bank", "b")["pages"]}
    assert pages[sealed] == moment


def test_now_in_words_counts_from_the_clock(foxing: Foxing, page_id: str) -> None:
    now = foxing.json("age", "--bank", "b", "--dry-run", "--now", "yesterday")["now"]
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(now) in (today - timedelta(days=1), today - timedelta(days=2))


@pytest.mark.parametrize(("zone", "found"), [("Asia/Seoul", 2), ("UTC", 0)])
def test_since_is_read_in_the_askers_timezone(foxing: Foxing, zone: str, found: int) -> None:
    at = datetime(2026, 3, 4, 16, tzinfo=UTC)  # 5 March in Seoul
    with Memory(foxing.database) as memory:
        memory.store("b", [{"role": "user", "content": text, "created_at": at} for text in "xy"])
    foxing.timezone = zone
    assert len(foxing.json("recall", "--bank", "b", "--since", "2026-03-05", "--now", LATER)["spans"]) == found


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (SENT_AT, ZoneInfo("Asia/Seoul"), "2026-03-04 18:30 +09:00"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"), "2026-07-01 14:00 +02:00"),
        (datetime(2026, 12, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"), "2026-12-01 13:00 +01:00"),
        (datetime(1, 1, 1, tzinfo=UTC), timezone(timedelta(hours=-5)), "0001-01-01 00:00 +00:00"),
        (None, UTC, ""),
    ],
)
def test_a_moment_to_the_minute(moment: datetime | None, zone: tzinfo, text: str) -> None:
    assert minute(moment, zone) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Asia/Seoul", "Asia/Seoul"), (None, r"[+-]\d\d:\d\d"), ("Mars/Olympus", r"[+-]\d\d:\d\d")],
)
def test_the_system_timezone_is_a_name_or_an_offset(
    monkeypatch: pytest.MonkeyPatch, name: str | None, expected: str
) -> None:
    get_name: Callable[[], str | None] = lambda: name  # noqa: E731
    monkeypatch.setattr("tzlocal.get_localzone_name", get_name)
    assert re.fullmatch(expected, system_timezone())
