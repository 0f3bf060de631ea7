"""Page breaks: what no page takes apart, how little room that costs, and the marks of messages that go on."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from foxing.renderer import Entry, Page, PageLayout, Typesetter
from foxing.renderer.breaks import Edge
from foxing.renderer.page import edges_of
from foxing.renderer.transcription import transcribe_placements
from foxing.renderer.typeset import remaining

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LABELS = Path(__file__).parent / "data" / "page_breaks.txt"
SMALL = PageLayout(columns=80, rows=8)
#: Letters and digits of scripts that are written with blanks: no page ends between two of them.
SPACED = re.compile(r"[A-Za-z0-9\u00c0-\u024f\u0400-\u04ff\uac00-\ud7a3]")


class Labelled(NamedTuple):
    text: str
    #: ranges that are not to be taken apart, half open
    runs: list[tuple[int, int]]

    def cut_apart(self, place: int) -> str | None:
        """What a page that ends at `place` takes apart."""
        for start, stop in self.runs:
            if start < place < stop:
                return self.text[start:stop]
        around = self.text[place - 1 : place + 1]
        return around if len(SPACED.findall(around)) == 2 else None


def labelled() -> Iterator[Labelled]:
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        text, runs, start = "", [], 0
        for character in line.split("\t")[1]:
            if character == "‹":
                start = len(text)
            elif character == "›":
                runs.append((start, len(text)))
            else:
                text += character
        yield Labelled(text, runs)


def say(content: str, message_id: str = "m", **fields: bool) -> Entry:
    return replace(Entry(message_id, "user", content, NOON), **fields)


def joined(pages: list[Page]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for page in pages:
        for span, read in zip(page.placements, transcribe_placements(page), strict=True):
            texts[span.message_id] = texts.get(span.message_id, "") + read.text
    return texts


def test_there_are_two_hundred_labels() -> None:
    assert sum(len(each.runs) for each in labelled()) >= 200


@pytest.mark.parametrize(
    "layout",
    [
        SMALL,
        pytest.param(PageLayout(columns=64, rows=10, newline="break"), marks=pytest.mark.slow),
        pytest.param(PageLayout(), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("number", range(len(list(labelled()))))
def test_no_labelled_place_is_taken_apart(number: int, layout: PageLayout) -> None:
    """The end of the page moves through the text, so that each place of it would be cut once."""
    texts = list(labelled())
    each = texts[number]
    content = each.text + " " + " ".join(other.text for other in texts)[: layout.cells]
    typesetter = Typesetter(layout)
    whole = typesetter.page([say("", "before"), say(each.text)]).placements
    empty, cells = whole[0].stop, whole[1].stop - whole[0].stop
    for room in range(1, cells):
        before = say("x" * (layout.cells - empty - room), "before")
        page = typesetter.page([before, say(content)])
        for place in [span.char_stop for span in page.placements if span.message_id == "m"]:
            if place < len(each.text):
                assert each.cut_apart(place) is None, f"{each.text[:place]}|{each.text[place:]}"
            assert place > 0


def test_a_page_ends_after_a_sentence_where_one_is_near() -> None:
    text = "We went home. " * 1200
    page = Typesetter().page([say(text)])
    assert text[: page.placements[0].char_stop].endswith("home. ")
    assert page.layout.cells - page.placements[0].stop < page.layout.cells / 64


def test_a_message_that_hardly_begins_waits_for_the_next_page() -> None:
    page = Typesetter().page([say("x " * 6300, "long"), say("The next message is long as well. " * 10)])
    assert [span.message_id for span in page.placements] == ["long"]


@pytest.mark.parametrize("layout", [PageLayout(), SMALL])
def test_breaks_leave_little_of_a_page_empty(layout: PageLayout) -> None:
    texts = [each.text for each in labelled()]
    entries = [say(text + " " + texts[(7 * number) % len(texts)], f"{number}") for number, text in enumerate(texts * 9)]
    pages = Typesetter(layout).pages(entries)[:-1]
    used = sum(page.placements[-1].stop for page in pages)
    assert used > (0.99 if layout.cells > 1000 else 0.95) * layout.cells * len(pages)


def test_a_message_that_goes_on_bears_a_mark_on_both_pages() -> None:
    entries = [say("Short.", "first"), say("We went home by train. " * 900, "long"), say("Last.", "last")]
    first, second = Typesetter().pages(entries)
    assert "▶user>We went" in first.text
    assert second.text.startswith("▶▶user 2026-03-02 12:00 We went")
    assert "▶user Last." in second.text
    assert joined([first, second]) == {entry.message_id: entry.content for entry in entries}


def test_without_headers_marks_say_that_a_message_goes_on() -> None:
    entry = replace(say("We went home by train. " * 1300), header=False)
    pages = Typesetter().pages([entry])
    assert [page.text[:4] for page in pages] == ["▶>We", "▶▶>W", "▶▶We"]
    part = replace(entry, content="to the sea", begin=Edge.BETWEEN, end=Edge.BETWEEN)
    assert Typesetter().page([part]).text == "▶▶>to the sea"


@pytest.mark.parametrize("header", [True, False])
def test_a_layout_without_marks_of_page_breaks_has_none(header: bool) -> None:
    layout = replace(SMALL, break_marks=False)
    entries = [replace(say("We went home by train. " * 90), header=header), say("Last.", "last")]
    pages = Typesetter(layout).pages(entries)
    assert len(pages) > 2
    assert not any("▶▶" in page.text or ">" in page.text for page in pages)
    assert joined(pages) == {entry.message_id: entry.content for entry in entries}
    assert Typesetter(SMALL).pages(entries)[1].text.startswith("▶▶")


def test_a_run_longer_than_a_page_breaks_anywhere_and_says_so() -> None:
    blob = "".join(chr(ord("a") + n * n % 26) for n in range(15_000))
    pages = Typesetter().pages([say(blob)])
    assert "12:00>>" in pages[0].text
    assert pages[1].text.startswith("▶▶▶user ")
    cut = [edges_of(page.cells.reshape(-1)[: page.placements[0].start]) for page in pages]
    assert cut == [(Edge.WHOLE, Edge.INSIDE), (Edge.INSIDE, Edge.WHOLE)]
    assert pages[0].placements[0].stop == pages[0].layout.cells
    assert joined(pages) == {"m": blob}


def test_literal_marks_in_a_message_are_no_marks_of_it() -> None:
    entry = replace(say(">▶ play ▶▶"), name="a>", thread="b")
    page = Typesetter().page([entry])
    assert joined([page]) == {"m": ">▶ play ▶▶"}
    assert edges_of(page.cells.reshape(-1)[: page.placements[0].start]) == (Edge.WHOLE, Edge.WHOLE)


def test_the_marks_of_a_page_say_how_its_parts_begin_and_end() -> None:
    text = "We went home by train. " * 1300
    for header in (True, False):
        entry = replace(say(text), header=header)
        found = []
        for page in Typesetter().pages([entry]):
            span = page.placements[0]
            cells = page.cells.reshape(-1)[span.header_start : span.start]
            cut = {"begins_before": span.char_start > 0, "continues_after": span.char_stop < len(text)}
            found.append(edges_of(cells, **cut))
        assert found == [
            (Edge.WHOLE, Edge.BETWEEN),
            (Edge.BETWEEN, Edge.BETWEEN),
            (Edge.BETWEEN, Edge.WHOLE),
        ]


def test_a_part_without_a_mark_may_be_cut_inside_a_word() -> None:
    cells = Typesetter().page([say("tha")]).cells.reshape(-1)[:22]
    assert edges_of(cells, begins_before=True, continues_after=True) == (Edge.INSIDE, Edge.INSIDE)
    assert edges_of(cells, begins_before=False, continues_after=False) == (Edge.WHOLE, Edge.WHOLE)


def test_what_is_left_of_a_cut_message_begins_where_the_page_ended() -> None:
    entry = say("word " * 4000)
    page = Typesetter().page([entry])
    (rest,) = remaining([entry], page)
    assert rest.skip_chars == page.placements[0].char_stop
    assert rest.content[rest.skip_chars :].startswith("word ")
