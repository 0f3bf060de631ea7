"""Import of chats between people."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.histories import HISTORIES, archive, chats, file, folder

from foxing.memory import ChoiceNeeded, InvalidInput, InvalidTime, Memory, MemoryOptions
from foxing.memory.ingest.importers import IMPORTERS, HistoryFiles, ImportOptions, ImportReport, import_file

BERLIN = ImportOptions(timezone="Europe/Berlin")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: now) as opened:
        yield opened


def said(memory: Memory) -> list[tuple[str | None, str]]:
    """Name and text of each message."""
    return [(each.name, each.text) for each in memory.export("b")]


def left_out(report: ImportReport) -> dict[str, int]:
    return {each.reason: each.count for each in report.left_out}


def local(memory: Memory) -> list[str]:
    """Times in Berlin."""
    zone = ZoneInfo("Europe/Berlin")
    return [each.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") for each in memory.export("b")]


def test_whatsapp_of_android(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["WhatsApp, Android"][1](tmp_path / "chat.txt"), bank="b", options=BERLIN)
    assert said(memory) == [
        ("Ann", "Wann kommst du?\nUm vier?"),
        ("Bo", "👨\u200d👩\u200d👧 می\u200cآیم"),
        ("Bo", "[file: IMG-20160813-WA0001.jpg]\nDas Tor: 3 m"),
        ("Ann", "ok"),
        ("Ann", "ok"),
    ]
    assert local(memory)[0] == "2016-08-12 16:20:00"
    assert {each.role for each in memory.export("b")} == {"user"}
    assert len({each.thread for each in memory.export("b")}) == 1
    assert left_out(report) == {
        "notices of joins, calls, titles and the like": 2,
        "media that the export does not name": 1,
        "messages that were deleted": 1,
        "images that the export does not have, except for their names": 1,
    }


def test_whatsapp_of_ios(memory: Memory, tmp_path: Path) -> None:
    write = HISTORIES["WhatsApp, the zip archive of iOS"][1]
    report = import_file(memory, write(tmp_path / "chat.zip"), bank="b", options=BERLIN)
    assert sorted(said(memory)) == [("Chidi", "Signed: yes"), ("Chidi", "[file: 00000013-Supply agreement.docx]")]
    assert sorted(local(memory)) == ["2026-03-28 00:05:00", "2026-03-28 14:22:41"]
    assert left_out(report) == {
        "notices of joins, calls, titles and the like": 1,
        "media that the export does not name": 1,
    }


def test_a_longer_chat_of_whatsapp_adds_what_is_new(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "chat.txt", chats.WHATSAPP_ANDROID)
    assert import_file(memory, path, bank="b", options=BERLIN).stored == 5
    file(path, chats.WHATSAPP_ANDROID + "13/08/2016, 09:02 - Ann: ok\n14/08/2016, 10:00 - Bo: Bin da\n")
    report = import_file(memory, path, bank="b", options=BERLIN)
    assert (report.stored, report.duplicates, report.threads) == (2, 5, 1)


DATES = {"y-m-d": "{y}{s}{m}{s}{d}", "y-d-m": "{y}{s}{d}{s}{m}", "d-m-y": "{d}{s}{m}{s}{y}", "m-d-y": "{m}{s}{d}{s}{y}"}


@pytest.mark.slow
@pytest.mark.parametrize("order", DATES)
def test_header_forms_of_whatsapp(memory: Memory, tmp_path: Path, order: str) -> None:
    """24 forms each: separator, 12 or 24 hours, seconds, dash or brackets."""
    for number, (sign, half, seconds, brackets) in enumerate(
        product("-/.", (False, True), (False, True), (False, True))
    ):
        day = DATES[order].format(y=2026, m="03", d=28, s=sign)
        clock = ("2:05" if half else "14:05") + (":00" if seconds else "") + (" PM" if half else "")
        header = f"[{day} {clock}] " if brackets else f"{day}, {clock} - "
        path = file(tmp_path / "chat.txt", f"{header}Ann: form {number}\n")
        import_file(memory, path, bank="b", options=BERLIN)
    assert len(said(memory)) == 24
    assert set(local(memory)) == {"2026-03-28 14:05:00"}


def test_the_order_of_day_and_month_is_asked_for(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "chat.txt", "03/04/2026, 10:00 - Ann: a\n05/06/2026, 10:00 - Bo: b\n")
    with pytest.raises(InvalidInput, match=r"'3/4/2026'.*choose day-first"):
        import_file(memory, path, bank="b", options=BERLIN)
    assert memory.banks().banks == []
    for dates, first in (("day-first", "2026-04-03"), ("month-first", "2026-03-04")):
        options = ImportOptions(timezone="Europe/Berlin", dates=dates)  # type: ignore[arg-type]
        import_file(memory, path, bank=dates, options=options)
        assert next(iter(memory.export(dates))).created_at.strftime("%Y-%m-%d") == first


def test_a_chat_of_signal_is_not_taken_for_one_of_whatsapp(memory: Memory, tmp_path: Path) -> None:
    text = "[2026-03-28, 14:05] Ann: Did the parcel come?\n[2026-03-28, 14:07] Me: Yes.\n"
    path = file(tmp_path / "chat.md", text)
    with pytest.raises(ChoiceNeeded, match=r"of Signal .*choose that format"):
        import_file(memory, path, bank="b", options=BERLIN)
    with pytest.raises(ChoiceNeeded, match="of Signal"):
        import_file(memory, folder(tmp_path / "chats", {"ann/chat.md": text, "bo/chat.md": text}), bank="b")
    assert memory.banks().banks == []
    others = [plugin for plugin in IMPORTERS.working() if plugin.name != "whatsapp"]
    assert [plugin.name for plugin in others if plugin.value.recognise(HistoryFiles.of(path))] == []
    chosen = ImportOptions(format="whatsapp", timezone="Europe/Berlin")
    assert import_file(memory, path, bank="b", options=chosen).stored == 2


def test_dates_that_fall_in_one_order_decide_for_the_other(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "chat.txt", "03/04/2026, 10:00 - Ann: a\n01/05/2026, 10:00 - Bo: b\n")
    import_file(memory, path, bank="b", options=BERLIN)
    assert local(memory) == ["2026-04-03 10:00:00", "2026-05-01 10:00:00"]


def test_a_chat_of_whatsapp_needs_a_timezone(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(InvalidTime, match=r"line 2: .*no timezone; give that of the file"):
        import_file(memory, HISTORIES["WhatsApp, Android"][1](tmp_path / "chat.txt"), bank="b")


def test_a_chat_of_whatsapp_in_another_encoding_or_cut(memory: Memory, tmp_path: Path) -> None:
    data = chats.WHATSAPP_ANDROID.encode()
    (tmp_path / "chat.txt").write_bytes(data[: len(data) // 2])
    assert import_file(memory, tmp_path / "chat.txt", bank="b", options=BERLIN).stored >= 2
    (tmp_path / "latin.txt").write_bytes("13/08/2016, 09:03 - Bo: Grüße\n".encode("latin-1"))
    report = import_file(memory, tmp_path / "latin.txt", bank="c", options=BERLIN)
    assert left_out(report) == {"bytes that are not UTF-8, except for a mark in their place": 1}
    assert [each.text for each in memory.export("c")] == ["Gr\ufffd\ufffde"]


def test_speakers_are_given_roles(memory: Memory, tmp_path: Path) -> None:
    options = ImportOptions(timezone="UTC", roles={"Bo": "assistant"})
    import_file(memory, HISTORIES["WhatsApp, Android"][1](tmp_path / "chat.txt"), bank="b", options=options)
    assert {(each.name, each.role) for each in memory.export("b")} == {("Ann", "user"), ("Bo", "assistant")}


def test_telegram(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Telegram, a chat with its media"][1](tmp_path / "export"), bank="b")
    assert said(memory) == [
        ("Ann", "see the plan (https://x.org/p)"),
        ("Ann", "[photo: p.jpg]"),
        ("Deleted account", "No"),
        ("Ann", "[sticker: 😀]"),
        ("Ann", "[voice message]"),
    ]
    first = memory.message("b", "telegram:42:12")
    assert (first.thread, first.role, first.metadata) == ("telegram:42", "user", {"reply_to": "telegram:42:11"})
    assert first.created_at == datetime.fromtimestamp(1772316601, UTC)
    assert left_out(report) == {
        "notices of joins, calls, titles and the like": 1,
        "messages of an unknown type": 1,
        "images that cannot be kept, except for their names": 1,
    }


def test_all_chats_of_telegram(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Telegram, all chats"][1](tmp_path / "result.json"), bank="b")
    assert (report.threads, report.stored) == (3, 11)
    assert memory.message("b", "telegram:44:1").text == "bye"


def test_what_is_no_json_in_telegram_is_repaired(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Telegram, what is no JSON"][1](tmp_path / "result.json"), bank="b")
    assert [text for _, text in said(memory)] == ["a \x0b b", "C:\\x41", "🦊"]
    assert report.left_out == []


def test_a_longer_chat_of_telegram_and_one_that_is_cut(memory: Memory, tmp_path: Path) -> None:
    messages = [chats.telegram_message(n, f"text {n}", at=1772316600 + n) for n in range(10)]
    path = file(tmp_path / "result.json", chats.telegram_text(chats.telegram_chat(42, *messages[:4])))
    assert import_file(memory, path, bank="b").stored == 4
    whole = chats.telegram_text(chats.telegram_chat(42, *messages))
    file(path, whole[: len(whole) * 3 // 4])
    report = import_file(memory, path, bank="b")
    assert report.duplicates == 4
    assert report.stored in (2, 3)
    [damage] = report.left_out
    assert "damaged" in damage.reason
    assert f"after item {report.messages}" in damage.first
    file(path, whole)
    assert import_file(memory, path, bank="b").stored == 6 - report.stored


def test_slack(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Slack, a zip archive"][1](tmp_path / "export.zip"), bank="b")
    assert [(each.thread, each.name, each.text) for each in memory.export("b")] == [
        ("slack:C1", "Ann", "see @Bo Kim in #garden x (https://x.org) <b> &amp; @here"),
        ("slack:C1:1456427378.000002", "Bo Kim", "yes"),
        ("slack:C1", "ci", "build ok"),
        ("slack:C1", "Bo Kim", "ask @Ann\n[file: a.png]"),
        ("slack:D1", "Bo Kim", "psst"),
    ]
    reply = memory.message("b", "slack:C1:1456427379.000003")
    assert reply.metadata == {"reply_to": "slack:C1:1456427378.000002"}
    assert reply.created_at == datetime(2016, 2, 25, 19, 9, 39, 3, tzinfo=UTC)
    assert {each.role for each in memory.export("b")} == {"user"}
    assert left_out(report) == {"notices of joins, calls, titles and the like": 1}


def test_a_longer_export_of_slack_and_one_that_is_damaged(memory: Memory, tmp_path: Path) -> None:
    path = folder(tmp_path / "export", chats.slack_files())
    assert import_file(memory, path, bank="b").stored == 5
    more = [{"type": "message", "user": "U1", "text": "late", "ts": "1456527400.1", "thread_ts": "1456427378.000002"}]
    files: dict[str, Any] = chats.slack_files(chats.SLACK_DAY, more)
    files["general/2016-02-27.json"] = json.dumps([more[0] | {"ts": "1456527500.1"}, more[0] | {"ts": "9"}])[:-20]
    report = import_file(memory, archive(tmp_path / "export.zip", files), bank="b")
    assert (report.stored, report.duplicates) == (2, 5)
    assert left_out(report)["what follows a damaged place in the file"] == 1
    assert next(each.first for each in report.left_out if "damaged" in each.reason).startswith(
        "general/2016-02-27.json"
    )


def test_discord(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Discord"][1](tmp_path / "general.json"), bank="b")
    assert said(memory) == [
        ("Ann", "hi"),
        ("Ann", "hi Ann"),
        ("ci", "Build 7\npassed\nbranch: main"),
        ("Ann", "look\n[file: a.png]\n[sticker: wave]"),
        ("Ann", "from afar"),
    ]
    reply = memory.message("b", "discord:2:9")
    assert (reply.thread, reply.role, reply.metadata) == ("discord:2", "user", {"reply_to": "discord:2:8"})
    assert reply.created_at == datetime(2026, 2, 28, 22, 10, 9, 123000, tzinfo=UTC)
    assert left_out(report) == {"notices of joins, calls, titles and the like": 1}


def test_parts_of_a_channel_of_discord_are_one_thread(memory: Memory, tmp_path: Path) -> None:
    channel = chats.discord_channel(*chats.DISCORD_MESSAGES[:3])
    path = folder(tmp_path / "export", {"general.json": json.dumps(channel), "general_Files/a.png": b"\x89PNG"})
    assert import_file(memory, path, bank="b").stored == 2
    folder(path, {"general [part 2].json": json.dumps(chats.discord_channel(*chats.DISCORD_MESSAGES[2:]))})
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates, report.threads) == (3, 3, 1)
    assert report.formats == {"discord": 2}


def test_a_cut_channel_of_discord(memory: Memory, tmp_path: Path) -> None:
    whole = json.dumps(chats.discord_channel(*chats.DISCORD_MESSAGES), indent=2)
    path = file(tmp_path / "general.json", whole[: len(whole) // 2])
    [damage] = [each for each in import_file(memory, path, bank="b").left_out if "damaged" in each.reason]
    assert "general.json, after item" in damage.first
    file(path, json.dumps(chats.discord_channel(chats.DISCORD_MESSAGES[1], count=4)))
    [missing] = import_file(memory, path, bank="b").left_out
    assert missing.count == 3
    assert "counts but does not have" in missing.reason


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["12.03.24, 10:00"], ["2024-03-12"]),
        (["12.03.24, 10:00", "01.02.24, 10:00"], ["2024-02-01", "2024-03-12"]),  # in no order, as after a transfer
        (["12.03.2024, 10:00"], ["2024-03-12"]),
        (["03.25.24, 10:00", "03.26.24, 10:00"], ["2024-03-25", "2024-03-26"]),  # the other lines decide
    ],
)
def test_dates_with_dots_have_the_day_first(
    memory: Memory, tmp_path: Path, lines: list[str], expected: list[str]
) -> None:
    path = file(tmp_path / "chat.txt", "".join(f"[{line}] Ann: {n}\n" for n, line in enumerate(lines)))
    import_file(memory, path, bank="b", options=ImportOptions(timezone="UTC"))
    assert [f"{each.created_at:%Y-%m-%d}" for each in memory.export("b")] == expected
    mixed = file(tmp_path / "mixed.txt", "12/03/24, 10:00 - Ann: a\n11.02.24, 10:00 - Bo: b\n")
    with pytest.raises(ChoiceNeeded):
        import_file(memory, mixed, bank="c", options=ImportOptions(timezone="UTC"))
