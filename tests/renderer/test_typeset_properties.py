"""Properties of typesetting on all layouts: nothing is lost, spans do not overlap, and `cost` is a lower bound."""

import re
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.renderer import Entry, Page, PageLayout, Typesetter
from foxing.renderer.atlas import load_atlas
from foxing.renderer.marks import FILLER_MARK
from foxing.renderer.page import BLANK, PADDING, WIDE_TAIL, grid_text
from foxing.renderer.raster import rasterize
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import code_points, remaining

any_character = st.characters(exclude_categories=())  # including lone surrogates
special_character = st.sampled_from("a \n\t¶⇥▒⟦⟧▶◆09AF한🙂\x00\x7f\ud800\u0301\U0010ffff")
texts = st.text(st.one_of(any_character, special_character), max_size=80)
newlines: st.SearchStrategy[Literal["mark", "break"]] = st.sampled_from(["mark", "break"])
dense_layouts = st.builds(
    PageLayout,
    columns=st.integers(4, 24).map(lambda half: 2 * half),
    rows=st.integers(1, 6),
    newline=newlines,
)
word_layouts = st.builds(
    PageLayout, columns=st.integers(9, 48), rows=st.integers(1, 6), newline=newlines, wrap=st.just("words")
)
layouts = st.one_of(dense_layouts, word_layouts)
times = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis takes naive bounds and adds the timezone
    datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.one_of(st.just(UTC), st.timezones()),
)
parts = st.tuples(
    st.sampled_from(["user", "assistant", "tool"]),
    texts,
    times,
    st.text(any_character, max_size=6),
    st.none() | st.text(any_character, max_size=6),
    st.booleans(),
)
conversations = st.lists(parts, min_size=1, max_size=6).map(
    lambda rows: [
        Entry(f"m{index}", role, content, at, thread, name, header=header)
        for index, (role, content, at, thread, name, header) in enumerate(rows)
    ]
)


def check_spans(page: Page) -> None:
    """Spans follow each other; only blank cells of row breaks lie between them and after the last."""
    flat = page.cells.reshape(-1)
    position = 0
    for span in page.placements:
        assert position <= span.header_start <= span.start <= span.stop <= len(flat)
        assert (flat[position : span.header_start] == BLANK).all()
        if page.layout.newline == "mark":
            assert span.header_start == position
        position = span.stop
    assert (flat[position:] == BLANK).all()
    assert len(flat) - position < page.layout.columns or page.rows_used == 1


def check_full_width(page: Page) -> None:
    """Every full-width character is followed by its tail in its row; there are no other tails. On a page for codecs it
    is at an even column; on others there are no fillers."""
    wide = load_atlas().width[page.cells] == 2
    assert np.array_equal(wide[:, :-1], page.cells[:, 1:] == WIDE_TAIL)
    assert not wide[:, -1].any()
    assert not (page.cells[:, 0] == WIDE_TAIL).any()
    if page.layout.wrap == "cells":
        assert not wide[:, 1::2].any()
    else:
        assert not (page.cells == ord(FILLER_MARK)).any()


def check_row_ends(page: Page) -> None:
    """Padding stands only at the ends of rows that end with words, whose last column holds no ink."""
    padding = page.cells == PADDING
    if page.layout.wrap == "cells":
        assert not padding.any()
    else:
        assert np.isin(page.cells[:, -1], [BLANK, PADDING, ord(" ")]).all()
        assert (padding[:, 1:] >= padding[:, :-1]).all()


@pytest.mark.slow
@given(conversations, layouts)
def test_all_content_is_typeset_in_order(entries: list[Entry], layout: PageLayout) -> None:
    typesetter = Typesetter(layout)
    texts: dict[str, str] = {}
    rest = entries
    while rest:
        page = typesetter.page(rest)
        check_spans(page)
        check_full_width(page)
        check_row_ends(page)
        assert page.rows_used <= layout.rows
        before, rest = rest, remaining(rest, page)
        assert rest != before, "every page takes something"
        flat = page.cells.reshape(-1)
        for span in page.placements:
            text = transcribe(flat[span.start : span.stop], layout=layout, start=span.start).text
            assert len(texts.setdefault(span.message_id, "")) == span.char_start
            texts[span.message_id] += text
            assert len(texts[span.message_id]) == span.char_stop
    assert texts == {entry.message_id: entry.content for entry in entries}
    assert list(texts) == [entry.message_id for entry in entries], "in order"


@given(st.lists(st.text("abc.,-()0", min_size=1, max_size=8), min_size=1), word_layouts)
def test_a_row_ends_between_words(words: list[str], layout: PageLayout) -> None:
    text = " ".join(words)
    rows = []
    for page in Typesetter(layout).pages([Entry("m", "user", text, datetime(2026, 3, 2, tzinfo=UTC), header=False)]):
        rows += [grid_text(row) for row in page.cells]
    assert re.sub("[▶>]", "", " ".join(rows)).split() == text.split()


@given(st.integers(1, 400), word_layouts)
def test_a_run_longer_than_a_row_fills_rows(length: int, layout: PageLayout) -> None:
    entry = Entry("m", "user", "x" * (layout.ink_columns + length), datetime(2026, 3, 2, tzinfo=UTC), header=False)
    page = Typesetter(layout).page([entry])
    assert (page.cells[:-1, : layout.ink_columns] != PADDING).all()


@pytest.mark.slow
@given(conversations, layouts)
def test_cost_is_a_lower_bound(entries: list[Entry], layout: PageLayout) -> None:
    typesetter = Typesetter(layout)
    page = typesetter.page(entries)
    for entry, span in zip(entries, page.placements, strict=False):
        whole = span.char_stop == len(entry.content)
        with_header = span.header_start < span.start
        if whole and with_header:
            assert typesetter.cost(entry) <= span.stop - span.header_start


@pytest.mark.slow
@given(conversations, layouts)
def test_every_page_can_be_drawn(entries: list[Entry], layout: PageLayout) -> None:
    for page in Typesetter(layout).pages(entries):
        assert rasterize(page.cells).shape == (page.rows_used * 16, layout.columns * 8)
        assert grid_text(page.cells) == page.text
        page.text.encode()  # cells hold no surrogates


@given(texts)
def test_code_points_match_ord(text: str) -> None:
    assert code_points(text).tolist() == [ord(character) for character in text]


@given(st.lists(st.sampled_from([BLANK, WIDE_TAIL, PADDING, *map(ord, "aF0¶⇥▒⟦⟧한\ue000")]), max_size=60), layouts)
def test_any_cells_can_be_transcribed(values: list[int], layout: PageLayout) -> None:
    cells = np.array(values, dtype=np.uint32)
    sure = np.linspace(0, 1, len(cells), dtype=np.float32)
    read = transcribe(cells, sure, layout=layout, start=3)
    assert len(read.text) == len(read.confidence) == len(read.cell)
    assert (np.diff(read.cell) > 0).all()
    assert set(read.confidence.tolist()) <= set(sure.tolist())
