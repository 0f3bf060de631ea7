"""Import of logs of IRC."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from support.histories import HISTORIES, file, folder, logs

from foxing.memory import InvalidInput, InvalidTime, Memory, MemoryOptions
from foxing.memory.ingest.importers import ImportOptions, import_file

BERLIN = ImportOptions(timezone="Europe/Berlin")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: now) as opened:
        yield opened


def said(memory: Memory) -> list[tuple[str | None, str, str | None, str]]:
    """Thread, time in Berlin, name and text of each message."""
    zone = ZoneInfo("Europe/Berlin")
    return [
        (each.thread, each.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"), each.name, each.text)
        for each in memory.export("b")
    ]


EXPECTED = {
    "IRC, irssi": [
        ("irc:libera/#foxing", "2016-09-20 23:59:00", "ann", "hello <b>"),
        ("irc:libera/#foxing", "2016-09-20 23:59:00", "ann", "hello <b>"),
        ("irc:libera/#foxing", "2016-09-21 00:01:00", "bo", "red fox"),
        ("irc:libera/#foxing", "2016-09-21 00:02:00", "bo", "waves"),
    ],
    "IRC, ZNC": [
        ("irc:libera/#foxing", "2026-03-01 03:56:30", "ann", "is it late?"),
        ("irc:libera/#foxing", "2026-03-01 03:56:31", "bo", "yawns"),
        ("irc:libera/#foxing", "2026-03-02 03:56:30", "ann", "is it late?"),
        ("irc:libera/#foxing", "2026-03-02 03:56:31", "bo", "yawns"),
    ],
    "IRC, Ubuntu": [
        ("irc:#ubuntu", "2026-03-02 08:25:00", "ann", "any idea?"),
        ("irc:#ubuntu", "2026-03-02 08:26:00", "bo", "no: <none>"),
    ],
    "IRC, WeeChat": [
        ("irc:irc.libera.#foxing", "2016-09-20 00:01:49", "ann", "hello\tagain"),
        ("irc:irc.libera.#foxing", "2016-09-20 00:01:50", "bo", "waves"),
    ],
}
EVENTS = {"IRC, irssi": 2, "IRC, ZNC": 4, "IRC, Ubuntu": 1, "IRC, WeeChat": 2}


@pytest.mark.parametrize("name", EXPECTED)
def test_logs(memory: Memory, tmp_path: Path, name: str) -> None:
    report = import_file(memory, HISTORIES[name][1](tmp_path / "logs"), bank="b", options=BERLIN)
    assert said(memory) == EXPECTED[name]
    assert {each.role for each in memory.export("b")} == {"user"}
    assert {each.reason: each.count for each in report.left_out} == {"joins, topics and other events": EVENTS[name]}


def test_a_longer_log_adds_what_is_new(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "#foxing.log", logs.IRSSI)
    assert import_file(memory, path, bank="b", options=BERLIN).stored == 4
    file(path, logs.IRSSI + "--- Log opened Wed Sep 21 00:10:00 2016\n00:11 < ann> back\n")
    report = import_file(memory, path, bank="b", options=BERLIN)
    assert (report.stored, report.duplicates, report.threads) == (1, 4, 1)


def test_speakers_with_several_encodings_and_a_log_that_is_cut(memory: Memory, tmp_path: Path) -> None:
    data = "[03:56:30] <ann> grün\n".encode() + "[03:56:31] <bo> grün\n[03:57:00] <an".encode("latin-1")
    folder(tmp_path / "#foxing", {"2026-03-01.log": data})
    report = import_file(memory, tmp_path / "#foxing", bank="b", options=BERLIN)
    assert [text for *_, text in said(memory)] == ["grün", "grün"]
    assert [each.first for each in report.left_out] == [f"{tmp_path}/#foxing, line 3"]


def test_a_log_without_a_day_or_a_timezone(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "today.log", logs.ZNC)
    with pytest.raises(InvalidInput, match="line 2: the day is neither in the log nor in its path"):
        import_file(memory, path, bank="b", options=BERLIN)
    with pytest.raises(InvalidTime, match="no timezone; give that"):
        import_file(memory, path.rename(tmp_path / "2026-03-01.log"), bank="b")
    assert memory.banks().banks == []
