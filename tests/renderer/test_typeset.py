"""Typesetting: the cells of a page, the spans of its messages, and page breaks."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import numpy as np
import pytest

from foxing.encoder.native.charset import load_charset
from foxing.renderer import DENSE_PAGE, Entry, Page, PageLayout, RenderError, Typesetter
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import RESERVED
from foxing.renderer.page import BLANK, WIDE_TAIL
from foxing.renderer.repertoire import Repertoire
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import remaining

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REQUIRED_CHARACTERS = "0123456789ABCDEF ▶◆" + RESERVED

Newline = Literal["mark", "break"]
both_newlines = pytest.mark.parametrize("newline", ["mark", "break"])


def say(content: str, message_id: str = "m1", *, at: datetime = NOON, thread: str = "", **more: str) -> Entry:
    return Entry(message_id, more.get("role", "user"), content, at, thread, more.get("name"))


def contents(pages: list[Page]) -> dict[str, str]:
    """Message id → content transcribed from the cells, parts of cut messages joined."""
    texts: dict[str, str] = {}
    for page in pages:
        flat = page.cells.reshape(-1)
        for span in page.placements:
            text = transcribe(flat[span.start : span.stop], layout=page.layout, start=span.start).text
            assert len(text) == span.char_stop - span.char_start
            assert len(texts.get(span.message_id, "")) == span.char_start
            texts[span.message_id] = texts.get(span.message_id, "") + text
    return texts


TEXTS = {
    "plain": "We ship Titan on 14 March.",
    "empty": "",
    "spaces": "   indented,  and two at the end  ",
    "only spaces": " " * 400,
    "new lines": "\n\none\n\n\ntwo\n",
    "carriage returns": "one\r\ntwo\rthree",
    "tabs": "\tif x:\n\t\treturn\ty",
    "every control character": "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])),
    "lone surrogates": "\ud800 x \udfff\udc00",
    "a surrogate pair kept apart": "\ud83d\ude00",
    "right to left": "שלום עולם، مرحبا بالعالم \u202b(1)\u202c\u200f",
    "combining": "e\u0301 a\u030a\u0323 क्षि",
    "many combining": "Z" + "\u0300\u0301\u0302" * 50,
    "Hangul": "3주 전에 무엇을 정했나요?",
    "Hangul jamo": "\u1112\u1161\u11ab",
    "full-width at odd columns": "a한b글cd일本e",
    "emoji sequences": "👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👍🏽 🇰🇷 1\ufe0f⃣",
    "the marks themselves": "¶⇥▒⟦⟧▶◆ and ⟦41⟧ ⟦⟦⟧⟧ ⟦⟧",
    "without a glyph": "\U0002a6d6 \U000e0001 \uf8ff \U0010ffff",
    "noncharacters": "\ufffe\uffff\U0001ffff",
    "separators": "a\u2028b\u2029c\x85d\xa0e\u3000f\ufeffg",
    "a long unbroken string": "https://example.org/" + "0123456789abcdef" * 100,
    "code": "```python\ndef f(x):\n    return {\n        'a': x,\n    }\n```",
    "table": "| a | b |\n|---|---|\n| 1 | 한글 |\n",
    "a whole page": "x" * DENSE_PAGE.cells,
    "longer than two pages": "The quick brown fox.\n" * 1500,
    "full-width, longer than a page": "가나다" * 3000,
    "escapes, longer than a page": "\x01\U0010ffff" * 1500,
}


@both_newlines
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_string_survives(text: str, newline: Newline) -> None:
    pages = Typesetter(PageLayout(newline=newline)).pages([say(text)])
    assert contents(pages) == {"m1": text}


@both_newlines
def test_every_string_survives_beside_others(newline: Newline) -> None:
    entries = [say(text, name, thread=name[0]) for name, text in TEXTS.items()]
    assert contents(Typesetter(PageLayout(newline=newline)).pages(entries)) == TEXTS


def test_characters_without_a_glyph_become_escapes() -> None:
    page = Typesetter().page([say("a\x00b\x7f\x9f\ud800\U0010ffff¶")])
    assert page.text.endswith("a⟦0⟧b⟦7F⟧⟦9F⟧⟦D800⟧⟦10FFFF⟧⟦B6⟧")


@pytest.mark.parametrize("repertoire", [None, load_charset().repertoire], ids=["full", "native"])
def test_characters_that_are_not_seen_become_escapes(repertoire: Repertoire | None) -> None:
    page = Typesetter(repertoire=repertoire).page([say("co\u00adop \u200c\u200d\u200b\u2060\ufeff❤\ufe0f\u202e")])
    assert page.text.endswith("co⟦AD⟧op ⟦200C⟧⟦200D⟧⟦200B⟧⟦2060⟧⟦FEFF⟧❤⟦FE0F⟧⟦202E⟧")


def test_no_cell_holds_a_control_character() -> None:
    page = Typesetter().page([say(TEXTS["every control character"], name="a\x1b[31mb\x85")])
    values = set(page.cells.reshape(-1).tolist()) - {BLANK, WIDE_TAIL}
    assert all(chr(value).isprintable() for value in values)


def test_full_width_characters_take_two_cells_from_an_even_column() -> None:
    page = Typesetter().page([say("a한b글" * 300)])
    wide = load_atlas().width[page.cells] == 2
    rows, columns = np.nonzero(wide)
    assert len(rows) == 600
    assert (columns % 2 == 0).all()
    assert (page.cells[rows, columns + 1] == WIDE_TAIL).all()
    assert np.count_nonzero(page.cells == WIDE_TAIL) == 600


def test_a_newline_is_a_mark_or_a_row_break() -> None:
    text = "one\ntwo"
    assert Typesetter().page([say(text)]).text == "▶user 2026-03-02 12:00 one¶two"
    layout = PageLayout(newline="break")
    page = Typesetter(layout).page([say(text), say("three", "m2")])
    lines = ["".join(chr(c or 0x20) for c in row).rstrip() for row in page.cells.tolist()]
    assert lines == ["▶user 2026-03-02 12:00 one", "two", "▶user three"]


def test_indentation_is_kept() -> None:
    page = Typesetter(PageLayout(newline="break")).page([say("\n    a\n\n        b")])
    rows = ["".join(chr(c or 0x20) for c in row).rstrip() for row in page.cells.tolist()]
    assert rows[1:] == ["    a", "", "        b"]


@pytest.mark.parametrize("text", ["a b", "a\nb", "a ", "a\n", "a\n\nb", "a\n\n\nb", "a b\n c"])
def test_a_space_and_a_newline_in_the_last_column_look_different(text: str) -> None:
    layout = PageLayout(columns=32, rows=16, newline="break")
    page = Typesetter(layout).page([say("onetwot" + text)])
    assert page.cells[0, -2] == ord("a"), "the next character is in the last column"
    paper = np.where(page.cells == 0x20, BLANK, page.cells).reshape(-1)  # a space has no ink
    span = page.placements[0]
    read = transcribe(paper[span.start : span.stop], layout=layout, start=span.start).text
    assert read == "onetwot" + text


def test_headers_show_only_what_changed() -> None:
    entries = [
        say("a", "1", thread="titan"),
        say("b", "2", thread="titan", role="assistant", name="Ada"),
        say("c", "3", thread="titan", at=NOON + timedelta(minutes=5)),
        say("d", "4", thread="titan", at=NOON + timedelta(days=1)),
        say("e", "5", thread="garden", at=NOON + timedelta(days=1)),
        say("f", "6", at=NOON + timedelta(days=1)),
    ]
    assert Typesetter().page(entries).text == (
        "◆titan ▶user 2026-03-02 12:00 a▶assistant Ada b▶user 12:05 c▶user 2026-03-03 12:00 d"
        "◆garden ▶user 2026-03-03 12:00 e▶user 2026-03-03 12:00 f"
    )


def test_without_headers_a_mark_says_that_a_message_begins() -> None:
    entries = [replace(say(text, text, thread="trip"), header=False) for text in ("one", "two", "")]
    page = Typesetter().page([*entries, say("three", "three", thread="trip")])
    assert page.text == "▶one▶two▶◆trip ▶user 2026-03-02 12:00 three"
    assert [(span.header_start, span.start, span.stop) for span in page.placements[:3]] == [
        (0, 1, 4),
        (4, 5, 8),
        (8, 9, 9),
    ]
    assert Typesetter().cost(entries[0]) == 4
    assert all(not entry.header for entry in remaining(entries, Typesetter().page(entries[:1])))


def test_the_cost_of_a_long_message_is_that_of_what_a_page_can_hold() -> None:
    cells = DENSE_PAGE.cells
    assert cells <= Typesetter().cost(say("\n" * 50 * cells)) == Typesetter().cost(say("\n" * cells)) < 2 * cells


def test_times_are_shown_in_utc() -> None:
    seoul = timezone(timedelta(hours=9))
    page = Typesetter().page([say("x", at=datetime(2026, 1, 1, 8, 59, tzinfo=seoul))])
    assert "2025-12-31 23:59" in page.text


def test_the_first_and_the_last_representable_time_are_shown() -> None:
    entries = [say("x", "1", at=datetime.min.replace(tzinfo=UTC)), say("y", "2", at=datetime.max.replace(tzinfo=UTC))]
    text = Typesetter().page(entries).text
    assert "0001-01-01 00:00 x" in text
    assert "9999-12-31 23:59 y" in text


def test_a_time_without_a_timezone_is_rejected() -> None:
    with pytest.raises(RenderError, match="'m1' has a time without a timezone"):
        Typesetter().page([say("x", at=datetime(2026, 1, 1))])  # noqa: DTZ001


def test_a_time_out_of_range_in_utc_is_rejected() -> None:
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))
    with pytest.raises(RenderError, match="'m1'"):
        Typesetter().page([say("x", at=early)])


def test_a_page_without_messages_is_rejected() -> None:
    with pytest.raises(RenderError, match="at least one message"):
        Typesetter().page([])
    assert Typesetter().pages([]) == []


def test_a_cut_message_continues_on_the_next_page_under_a_new_header() -> None:
    text = "".join(f"{n:05d} " for n in range(3000))
    entries = [say("first", "m0"), say(text), say("last", "m2")]
    typesetter = Typesetter()
    first = typesetter.page(entries)
    assert [span.message_id for span in first.placements] == ["m0", "m1"]
    assert DENSE_PAGE.cells - len("00000 ") < first.placements[-1].stop <= DENSE_PAGE.cells
    cut = first.placements[-1].char_stop
    assert 0 < cut < len(text)
    rest = remaining(entries, first)
    assert [(entry.message_id, entry.skip_chars) for entry in rest] == [("m1", cut), ("m2", 0)]
    second = typesetter.page(rest)
    assert second.text.startswith("▶▶user 2026-03-02 12:00 " + text[cut : cut + 20])
    assert (second.placements[0].char_start, second.placements[0].char_stop) == (cut, len(text))
    assert remaining(rest, second) == []


def test_escapes_and_full_width_characters_are_never_cut() -> None:
    layout = PageLayout(columns=8, rows=4)
    for text in ("\U0010ffff" * 9, "한" * 60, "a한" * 30, "\x00한" * 20):
        for shift in range(4):
            pages = Typesetter(layout).pages([say("." * shift + text)])
            assert contents(pages) == {"m1": "." * shift + text}


@both_newlines
def test_a_header_longer_than_a_page_is_omitted(newline: Newline) -> None:
    typesetter = Typesetter(PageLayout(newline=newline))
    entries = [say("short", "m0"), say("content", "m1", name="n" * 20_000), say("", "m2", name="n" * 20_000)]
    pages = typesetter.pages(entries)
    assert contents(pages) == {"m0": "short", "m1": "content", "m2": ""}
    assert pages[1].text.startswith("content")
    assert pages[1].placements[0].header_start == pages[1].placements[0].start == 0


@pytest.mark.parametrize("room", range(9))
def test_a_header_that_leaves_no_room_for_a_character_is_omitted(room: int) -> None:
    layout = PageLayout(columns=80, rows=1)
    header = len("▶user  2026-03-02 12:00 ")
    entry = say("\U0010ffff!", name="n" * (layout.cells - header - room))
    pages = Typesetter(layout).pages([entry])
    assert contents(pages) == {"m1": "\U0010ffff!"}


def test_an_empty_message_keeps_a_header_that_fills_the_page() -> None:
    layout = PageLayout(columns=80, rows=1)
    name = "n" * (layout.cells - len("▶user  2026-03-02 12:00 "))
    (page,) = Typesetter(layout).pages([say("", name=name)])
    assert page.placements[0].header_start == 0
    assert page.placements[0].start == page.placements[0].stop == layout.cells


def test_names_and_threads_cannot_forge_a_header() -> None:
    page = Typesetter().page([say("x", thread="a\nb", name="¶\t\x00한")])
    assert page.text == "◆a¶b ▶user ⟦B6⟧⇥⟦0⟧" + ("▒" if "▒" in page.text else "") + "한 2026-03-02 12:00 x"
    assert contents([page]) == {"m1": "x"}


def test_a_partly_filled_page_has_only_the_rows_it_uses() -> None:
    page = Typesetter().page([say("x" * 400)])
    assert page.rows_used == 3
    assert page.cells.shape == (3, 160)
    assert Typesetter().page([say("")]).rows_used == 1


def test_the_cells_of_a_page_are_read_only() -> None:
    page = Typesetter().page([say("x")])
    with pytest.raises(ValueError, match="read-only"):
        page.cells[0, 0] = 65


def test_characters_outside_the_repertoire_become_escapes() -> None:
    typesetter = Typesetter(repertoire=Repertoire(REQUIRED_CHARACTERS + "abcdefghijklmnopqrstuvwxyz"))
    page = typesetter.page([say("cafés: 한")])
    assert page.text.endswith("caf⟦E9⟧s⟦3A⟧ ⟦D55C⟧")
    assert contents([page]) == {"m1": "cafés: 한"}


def test_a_repertoire_must_contain_what_every_page_needs() -> None:
    with pytest.raises(RenderError, match="lacks '⟧◆'"):
        Repertoire(REQUIRED_CHARACTERS.replace("◆", "").replace("⟧", ""))
    with pytest.raises(RenderError, match=r"U\+0007"):
        Repertoire(REQUIRED_CHARACTERS + "\x07")


@both_newlines
def test_the_cost_of_a_message_is_a_lower_bound(newline: Newline) -> None:
    typesetter = Typesetter(PageLayout(newline=newline))
    for text in ("", "x" * 50, "한글 " * 9, "a한" * 20, "a\nb\tc\x00", "🙂\n" * 7):
        entries = [say("before", "m0"), say(text, "m1", name="Ada한")]
        page = typesetter.page(entries)
        assert 0 < typesetter.cost(entries[1]) <= page.placements[1].stop - page.placements[1].header_start


def test_the_same_messages_give_the_same_page() -> None:
    entries = [say(text, name) for name, text in TEXTS.items()]
    first, second = Typesetter().pages(entries), Typesetter().pages(entries)
    assert [page.placements for page in first] == [page.placements for page in second]
    assert all(np.array_equal(a.cells, b.cells) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda n: "\x01" * n, lambda n: "a한" * (n // 2), lambda n: "\n" * n])
def test_a_message_can_fill_many_pages(make: Callable[[int], str]) -> None:
    text = make(100_000)
    assert contents(Typesetter().pages([say(text)])) == {"m1": text}


@pytest.mark.parametrize("text", ["\u0301", "\x00", "\n", "\u0301\t", "⋯é"])
def test_a_page_of_escapes_takes_fewer_calls_than_it_has_cells(text: str) -> None:
    typesetter, entry = Typesetter(), say(text * DENSE_PAGE.cells)
    typesetter.page([entry])
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        typesetter.page([entry])
        typesetter.cost(entry)
    finally:
        sys.setprofile(before)
    assert calls < DENSE_PAGE.cells


@both_newlines
def test_gaps_stay_marks_on_every_page_and_literal_marks_are_escapes(newline: Newline) -> None:
    text = "⋯ a⋯b " * 40 + "⋯"
    gaps = frozenset(place for place, c in enumerate(text) if c == "⋯" and place % 6)
    layout = PageLayout(columns=16, rows=6, newline=newline)
    pages = Typesetter(layout).pages([Entry("m", "user", text, NOON, gaps=gaps)])
    read, found, length = "", set(), 0
    for page in pages:
        (span,) = page.placements
        part = transcribe(page.cells.reshape(-1)[span.start : span.stop], layout=layout, start=span.start)
        found |= {length + int(place) for place in part.gaps}
        read, length = read + part.text, length + len(part.text)
    assert len(pages) > 2
    assert (read, found) == (text, set(gaps))
